/* help.c: help for a path or a mount, as the peer lays it out: prose for a terminal, and an OpenAPI document of the same.
 * Stateless: any thread. */
#include "http/help.h"

#include <stdlib.h>

#define MAX_FIELDS 64
#define ANY_NAME "\\w(([\\w-.]+)?\\w)?"

/* ---- what the table does not say itself --------------------------------------------------------------------------- */

/* One sentence for each section of docs/API.md. */
static const struct {
	const char *doc, *text;
} sentences[] = {
	{ "back-up-key", "Hand out a whole key as a blob that can be restored, if its configuration allows it." },
	{ "cache-config", "The size of the mount's cache, as clients of the peer set it: kept and shown." },
	{ "capabilities", "What a token may do at given paths." },
	{ "config-keys", "Settings for all keys of the mount." },
	{ "cert-config", "Settings of the mount." },
	{ "cert-entries", "Which client certificates may log in, and what they get." },
	{ "cert-login", "Log in with the client certificate of the connection." },
	{ "cors", "Which web pages' scripts may call the server." },
	{ "configure-key", "Change what may be done with a key." },
	{ "create-key", "Make a named key." },
	{ "create-token", "Make a token." },
	{ "data-keys", "Make a data key, sealed under a named key, with or without its plaintext." },
	{ "decrypt", "Decrypt one ciphertext or a batch." },
	{ "delete-key", "Destroy a key for good, if its configuration allows it." },
	{ "disable-mount", "Destroy a mount with all of its keys." },
	{ "enable-mount", "Enable an engine at a path." },
	{ "encrypt", "Encrypt one plaintext or a batch, under a key that is made if need be." },
	{ "export-key", "Hand out key material, if the key is exportable." },
	{ "hash", "Hash data." },
	{ "health", "Whether the server is initialised, unsealed and serving." },
	{ "hmac", "Authenticate data under a named key." },
	{ "initialise", "Initialise the server, or ask whether it is." },
	{ "jwt-config", "Which keys sign the tokens that may log in." },
	{ "jwt-login", "Log in with a signed token." },
	{ "jwt-roles", "Which claims a token must have to log in, and what it gets." },
	{ "headers-of-pages", "Headers for the pages of a user interface: kept, not sent." },
	{ "key-status-and-rotation", "The key that seals the store: its term, and a new one." },
	{ "leader", "Who leads: there is one server." },
	{ "list-accessors", "The accessors of all tokens." },
	{ "list-auth-mounts", "The auth methods that are enabled." },
	{ "list-keys", "The names of the mount's keys." },
	{ "list-mounts", "The engines that are enabled." },
	{ "look-up-token", "What is known of a token." },
	{ "mounts-for-user-interfaces", "The mounts that the caller may know of." },
	{ "move-mount", "Move a mount to another path, with its keys." },
	{ "quota-config", "Which paths no rate limit counts, and whether replies tell of it." },
	{ "random", "Random bytes." },
	{ "rate-limits", "How many requests a client may make." },
	{ "read-key", "What is known of a key, without its material." },
	{ "read-mount", "What is known of a mount." },
	{ "rekey-backup", "Key shares left behind by a rekeying: there never are any." },
	{ "renew-token", "Let a token live longer." },
	{ "restore-key", "Make a key of a backup." },
	{ "revoke-token", "End a token and those made from it." },
	{ "rewrap", "Decrypt ciphertexts and encrypt them again under the latest version, without showing a plaintext." },
	{ "renew-wrapping", "Move a wrapped reply, unseen, to a new token." },
	{ "rotate-key", "Add a version to a key, which encrypts from now on." },
	{ "seal", "Forget every key until the server is unsealed again." },
	{ "seal-status", "Whether the server is sealed, and how far unsealing has come." },
	{ "sign", "Sign data with a named key." },
	{ "soft-delete-key", "Put a key out of use, or back into it." },
	{ "trim-key", "Destroy old versions of a key for good." },
	{ "tune-mount", "Settings of a mount." },
	{ "unseal", "Give one share of the unseal key." },
	{ "unwrap", "Hand out a wrapped reply, once." },
	{ "verify", "Verify a signature or an HMAC." },
	{ "wrap", "Put a JSON object into a wrapping." },
	{ "look-up-wrapping", "When and by which path a wrapping was made." },
};

