/* transit_certificates.c: certificate requests by named keys, and their certificates. Any thread, one exchange at a time. */
#include "http/routes.h"

struct certificate_fields {
	unsigned set;
	int64_t version;
	struct bulla_bytes csr, chain;
};

static const struct field csr_fields[] = {
	FIELD_SET(struct certificate_fields, "version", version, FIELD_INT, set, 1),
	FIELD(struct certificate_fields, csr, FIELD_STRING),
	FIELD_END,
};

static const struct field chain_fields[] = {
	FIELD_SET(struct certificate_fields, "version", version, FIELD_INT, set, 1),
	FIELD_AS(struct certificate_fields, "certificate_chain", chain, FIELD_STRING),
	FIELD_END,
};

static void print(struct exchange *x, const char *type, const char *name, struct bulla_bytes text)
{
	json_open(x->data, '{');
	json_put_string(x->data, name, text);
	json_put_string(x->data, "name", x->params[0]);
	json_put_text(x->data, "type", type);
	json_close(x->data, '}');
}

static enum bulla_err sign_request(struct exchange *x)
{
	struct certificate_fields f = { 0 };
	struct bulla_bytes pem;
	const char *type;

	TRY(fields_bind(x->call, x->doc, csr_fields, true, &f));
	TRY(bulla_key_csr(x->engine, x->call, x->mount, x->params[0], f.set != 0 ? &f.version : NULL, f.csr, &type, &pem));
	print(x, type, "csr", pem);
	return BULLA_OK;
}

static enum bulla_err set_certificate(struct exchange *x)
{
	struct certificate_fields f = { 0 };
	const char *type;

	TRY(fields_bind(x->call, x->doc, chain_fields, true, &f));
	TRY(bulla_key_set_certificate(x->engine, x->call, x->mount, x->params[0], f.set != 0 ? &f.version : NULL, f.chain, &type));
	print(x, type, "certificate_chain", f.chain);
	return BULLA_OK;
}

const struct route transit_certificate_routes[] = {
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(POST), .pattern = "keys/{name}/csr", .fn = sign_request,
	  .flags = ROUTE_TOKEN | ROUTE_BLOCKS | ROUTE_COMPUTES, .need = BULLA_CAN_UPDATE, .fields = csr_fields, .doc = "sign-csr" },
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(POST), .pattern = "keys/{name}/set-certificate", .fn = set_certificate,
	  .flags = ROUTE_TOKEN | ROUTE_BLOCKS | ROUTE_COMPUTES, .need = BULLA_CAN_UPDATE, .fields = chain_fields, .doc = "set-certificate" },
	{ .fn = NULL },
};
