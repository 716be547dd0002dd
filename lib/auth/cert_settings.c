/* cert_settings.c: entries and settings of auth/cert: checked, stored, read. Workers only. */
#include "auth/cert_method.h"
#include "auth/names.h"
#include "auth/params.h"
#include "bulla/clock.h"
#include "crypto/x509_client.h"

#define FORMAT 1
#define FORMAT_GIVEN 2 /* of an entry: with which lists were given; only where one of them is empty */
#define NAME_MAX 512

static struct document_name document(const char *kind, const struct bulla_mount *mount, struct bulla_bytes item)
{
	return (struct document_name){ .kind = kind, .scope = mount_scope(mount), .item = item };
}

static enum bulla_err entry_name(struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
				 struct document_name *out)
{
	struct bulla_bytes lowered;

	if (name.len > NAME_MAX)
		return bulla_fail(call, BULLA_E_INVALID, "a name is at most %d bytes long", NAME_MAX);
	TRY(lower_case(call, name, &lowered));
	*out = document(CERT_ENTRY, mount, lowered);
	return BULLA_OK;
}

/* ---- entries -------------------------------------------------------------------------------------------------------------------- */

static enum bulla_err warn_ttls(const struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				const struct bulla_token_params *p)
{
	int64_t default_s, max_s;

	bulla_lease_defaults(engine, &default_s, &max_s);
	if (mount->default_lease_ttl_s > 0)
		default_s = mount->default_lease_ttl_s;
	if (mount->max_lease_ttl_s > 0)
		max_s = mount->max_lease_ttl_s;
	if (p->ttl_s > default_s)
		TRY(bulla_warn(call, "Given ttl of %lld seconds is greater than current mount/system default of %lld seconds",
			       (long long)p->ttl_s, (long long)default_s));
	if (p->max_ttl_s > max_s)
		TRY(bulla_warn(call, "Given max_ttl of %lld seconds is greater than current mount/system default of %lld seconds",
			       (long long)p->max_ttl_s, (long long)max_s));
	if (p->max_ttl_s != 0 && p->ttl_s > p->max_ttl_s)
		return bulla_fail(call, BULLA_E_INVALID, "ttl should be shorter than max_ttl");
	if (p->period_s > max_s)
		TRY(bulla_warn(call, "Given period of %lld seconds is greater than the backend's maximum TTL of %lld seconds",
			       (long long)p->period_s, (long long)max_s));
	return BULLA_OK;
}

static enum bulla_err check_certificate(struct bulla_call *call, const struct bulla_cert_entry *entry)
{
	struct x509_list certificates;
	struct x509_names names;
	enum bulla_err err = x509_pem_all(call, entry->certificate, &certificates);

	if (err == BULLA_OK)
		err = x509_names_read(call, certificates.items[0], &names);
	if (err == BULLA_E_BAD_FIELD)
		return bulla_fail(call, BULLA_E_INVALID, "failed to parse certificate");
	TRY(err);
	if (!names.is_ca && !names.for_clients)
		return bulla_fail(call, BULLA_E_INVALID,
				  "nonCA certificates should have TLS client authentication set as an extended key usage");
	return BULLA_OK;
}

/* "1.2.3.4:value": the peer stops working at the first login where the colon is missing. */
static enum bulla_err check_extensions(struct bulla_call *call, const struct bulla_cert_entry *entry)
{
	for (size_t i = 0; i < entry->lists[BULLA_CERT_EXTENSIONS].count; i++) {
		struct bulla_bytes text = entry->lists[BULLA_CERT_EXTENSIONS].items[i];

		if (text.len == 0 || memchr(text.ptr, ':', text.len) == NULL)
			return bulla_fail(call, BULLA_E_INVALID, "required_extensions have the form \"oid:value\"");
	}
	return BULLA_OK;
}

/* A bit for each; 0: what is not empty tells it by itself. */
static uint32_t given_lists(const struct bulla_cert_entry *entry)
{
	uint32_t given = 0;

	for (int i = 0; i < BULLA_CERT_LISTS; i++)
		if (entry->lists[i].given && entry->lists[i].count == 0)
			given |= 1u << i;
	return given;
}

