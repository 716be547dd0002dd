/* cert_login.c: a login with the certificate of a TLS connection, and the renewal of its token. Workers only. */
#include <stdlib.h>

#include "access/login.h"
#include "auth/cert_method.h"
#include "auth/log_in.h"
#include "auth/names.h"
#include "base/glob.h"
#include "bulla/clock.h"
#include "bulla/encode.h"
#include "crypto/crypto.h"
#include "crypto/x509_client.h"

#define META_FIXED 5
#define HASH_BYTES 32

/* Who stands before us. */
struct visitor {
	struct x509_list chain;
	struct x509_names names;
};

static enum bulla_err meet(struct bulla_call *call, struct visitor *out)
{
	if (call->client_chain_count == 0)
		return bulla_fail(call, BULLA_E_INVALID, "no client certificate found");
	out->chain.items = bulla_arena_alloc(call->arena, call->client_chain_count * sizeof *out->chain.items);
	if (out->chain.items == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(out->chain.items, call->client_chain, call->client_chain_count * sizeof *out->chain.items);
	out->chain.count = call->client_chain_count;
	enum bulla_err err = x509_names_read(call, out->chain.items[0], &out->names);

	return err == BULLA_E_BAD_FIELD ? bulla_fail(call, BULLA_E_INVALID, "invalid certificate or no client certificate supplied")
					: err;
}

/* ---- does an entry fit? --------------------------------------------------------------------------------------------------------- */

static bool fits_any(struct bulla_bytes pattern, const struct x509_list *names)
{
	for (size_t i = 0; i < names->count; i++)
		if (glob_match(pattern, names->items[i]))
			return true;
	return false;
}

static bool fits_common_name(struct bulla_bytes pattern, const struct x509_names *names)
{
	return glob_match(pattern, names->common_name);
}

static bool fits(enum bulla_cert_names kind, struct bulla_bytes pattern, const struct x509_names *names)
{
	switch (kind) {
	case BULLA_CERT_NAMES:
		return fits_common_name(pattern, names) || fits_any(pattern, &names->dns) || fits_any(pattern, &names->emails);
	case BULLA_CERT_COMMON_NAMES:
		return fits_common_name(pattern, names);
	case BULLA_CERT_DNS:
		return fits_any(pattern, &names->dns);
	case BULLA_CERT_EMAILS:
		return fits_any(pattern, &names->emails);
	case BULLA_CERT_URIS:
		return fits_any(pattern, &names->uris);
	case BULLA_CERT_UNITS:
		return fits_any(pattern, &names->units);
	default:
		return false;
	}
}

/* Of each list that is not empty, one pattern has to fit. */
static bool names_fit(const struct bulla_cert_entry *entry, const struct x509_names *names)
{
	for (enum bulla_cert_names kind = BULLA_CERT_NAMES; kind < BULLA_CERT_EXTENSIONS; kind++) {
		bool good = entry->lists[kind].count == 0;

		for (size_t i = 0; !good && i < entry->lists[kind].count; i++)
			good = fits(kind, entry->lists[kind].items[i], names);
		if (!good)
			return false;
	}
	return true;
}

static enum bulla_err extensions_fit(struct bulla_call *call, const struct bulla_cert_entry *entry, const struct visitor *visitor,
				     bool *good)
{
	*good = true;
	for (size_t i = 0; *good && i < entry->lists[BULLA_CERT_EXTENSIONS].count; i++) {
		struct bulla_bytes text = entry->lists[BULLA_CERT_EXTENSIONS].items[i], value;
		const uint8_t *colon = memchr(text.ptr, ':', text.len);
		size_t n = (size_t)(colon - text.ptr);
		enum bulla_err err = x509_extension(call, visitor->chain.items[0], bulla_mem(text.ptr, n), &value);

		if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
			return err;
		*good = err == BULLA_OK && glob_match(bulla_mem(colon + 1, text.len - n - 1), value);
	}
	return BULLA_OK;
}

/* What was found out about the entries so far. */
struct search {
	bool issued; /* one of them trusts the certificate, whatever its names */
	struct bulla_bytes flaw; /* what one of them, that knows its issuer, had against it; .ptr NULL: nothing */
	bool found;
	struct bulla_bytes name;
	struct bulla_cert_entry entry;
};

/* An entry of CAs trusts what they issued; one of a single certificate trusts that very one, which is still looked at for its
 * time and purpose. */
static enum bulla_err is_trusted(struct bulla_call *call, const struct bulla_cert_entry *entry, const struct visitor *visitor,
				 struct search *search, bool *trusted)
{
	struct x509_list anchors;
	struct x509_names first;

	*trusted = false;
	TRY(x509_pem_all(call, entry->certificate, &anchors));
	TRY(x509_names_read(call, anchors.items[0], &first));
	if (!first.is_ca && !bulla_equal(anchors.items[0], visitor->chain.items[0]))
		return BULLA_OK;
	enum bulla_err err = x509_client_verify(call, &visitor->chain, &anchors, bulla_wall_s());

