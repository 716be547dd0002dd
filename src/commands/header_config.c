/* header_config.c: turns custom_response_headers into rules. One thread, at start and at SIGHUP. */
#include "commands/header_config.h"

#include <strings.h>

#define MAX_REPLY_BYTES 4096 /* of one reply's: they share the connection's memory with the request's */
#define MAX_STATUS 599

struct reader {
	struct config_findings *findings;
	bool saw_transport; /* the default rule says what Strict-Transport-Security is */
};

/* ---- a header ---------------------------------------------------------------------------------------------------- */

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text)
{
	static const char more[] = "!#$%&'*+-.^_`|~";

	for (const char *c = text; *c != 0; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
		      strchr(more, *c) != NULL))
			return false;
	return *text != 0;
}

/* Those that say where a message ends or what becomes of its connection: whoever sets them breaks both. */
static bool is_framing(const char *name)
{
	static const char *const names[] = { "Connection", "Content-Length", "Keep-Alive", "Proxy-Connection",
					     "TE", "Trailer", "Transfer-Encoding", "Upgrade" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

/* "X-Frame-Options", whatever the case. */
static const char *canonical(struct bulla_call *call, const char *name)
{
	struct bulla_bytes copy = bulla_arena_copy(call->arena, bulla_str(name));
	char *text = (char *)(uintptr_t)copy.ptr;

	for (size_t i = 0; text != NULL && i < copy.len; i++) {
		bool first = i == 0 || text[i - 1] == '-', lower = text[i] >= 'a' && text[i] <= 'z',
		     upper = text[i] >= 'A' && text[i] <= 'Z';

		if (first ? lower : upper)
			text[i] ^= 0x20;
	}
	return text;
}

static struct bulla_bytes trimmed(const char *text)
{
	size_t from = strspn(text, " \t"), len = strlen(text);

	while (len > from && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	return bulla_mem(text + from, len - from);
}

static bool has_control(const char *text)
{
	for (; *text != 0; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* The values with "; " between; those that are empty do not count. */
static bool join_values(struct reader *r, const struct hcl *at, const char **out)
{
	struct bulla_bytes text = bulla_str("");

	if (at->kind != HCL_LIST)
		return setting_fail(r->findings, at, "the values of \"%s\" must be a list of strings", at->name);
	for (const struct hcl *h = at->first; h != NULL; h = h->next) {
		if (h->kind != HCL_STRING)
			return setting_fail(r->findings, h, "the values of \"%s\" must be a list of strings",
					    at->name);
		if (has_control(h->text))
			return setting_fail(r->findings, h, "a value of \"%s\" holds a control character",
					    at->name);
		struct bulla_bytes value = trimmed(h->text);

		if (value.len > 0)
			text = bulla_arena_printf(r->findings->call->arena, "%.*s%s%.*s", (int)text.len, (const char *)text.ptr,
						  text.len > 0 ? "; " : "", (int)value.len, (const char *)value.ptr);
		if (text.ptr == NULL)
			return findings_no_memory(r->findings);
	}
	*out = (const char *)text.ptr;
	return true;
}

static bool check_name(struct reader *r, const struct hcl *block, const struct hcl *at)
{
	if (!is_token(at->name))
		return setting_fail(r->findings, at, "\"%s\" is no name of a header", at->name);
	if (is_framing(at->name))
		return setting_fail(r->findings, at, "\"%s\" is the server's own affair and cannot be set",
				    at->name);
	for (const struct hcl *h = block->first; h != at; h = h->next)
		if (strcasecmp(h->name, at->name) == 0)
			return setting_fail(r->findings, at, "\"%s\" is given twice", at->name);
	return true;
}

/* header->name NULL: it is left out, with a warning. */
static bool read_header(struct reader *r, const struct hcl *block, const struct hcl *at,
				  struct reply_header *header)
{
	const char *name, *value;

	if (!check_name(r, block, at) || !join_values(r, at, &value))
		return false;
	name = canonical(r->findings->call, at->name);
	if (name == NULL)
		return findings_no_memory(r->findings);
	*header = (struct reply_header){ 0 };
	if (strncmp(name, "X-Vault-", 8) == 0)
		setting_warn(r->findings, at, "custom headers that begin with X-Vault- are left out: %s", name);
	else if (value[0] == 0)
		setting_warn(r->findings, at, "a custom header without a value is left out: %s", name);
	else
		*header = (struct reply_header){ name, value };
	return true;
}

/* ---- a rule ------------------------------------------------------------------------------------------------------ */

/* "default", "2xx", "200". */
static bool read_status(const char *text, int *first, int *last)
{
	*first = 0;
	*last = 999;
	if (strcmp(text, "default") == 0)
		return true;
	if (strlen(text) != 3 || text[0] < '1' || text[0] > '5')
		return false;
	*first = (text[0] - '0') * 100;
	*last = *first + 99;
	if (strcmp(text + 1, "xx") == 0)
		return true;
	if (text[1] < '0' || text[1] > '9' || text[2] < '0' || text[2] > '9')
		return false;
	*first += (text[1] - '0') * 10 + (text[2] - '0');
	*last = *first;
	return true;
}

/* An object; in JSON also a list of one. NULL: neither. */
static const struct hcl *object_of(const struct hcl *at)
{
	if (at->kind == HCL_LIST && at->first != NULL && at->first->next == NULL)
		at = at->first;
	return at->kind == HCL_BLOCK && at->label == NULL ? at : NULL;
}

static bool read_rule(struct reader *r, const struct hcl *at, struct reply_rule *rule)
{
	const struct hcl *block = object_of(at);
	size_t count = 1; /* Strict-Transport-Security may come to it */

	if (!read_status(at->name, &rule->first, &rule->last))
		return setting_fail(r->findings, at,
				    "\"%s\" is no status: \"default\", \"2xx\", \"200\" and their like are", at->name);
	if (block == NULL)
		return setting_fail(r->findings, at, "the headers of \"%s\" must be an object of lists", at->name);
	for (const struct hcl *h = block->first; h != NULL; h = h->next)
		count++;
	struct reply_header *headers = bulla_arena_alloc(r->findings->call->arena, count * sizeof *headers);

	if (headers == NULL)
		return findings_no_memory(r->findings);
	rule->headers = headers;
	bool good = true;

	for (const struct hcl *h = block->first; h != NULL; h = h->next) {
		good &= read_header(r, block, h, &headers[rule->count]);
		rule->count += good && headers[rule->count].name != NULL;
		r->saw_transport |= rule->last == 999 && strcasecmp(h->name, STRICT_TRANSPORT) == 0;
	}
	return good;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* Default, then classes, then single statuses. */
static void sort(struct reply_rule *rules, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct reply_rule rule = rules[i];
		size_t at = i;

		for (; at > 0 && rules[at - 1].last - rules[at - 1].first < rule.last - rule.first; at--)
			rules[at] = rules[at - 1];
		rules[at] = rule;
	}
}

/* What a reply of that status gets at most, with the four bytes around each. */
static size_t bytes_for(const struct reply_headers *headers, int status)
{
	size_t bytes = 0;

	for (size_t i = 0; i < headers->count; i++) {
		const struct reply_rule *rule = &headers->rules[i];

		for (size_t j = 0; status >= rule->first && status <= rule->last && j < rule->count; j++)
			bytes += strlen(rule->headers[j].name) + strlen(rule->headers[j].value) + 4;
	}
	return bytes;
}

static bool add_rules(struct reader *r, const struct hcl *block, struct reply_rule *rules, size_t *count)
{
	bool good = true;

	for (const struct hcl *h = block->first; h != NULL; h = h->next) {
		if (!read_rule(r, h, &rules[*count])) {
			good = false;
			continue;
		}
		for (size_t i = 0; i < *count; i++)
			if (rules[i].first == rules[*count].first && rules[i].last == rules[*count].last)
				good = setting_fail(r->findings, h, "\"%s\" is given twice", h->name);
		++*count;
	}
	return good;
}

/* What every reply has says that it is for HTTPS only, unless the settings say otherwise. rules[0] is for all. */
static void add_transport(const struct reader *r, struct reply_rule *rule, struct reply_header *own)
{
	struct reply_header *headers = rule->headers != NULL ? (struct reply_header *)(uintptr_t)rule->headers : own;

	if (r->saw_transport)
		return;
	headers[rule->count++] = (struct reply_header){ STRICT_TRANSPORT, STRICT_TRANSPORT_VALUE };
	rule->headers = headers;
}

static size_t children(const struct hcl *at)
{
	size_t n = 0;

	for (const struct hcl *h = at->first; h != NULL; h = h->next)
		n += h->kind == HCL_BLOCK || h->kind == HCL_LIST ? 1 + children(h) : 1;
	return n;
}

static bool check_sizes(struct config_findings *findings, const struct hcl *at, const struct reply_headers *headers)
{
	for (int status = 100; status <= MAX_STATUS; status++)
		if (bytes_for(headers, status) > MAX_REPLY_BYTES)
			return setting_fail(findings, at, "the headers of a reply with status %d are more than %d bytes", status,
					    MAX_REPLY_BYTES);
	return true;
}

bool header_config_read(struct config_findings *findings, const struct hcl *at, const struct reply_headers **out)
{
	struct bulla_arena *arena = findings->call->arena;
	struct reader r = { findings, false };
	const struct hcl *block = object_of(at);
	struct reply_headers *headers = bulla_arena_alloc(arena, sizeof *headers);
	struct reply_rule *rules = bulla_arena_alloc(arena, (children(at) + 1) * sizeof *rules);
	struct reply_header *own = bulla_arena_alloc(arena, sizeof *own);
	size_t count = 0;

	if (headers == NULL || rules == NULL || own == NULL)
		return findings_no_memory(findings);
	if (block == NULL)
		return setting_fail(findings, at,
				    "\"custom_response_headers\" must be an object: { \"default\" = { \"X-A\" = [\"b\"] } }");
	if (!add_rules(&r, block, rules, &count))
		return false;
	sort(rules, count);
	if (count == 0 || rules[0].last != 999) {
		memmove(rules + 1, rules, count++ * sizeof *rules);
		rules[0] = (struct reply_rule){ .first = 0, .last = 999 };
	}
	add_transport(&r, &rules[0], own);
	*headers = (struct reply_headers){ rules, count };
	*out = headers;
	return check_sizes(findings, at, headers);
}