static const char *const kinds[] = {
	[BULLA_MOUNT_TRANSIT] = "Encryption as a service: named keys that never leave, and what can be done with them.",
	[BULLA_MOUNT_SYSTEM] = "The server itself: its seal, its mounts, its policies.",
	[BULLA_MOUNT_TOKEN] = "Tokens: who calls, and for how long.",
	[BULLA_MOUNT_CUBBYHOLE] = "A place of each token's own.",
	[BULLA_MOUNT_APPROLE] = "Logins of programs: a role id and a secret id.",
	[BULLA_MOUNT_USERPASS] = "Logins of people: a name and a password.",
	[BULLA_MOUNT_CERT] = "Logins by TLS client certificate.",
	[BULLA_MOUNT_JWT] = "Logins by signed JSON Web Token.",
	[BULLA_MOUNT_IDENTITY] = "Entities and groups.",
};

static const char *sentence(const struct route *row)
{
	for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++)
		if (strcmp(sentences[i].doc, row->doc) == 0)
			return sentences[i].text;
	return "Described in docs/API.md.";
}

static const char *type_name(enum field_type type)
{
	switch (type) {
	case FIELD_STRING: return "string";
	case FIELD_BOOL: return "bool";
	case FIELD_INT: return "int";
	case FIELD_SECONDS:
	case FIELD_SIGNED_SECONDS: return "duration (sec)";
	case FIELD_STRINGS:
	case FIELD_LIST: return "slice";
	case FIELD_PAIRS: return "keypair";
	default: return "any";
	}
}

/* ---- rows and fields of a path ---------------------------------------------------------------------------------------- */

static const struct route *first_row(const struct route_path *path)
{
	for (size_t m = 0; m < ROUTE_METHODS; m++)
		if (path->rows[m] != NULL)
			return path->rows[m];
	return NULL;
}

static int compare_fields(const void *a, const void *b)
{
	return strcmp((*(const struct field *const *)a)->name, (*(const struct field *const *)b)->name);
}

static size_t add_fields(const struct route *row, const struct field *found[MAX_FIELDS], size_t count)
{
	for (const struct field *f = row != NULL ? row->fields : NULL; f != NULL && f->name != NULL; f++) {
		bool known = count == MAX_FIELDS;

		for (size_t i = 0; i < count; i++)
			known = known || strcmp(found[i]->name, f->name) == 0;
		if (!known)
			found[count++] = f;
	}
	return count;
}

/* Of all methods, by name. */
static size_t all_fields(const struct route_path *path, const struct field *found[MAX_FIELDS])
{
	size_t count = 0;

	for (size_t m = 0; m < ROUTE_METHODS; m++)
		count = add_fields(path->rows[m], found, count);
	qsort(found, count, sizeof found[0], compare_fields);
	return count;
}

/* ---- prose --------------------------------------------------------------------------------------------------------------- */

/* The pattern as a regular expression. */
static void put_pattern(struct out *text, const struct route_path *path)
{
	const char *at = path->pattern, *open;

	out_text(text, "^");
	for (size_t i = 0; (open = strchr(at, '{')) != NULL; i++) {
		const char *close = strchr(open, '}');

		out_raw(text, bulla_mem(at, (size_t)(open - at)));
		out_text(text, "(?P<");
		out_raw(text, routes_param(path->pattern, i));
		out_text(text, close[-1] == '*' ? ">.+)" : ">" ANY_NAME ")");
		at = close + 1;
	}
	out_text(text, at);
	out_text(text, path->slash ? "/?$" : "$");
}

static void put_parameter(struct out *text, struct bulla_bytes name, const char *type)
{
	out_text(text, "    ");
	out_raw(text, name);
	out_text(text, " (");
	out_text(text, type);
	out_text(text, ")\n");
}