	if (err == BULLA_E_AUTH_FAILED)
		return BULLA_OK;
	if (err == BULLA_E_BAD_FIELD) { /* another may have the authority's newer certificate */
		search->flaw = call->detail;
		call->detail = (struct bulla_bytes){ 0 };
		return BULLA_OK;
	}
	TRY(err);
	*trusted = true;
	return BULLA_OK;
}

static enum bulla_err try_entry(struct bulla_call *call, const struct bulla_cert_entry *entry, struct bulla_bytes name,
				const struct visitor *visitor, struct search *search)
{
	bool trusted, good;

	TRY(is_trusted(call, entry, visitor, search, &trusted));
	if (!trusted)
		return BULLA_OK;
	search->issued = true;
	TRY(extensions_fit(call, entry, visitor, &good));
	if (!good || !names_fit(entry, &visitor->names))
		return BULLA_OK;
	search->found = true;
	search->name = name;
	search->entry = *entry;
	return BULLA_OK;
}

/* Reads so many entries at a time, and then verifies by them: the disk and computing have threads of their own. */
#define AT_ONCE 16

static enum bulla_err try_some(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
			       const struct bulla_bytes *names, size_t count, const struct visitor *visitor, struct search *search)
{
	struct bulla_cert_entry *entries = bulla_arena_alloc(call->arena, count * sizeof *entries);
	bool there[AT_ONCE] = { 0 };

	if (entries == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		enum bulla_err err = cert_get(auth, call, mount, names[i], &entries[i]);

		if (err != BULLA_E_NOT_FOUND)
			TRY(err);
		there[i] = err == BULLA_OK;
	}
	TRY(bulla_work(call, BULLA_WORK_CPU));
	for (size_t i = 0; !search->found && i < count; i++) {
		if (there[i])
			TRY(try_entry(call, &entries[i], names[i], visitor, search));
		TRY(bulla_yield(call));
	}
	return BULLA_OK;
}

static enum bulla_err look_for(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			       const struct visitor *visitor, struct search *search)
{
	struct bulla_bytes *names = &name;
	size_t count = 1;

	if (name.len == 0)
		TRY(cert_names(auth, call, mount, &names, &count));
	for (size_t i = 0; !search->found && i < count; i += AT_ONCE)
		TRY(try_some(auth, call, mount, names + i, count - i < AT_ONCE ? count - i : AT_ONCE, visitor, search));
	if (search->found)
		return BULLA_OK;
	if (!search->issued && search->flaw.ptr != NULL)
		return bulla_fail(call, BULLA_E_INVALID_500, "failed to verify client's certificate: %.*s", (int)search->flaw.len,
				  (const char *)search->flaw.ptr);
	return bulla_fail(call, BULLA_E_INVALID, search->issued
			  ? "no chain matching all constraints could be found for this login certificate"
			  : "invalid certificate or no client certificate supplied");
}

/* ---- the token ------------------------------------------------------------------------------------------------------------------ */

/* "ab:cd:ef" */
static struct bulla_bytes hex_with_colons(struct bulla_call *call, struct bulla_bytes bytes)
{
	char *text = bulla_arena_alloc(call->arena, bytes.len * 3 + 1);

	for (size_t i = 0; text != NULL && i < bytes.len; i++) {
		bulla_hex_encode(bulla_mem(bytes.ptr + i, 1), text + 3 * i);
		text[3 * i + 2] = ':';
	}
	return bulla_mem(text, text == NULL || bytes.len == 0 ? 0 : bytes.len * 3 - 1);
}

static int by_key(const void *a, const void *b)
{
	return bulla_compare(((const struct bulla_pair *)a)->key, ((const struct bulla_pair *)b)->key);
}

/* Dots are not for names in policies. */
static struct bulla_bytes dashed(struct bulla_call *call, struct bulla_bytes oid)
{
	uint8_t *text = bulla_arena_alloc(call->arena, oid.len);

	for (size_t i = 0; text != NULL && i < oid.len; i++)
		text[i] = oid.ptr[i] == '.' ? '-' : oid.ptr[i];
	return bulla_mem(text, text != NULL ? oid.len : 0);
}

static enum bulla_err add_extensions(struct bulla_call *call, const struct visitor *visitor, const struct bulla_cert_entry *entry,
				     struct bulla_pair *pairs, size_t *count)
{
	for (size_t i = 0; i < entry->lists[BULLA_CERT_METADATA].count; i++) {
		struct bulla_bytes oid = entry->lists[BULLA_CERT_METADATA].items[i], value;
		enum bulla_err err = x509_extension(call, visitor->chain.items[0], oid, &value);

		if (err == BULLA_E_NOT_FOUND)
			continue;
		TRY(err);
		pairs[(*count)++] = (struct bulla_pair){ dashed(call, oid), value };
	}
	return BULLA_OK;
}

static enum bulla_err metadata(struct bulla_call *call, const struct visitor *visitor, const struct search *search,
			       struct log_in *login)
{
	const struct x509_names *names = &visitor->names;
	size_t n = META_FIXED, room = n + search->entry.lists[BULLA_CERT_METADATA].count;
	struct bulla_pair *pairs = bulla_arena_alloc(call->arena, room * sizeof *pairs);