enum bulla_err bulla_cert_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, const struct bulla_role_params_change *change, struct bulla_cert_entry *entry)
{
	struct pack pack = { .arena = call->arena };
	struct document_name at;
	struct bulla_bytes value;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(entry_name(call, mount, name, &at));
	TRY(params_change(call, change, &entry->params));
	TRY(warn_ttls(engine, call, mount, &entry->params.values));
	TRY(check_certificate(call, entry));
	TRY(check_extensions(call, entry));
	uint32_t given = given_lists(entry);

	pack_u8(&pack, given != 0 ? FORMAT_GIVEN : FORMAT);
	params_pack(&pack, &entry->params);
	pack_bytes(&pack, entry->certificate);
	pack_bytes(&pack, entry->display_name.len > 0 ? entry->display_name : at.item);
	for (int i = 0; i < BULLA_CERT_LISTS; i++)
		pack_list(&pack, entry->lists[i].items, entry->lists[i].count);
	if (given != 0)
		pack_u32(&pack, given);
	TRY(pack_finish(&pack, &value));
	return document_put(&engine->auth->documents, call, &at, entry->revision, value);
}

enum bulla_err cert_get(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			struct bulla_cert_entry *out)
{
	struct document_name at = document(CERT_ENTRY, mount, name);
	struct bulla_cert_entry entry = { 0 };
	struct document found;

	TRY(document_get(&auth->documents, call, &at, &found));
	struct unpack in = { .ptr = found.value.ptr, .left = found.value.len };

	uint8_t format = unpack_u8(&in);

	if (format != FORMAT && format != FORMAT_GIVEN)
		return BULLA_E_STORE_DAMAGED;
	TRY(params_unpack(call, &in, &entry.params));
	entry.certificate = unpack_bytes(&in);
	entry.display_name = unpack_bytes(&in);
	for (int i = 0; i < BULLA_CERT_LISTS; i++)
		TRY(unpack_list(&in, call->arena, &entry.lists[i].items, &entry.lists[i].count));
	uint32_t given = format == FORMAT_GIVEN ? unpack_u32(&in) : 0;

	TRY(unpack_finish(&in));
	for (int i = 0; i < BULLA_CERT_LISTS; i++)
		entry.lists[i].given = entry.lists[i].count > 0 || (given & 1u << i) != 0;
	entry.revision = found.revision;
	*out = entry;
	return BULLA_OK;
}

enum bulla_err bulla_cert_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			       struct bulla_bytes name, struct bulla_cert_entry *out)
{
	struct document_name at;

	TRY(entry_name(call, mount, name, &at));
	return cert_get(engine->auth, call, mount, at.item, out);
}

enum bulla_err bulla_cert_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				 struct bulla_bytes name)
{
	struct document_name at;

	TRY(entry_name(call, mount, name, &at));
	return document_remove(&engine->auth->documents, call, &at, STORE_ANY_REVISION);
}

enum bulla_err cert_names(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes **names,
			  size_t *count)
{
	struct document_name any = document(CERT_ENTRY, mount, (struct bulla_bytes){ 0 });

	return document_names(&auth->documents, call, &any, names, count);
}

enum bulla_err bulla_cert_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			       struct bulla_bytes **names, size_t *count)
{
	struct document_name any = document(CERT_ENTRY, mount, (struct bulla_bytes){ 0 });

	return document_list(&engine->auth->documents, call, &any, names, count);
}

/* ---- settings of the mount -------------------------------------------------------------------------------------------------------- */

enum bulla_err cert_config(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_cert_config *out)
{
	struct document_name name = document(CERT_CONFIG, mount, bulla_str("config"));
	struct document found;
	enum bulla_err err = document_get(&auth->documents, call, &name, &found);

	*out = (struct bulla_cert_config){ 0 };
	if (err == BULLA_E_NOT_FOUND)
		return BULLA_OK;
	TRY(err);
	if (found.value.len != 2 || found.value.ptr[0] != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	out->disable_binding = found.value.ptr[1];
	return BULLA_OK;
}

enum bulla_err bulla_cert_config_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				      struct bulla_cert_config *out)
{
	return cert_config(engine->auth, call, mount, out);
}

enum bulla_err bulla_cert_config_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				       const struct bulla_cert_config *config)
{
	struct document_name name = document(CERT_CONFIG, mount, bulla_str("config"));
	const uint8_t value[2] = { FORMAT, config->disable_binding };
	struct document found = { 0 };
	enum bulla_err err = document_get(&engine->auth->documents, call, &name, &found);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	return document_put(&engine->auth->documents, call, &name, found.revision, bulla_mem(value, sizeof value));
}