static void put_parameters(struct out *text, const struct route_path *path)
{
	const struct field *fields[MAX_FIELDS];
	size_t count = all_fields(path, fields);

	out_text(text, "\n\n## PARAMETERS\n\n");
	for (size_t i = 0; i < MAX_PARAMS && routes_param(path->pattern, i).len > 0; i++)
		put_parameter(text, routes_param(path->pattern, i), "string");
	for (size_t i = 0; i < count; i++)
		put_parameter(text, bulla_str(fields[i]->name), type_name(fields[i]->type));
}

static void put_path(struct out *text, const struct route_path *path, struct bulla_bytes rest)
{
	static const char *const names[ROUTE_METHODS] = {
		[METHOD_GET] = "GET", [METHOD_POST] = "POST, PUT", [METHOD_DELETE] = "DELETE", [METHOD_LIST] = "LIST",
		[METHOD_PATCH] = "PATCH", [METHOD_HEAD] = "HEAD", [METHOD_SCAN] = "SCAN",
	};

	out_text(text, "Request:        ");
	out_raw(text, rest);
	out_text(text, "\nMatching Route: ");
	put_pattern(text, path);
	out_text(text, "\n\n");
	out_text(text, sentence(first_row(path)));
	put_parameters(text, path);
	out_text(text, "\n## DESCRIPTION\n");
	for (size_t m = 0; m < ROUTE_METHODS; m++)
		if (path->rows[m] != NULL && names[m] != NULL) {
			out_text(text, "\n    ");
			out_text(text, names[m]);
			out_text(text, "\n        ");
			out_text(text, sentence(path->rows[m]));
		}
}

struct listing {
	struct out *out;
	enum bulla_mount_kind kind;
};

static void put_one(const struct route_path *path, void *context)
{
	const struct listing *listing = context;

	if (path->mount != listing->kind)
		return;
	out_text(listing->out, "\n\n    ");
	put_pattern(listing->out, path);
	out_text(listing->out, "\n        ");
	out_text(listing->out, sentence(first_row(path)));
}

static void put_mount(struct out *text, enum bulla_mount_kind kind)
{
	struct listing listing = { text, kind };

	out_text(text, "## DESCRIPTION\n\n");
	out_text(text, kinds[kind]);
	out_text(text, "\n\n## PATHS\n\nHelp for each of these is found at any path that its pattern takes. Not every token may use them all.");
	routes_each(put_one, &listing);
}

/* ---- OpenAPI --------------------------------------------------------------------------------------------------------------- */

static void put_schema(struct out *out, enum field_type type)
{
	json_open(out, '{');
	switch (type) {
	case FIELD_BOOL: json_put_text(out, "type", "boolean"); break;
	case FIELD_INT: json_put_text(out, "type", "integer"); break;
	case FIELD_STRING: json_put_text(out, "type", "string"); break;
	case FIELD_SECONDS:
	case FIELD_SIGNED_SECONDS: json_put_text(out, "type", "string"); json_put_text(out, "format", "seconds"); break;
	case FIELD_PAIRS: json_put_text(out, "type", "object"); break;
	case FIELD_STRINGS:
	case FIELD_LIST:
		json_put_text(out, "type", "array");
		json_key(out, "items");
		put_schema(out, FIELD_STRING);
		break;
	default: break;
	}
	json_close(out, '}');
}

static void put_in(struct out *out, struct bulla_bytes name, const char *in, enum field_type type)
{
	json_open(out, '{');
	json_put_string(out, "name", name);
	json_put_text(out, "in", in);
	json_key(out, "schema");
	put_schema(out, type);
	json_put_bool(out, "required", strcmp(in, "path") == 0);
	json_close(out, '}');
}

static void put_body(struct out *out, const struct route *row)
{
	const struct field *fields[MAX_FIELDS];
	size_t count = add_fields(row, fields, 0);

	json_key(out, "requestBody");
	json_open(out, '{');
	json_key(out, "content");
	json_open(out, '{');
	json_key(out, "application/json");
	json_open(out, '{');
	json_key(out, "schema");
	json_open(out, '{');
	json_put_text(out, "type", "object");
	json_key(out, "properties");
	json_open(out, '{');
	for (size_t i = 0; i < count; i++) {
		json_key(out, fields[i]->name);
		put_schema(out, fields[i]->type);
	}
	for (int i = 0; i < 5; i++)
		json_close(out, '}');
}