	if (pairs == NULL)
		return BULLA_E_NO_MEMORY;
	pairs[0] = (struct bulla_pair){ bulla_str("authority_key_id"), hex_with_colons(call, names->authority_key_id) };
	pairs[1] = (struct bulla_pair){ bulla_str("cert_name"), search->name };
	pairs[2] = (struct bulla_pair){ bulla_str("common_name"), names->common_name };
	pairs[3] = (struct bulla_pair){ bulla_str("serial_number"), names->serial };
	pairs[4] = (struct bulla_pair){ bulla_str("subject_key_id"), hex_with_colons(call, names->subject_key_id) };
	TRY(add_extensions(call, visitor, &search->entry, pairs, &n));
	qsort(pairs, n, sizeof *pairs, by_key);
	login->meta = pairs;
	login->meta_count = n;
	return BULLA_OK;
}

/* What a renewal goes by: the hash of the certificate in hex, and the entry's name. */
static enum bulla_err remember(struct bulla_call *call, const struct visitor *visitor, struct bulla_bytes name,
			       struct bulla_bytes *out)
{
	uint8_t hash[HASH_BYTES];
	char *text = bulla_arena_alloc(call->arena, 2 * HASH_BYTES + name.len);

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	sha256(visitor->chain.items[0], hash);
	bulla_hex_encode(bulla_mem(hash, sizeof hash), text);
	memcpy(text + 2 * HASH_BYTES, name.ptr, name.len);
	*out = bulla_mem(text, 2 * HASH_BYTES + name.len);
	return BULLA_OK;
}

static enum bulla_err log_in(struct bulla *engine, struct bulla_call *call, struct log_in *login, struct bulla_bytes name,
			     struct bulla_auth *out)
{
	struct visitor visitor = { 0 };
	struct search search = { 0 };

	TRY(lower_case(call, name, &name));
	TRY(meet(call, &visitor));
	TRY(look_for(engine->auth, call, login->mount, name, &visitor, &search));
	login->params = &search.entry.params.values;
	if (!access_cidrs_match(login->params->bound_cidrs, login->params->bound_cidr_count, call->remote_ip))
		return BULLA_E_NO_TOKEN; /* "permission denied" */
	TRY(metadata(call, &visitor, &search, login));
	TRY(remember(call, &visitor, search.name, &login->login_name));
	login->name = search.entry.display_name;
	return auth_log_in(engine->auth, call, login, out);
}

enum bulla_err bulla_cert_login(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, struct bulla_auth *out)
{
	struct log_in login = { .mount = mount, .path = bulla_str("login") };

	TRY(bulla_work(call, BULLA_WORK_CPU));
	return log_in(engine, call, &login, name, out);
}

/* ---- the method's row ------------------------------------------------------------------------------------------------------------ */

static bool same_policies(const struct bulla_token_params *now, const struct bulla_token *token)
{
	size_t own = 0;

	for (size_t i = 0; i < token->policy_count; i++) {
		bool there = bulla_is(token->policies[i], "default");

		own += !there;
		for (size_t j = 0; !there && j < now->policy_count; j++)
			there = bulla_equal(now->policies[j], token->policies[i]);
		if (!there)
			return false;
	}
	size_t wanted = 0;

	for (size_t j = 0; j < now->policy_count; j++)
		wanted += !bulla_is(now->policies[j], "default");
	return wanted == own;
}

/* Unless the mount says otherwise, over a connection of the certificate that the token was got with, which is still good. */
static enum bulla_err check_binding(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				    const struct bulla_token *token, struct bulla_bytes name)
{
	struct bulla_cert_config config;
	struct bulla_bytes known;
	struct visitor visitor = { 0 };
	struct search search = { 0 };

	TRY(cert_config(auth, call, mount, &config));
	if (config.disable_binding)
		return BULLA_OK;
	TRY(meet(call, &visitor));
	TRY(look_for(auth, call, mount, name, &visitor, &search));
	TRY(remember(call, &visitor, name, &known));
	if (!bulla_equal(known, token->login_name))
		return bulla_fail(call, BULLA_E_INVALID, "client identity during renewal not matching client identity used during login");
	return BULLA_OK;
}

static enum bulla_err renew(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
			    const struct bulla_token *token, struct bulla_token_params *params)
{
	struct bulla_cert_entry entry;

	if (token->login_name.len < 2 * HASH_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "cannot validate renewal for cert auth for non-stored client certificate");
	struct bulla_bytes name = bulla_mem(token->login_name.ptr + 2 * HASH_BYTES, token->login_name.len - 2 * HASH_BYTES);
	enum bulla_err err = cert_get(auth, call, mount, name, &entry);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "the certificate's entry does not exist any more");
	TRY(err);
	if (!same_policies(&entry.params.values, token))
		return bulla_fail(call, BULLA_E_INVALID, "policies have changed, not renewing");
	TRY(check_binding(auth, call, mount, token, name));
	*params = entry.params.values;
	return BULLA_OK;
}

static const char *const documents[] = { CERT_ENTRY, CERT_CONFIG, NULL };

const struct auth_method auth_cert = { .kind = BULLA_MOUNT_CERT, .documents = documents, .renew = renew };
