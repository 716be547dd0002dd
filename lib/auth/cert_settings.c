/* cert_settings.c: entries and settings of auth/cert: checked, stored, read. Workers only. */
#include "auth/cert_method.h"
#include "auth/names.h"
#include "auth/params.h"
#include "bulla/clock.h"
#include "crypto/x509_client.h"

#define FORMAT 1
#define FORMAT_GIVEN 2 /* of an entry: with which lists were given; only where one of them is empty */
#define NAME_MAX 512

struct entry {
	struct record record;
	struct bulla_cert_entry public;
};

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

static void encode_entry(struct pack *pack, const void *record)
{
	const struct bulla_cert_entry *entry = &((const struct entry *)record)->public;
	uint32_t given = given_lists(entry);

	pack_u8(pack, given != 0 ? FORMAT_GIVEN : FORMAT);
	params_pack(pack, &entry->params);
	pack_bytes(pack, entry->certificate);
	pack_bytes(pack, entry->display_name);
	for (int i = 0; i < BULLA_CERT_LISTS; i++)
		pack_list(pack, entry->lists[i].items, entry->lists[i].count);
	if (given != 0)
		pack_u32(pack, given);
}

static enum bulla_err decode_entry(struct bulla_call *call, struct unpack *in, void *record)
{
	struct bulla_cert_entry *entry = &((struct entry *)record)->public;
	uint8_t format = unpack_u8(in);

	if (format != FORMAT && format != FORMAT_GIVEN)
		return BULLA_E_STORE_DAMAGED;
	TRY(params_unpack(call, in, &entry->params));
	entry->certificate = unpack_bytes(in);
	entry->display_name = unpack_bytes(in);
	for (int i = 0; i < BULLA_CERT_LISTS; i++)
		TRY(unpack_list(in, call->arena, &entry->lists[i].items, &entry->lists[i].count));
	uint32_t given = format == FORMAT_GIVEN ? unpack_u32(in) : 0;

	for (int i = 0; i < BULLA_CERT_LISTS; i++)
		entry->lists[i].given = entry->lists[i].count > 0 || (given & 1u << i) != 0;
	return BULLA_OK;
}

static const struct record_kind entries = { .name = CERT_ENTRY, .size = sizeof(struct entry), .cached = true, .encode = encode_entry,
					    .decode = decode_entry };

static enum bulla_err place(struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name, struct record_name *out)
{
	if (name.len > NAME_MAX)
		return bulla_fail(call, BULLA_E_INVALID, "a name is at most %d bytes long", NAME_MAX);
	*out = (struct record_name){ .kind = &entries, .scope = mount_scope(mount) };
	return lower_case(call, name, &out->item);
}

struct entry_wish {
	const struct bulla *engine;
	const struct bulla_mount *mount;
	const struct bulla_role_params_change *change;
	bulla_cert_merge *merge;
	const void *given;
};

static enum bulla_err change_entry(struct bulla_call *call, void *record, void *context)
{
	struct bulla_cert_entry *entry = &((struct entry *)record)->public;
	const struct entry_wish *wish = context;

	TRY(wish->merge(call, entry, wish->given));
	TRY(params_change(call, wish->change, &entry->params));
	TRY(warn_ttls(wish->engine, call, wish->mount, &entry->params.values));
	TRY(check_certificate(call, entry));
	TRY(check_extensions(call, entry));
	if (entry->display_name.len == 0)
		entry->display_name = ((struct entry *)record)->record.item;
	return BULLA_OK;
}

enum bulla_err bulla_cert_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
				const struct bulla_role_params_change *change, bulla_cert_merge *merge, const void *given)
{
	struct entry_wish wish = { engine, mount, change, merge, given };
	struct record_name at;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(place(call, mount, name, &at));
	return record_change(&engine->auth->records, call, &at, change_entry, &wish);
}

enum bulla_err cert_get(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			struct bulla_cert_entry *out)
{
	const struct record_name at = { &entries, mount_scope(mount), name };
	struct entry entry;

	TRY(record_get(&auth->records, call, &at, &entry));
	*out = entry.public;
	return BULLA_OK;
}

enum bulla_err bulla_cert_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			       struct bulla_bytes name, struct bulla_cert_entry *out)
{
	struct record_name at;
	struct entry entry;

	TRY(place(call, mount, name, &at));
	TRY(record_read(&engine->auth->records, call, &at, &entry));
	*out = entry.public;
	return BULLA_OK;
}

enum bulla_err bulla_cert_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				 struct bulla_bytes name)
{
	struct record_name at;

	TRY(place(call, mount, name, &at));
	return record_remove(&engine->auth->records, call, &at);
}

enum bulla_err cert_names(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes **names,
			  size_t *count)
{
	const struct document_name any = { .kind = CERT_ENTRY, .scope = mount_scope(mount) };

	return document_names(&auth->records.documents, call, &any, names, count);
}

enum bulla_err bulla_cert_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			       struct bulla_bytes **names, size_t *count)
{
	const struct record_name any = { .kind = &entries, .scope = mount_scope(mount) };

	return record_list(&engine->auth->records, call, &any, names, count);
}

/* ---- settings of the mount -------------------------------------------------------------------------------------------------------- */

struct settings {
	struct record record;
	struct bulla_cert_config public;
};

static void encode_settings(struct pack *pack, const void *record)
{
	pack_u8(pack, FORMAT);
	pack_u8(pack, ((const struct settings *)record)->public.disable_binding);
}

static enum bulla_err decode_settings(struct bulla_call *call, struct unpack *in, void *record)
{
	(void)call;
	if (unpack_u8(in) != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	((struct settings *)record)->public.disable_binding = unpack_u8(in);
	return BULLA_OK;
}

static const struct record_kind configs = { .name = CERT_CONFIG, .size = sizeof(struct settings), .replaced = true, .encode = encode_settings,
					    .decode = decode_settings };

static struct record_name settings_of(const struct bulla_mount *mount)
{
	return (struct record_name){ &configs, mount_scope(mount), bulla_str("config") };
}

enum bulla_err cert_config(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_cert_config *out)
{
	const struct record_name at = settings_of(mount);
	struct settings settings = { 0 };
	enum bulla_err err = record_read(&auth->records, call, &at, &settings);

	if (err == BULLA_OK || err == BULLA_E_NOT_FOUND)
		*out = settings.public;
	return err == BULLA_E_NOT_FOUND ? BULLA_OK : err;
}

enum bulla_err bulla_cert_config_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				      struct bulla_cert_config *out)
{
	return cert_config(engine->auth, call, mount, out);
}

static enum bulla_err replace(struct bulla_call *call, void *record, void *context)
{
	(void)call;
	((struct settings *)record)->public = *(const struct bulla_cert_config *)context;
	return BULLA_OK;
}

enum bulla_err bulla_cert_config_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				       const struct bulla_cert_config *config)
{
	const struct record_name at = settings_of(mount);
	struct bulla_cert_config given = *config;

	return record_change(&engine->auth->records, call, &at, replace, &given);
}