static void put_query(struct out *out, const struct route *row, bool list)
{
	const struct field *fields[MAX_FIELDS];
	size_t count = add_fields(row, fields, 0);

	json_key(out, "parameters");
	json_open(out, '[');
	if (list)
		put_in(out, bulla_str("list"), "query", FIELD_BOOL);
	for (size_t i = 0; i < count; i++)
		put_in(out, bulla_str(fields[i]->name), "query", fields[i]->type);
	json_close(out, ']');
}

static void put_operation(struct out *out, const char *name, const struct route *row, enum method method)
{
	json_key(out, name);
	json_open(out, '{');
	json_put_text(out, "summary", sentence(row));
	if (method == METHOD_POST || method == METHOD_PATCH)
		put_body(out, row);
	else
		put_query(out, row, method == METHOD_LIST);
	json_key(out, "responses");
	json_open(out, '{');
	json_key(out, "200");
	json_open(out, '{');
	json_put_text(out, "description", "OK");
	json_close(out, '}');
	json_close(out, '}');
	json_close(out, '}');
}

/* A LIST stands under get, as it is also asked for, unless there is a GET. */
static void put_operations(struct out *out, const struct route_path *path)
{
	const struct route *get = path->rows[METHOD_GET], *list = path->rows[METHOD_LIST];

	json_open(out, '{');
	json_key(out, "parameters");
	json_open(out, '[');
	for (size_t i = 0; i < MAX_PARAMS && routes_param(path->pattern, i).len > 0; i++)
		put_in(out, routes_param(path->pattern, i), "path", FIELD_STRING);
	json_close(out, ']');
	if (get != NULL || list != NULL)
		put_operation(out, "get", get != NULL ? get : list, get != NULL ? METHOD_GET : METHOD_LIST);
	if (path->rows[METHOD_POST] != NULL)
		put_operation(out, "post", path->rows[METHOD_POST], METHOD_POST);
	if (path->rows[METHOD_DELETE] != NULL)
		put_operation(out, "delete", path->rows[METHOD_DELETE], METHOD_DELETE);
	if (path->rows[METHOD_PATCH] != NULL)
		put_operation(out, "patch", path->rows[METHOD_PATCH], METHOD_PATCH);
	json_close(out, '}');
}

static void put_document_path(const struct route_path *path, void *context)
{
	const struct listing *listing = context;
	char key[256] = "/";
	size_t n = 1;

	if (path->mount != listing->kind)
		return;
	for (const char *c = path->pattern; *c != 0 && n + 1 < sizeof key; c++)
		if (*c != '*')
			key[n++] = *c;
	json_key_bytes(listing->out, bulla_mem(key, n));
	put_operations(listing->out, path);
}

static void put_openapi(const struct exchange *x, enum bulla_mount_kind kind, const struct route_path *path, struct out *out)
{
	struct listing listing = { out, kind };

	json_key(out, "openapi");
	json_open(out, '{');
	json_put_text(out, "openapi", "3.0.2");
	json_key(out, "info");
	json_open(out, '{');
	json_put_text(out, "title", "Bulla API");
	json_put_text(out, "description", "Paths are below the mount, which is below /v1/.");
	json_put_text(out, "version", x->server->version);
	json_close(out, '}');
	json_key(out, "paths");
	json_open(out, '{');
	if (path != NULL)
		put_document_path(path, &listing);
	else
		routes_each(put_document_path, &listing);
	json_close(out, '}');
	json_close(out, '}');
}

enum bulla_err help_print(const struct exchange *x, enum bulla_mount_kind kind, const struct route_path *path,
			  struct bulla_bytes rest, struct out *body)
{
	struct out text = { 0 };

	if (path != NULL)
		put_path(&text, path, rest);
	else
		put_mount(&text, kind);
	bool failed = text.failed;

	json_open(body, '{');
	json_put_string(body, "help", bulla_mem(text.ptr, text.len));
	put_openapi(x, kind, path, body);
	json_put_null(body, "see_also");
	json_close(body, '}');
	out_text(body, "\n");
	out_clear(&text);
	return failed || body->failed ? BULLA_E_NO_MEMORY : BULLA_OK;
}
