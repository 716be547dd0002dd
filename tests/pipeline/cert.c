/* auth/cert: what its entries refuse and keep, and who may log in. Over TLS: tests/e2e/test_cert.py. */
#include "pipeline.h"

#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
/* A client's certificate of the common name app, signed by itself, until 2126; and its PEM as a JSON text. */
#define DER64 "MIIBhDCCASugAwIBAgIUE5jDR0VlJouBHjMXEnlkM2c/H1EwCgYIKoZIzj0EAwIwDjEMMAoGA1UEAwwDYXBwMCAXDTI2MTEyMTIzMjQxMFoYDz" \
	"IxMjYxMDI4MjMyNDEwWjAOMQwwCgYDVQQDDANhcHAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATgIx+1WdaNPAMKkQdAsohcliCvjmCkAoXu" \
	"gj26OovxIiADc+Z/m95bzrTB4JbF2a9vrjFiUVuag9IoJiJwnwplo2UwYzAdBgNVHQ4EFgQU5RYiJ0hvNmPRRyP+h4tVG8p9PXQwHwYDVR0jBB" \
	"gwFoAU5RYiJ0hvNmPRRyP+h4tVG8p9PXQwEwYDVR0lBAwwCgYIKwYBBQUHAwIwDAYDVR0TAQH/BAIwADAKBggqhkjOPQQDAgNHADBEAiBV00Em" \
	"rlMjCfA45gnMzWNuUYhNurti8oIVW8ZNzM+5nAIgW/WBs6NOQhB/CIkl9GOKp+5i3yN3k9x+oUsjhpPwFVY="
#define PEM "-----BEGIN CERTIFICATE-----\\n" DER64 "\\n-----END CERTIFICATE-----\\n"
#define ENTRY(more) "{\"certificate\":\"" PEM "\"" more "}"

static const struct step refusals[] = {
	{ "POST sys/auth/cert", "{\"type\":\"cert\"}", .status = 204 },
	{ "LIST auth/cert/certs", .status = 404 }, { "GET auth/cert/certs/app", .status = 404 }, { "GET auth/cert/certs/app", .token = "", .status = 403 },
	{ "POST auth/cert/certs/app", "{}", .token = "", .status = 403 }, { "POST auth/cert/config", "{}", .token = "", .status = 403 },
	{ "POST auth/cert/certs/app", "{}", .status = 400, .expect = PLAIN("failed to parse certificate") },
	{ "POST auth/cert/certs/app", "{\"certificate\":\"x\"}", .status = 400, .expect = PLAIN("failed to parse certificate") },
	{ "POST auth/cert/certs/app", ENTRY(",\"ocsp_enabled\":true"), .status = 400, .expect = PLAIN("'ocsp_enabled' is not supported") },
	{ "POST auth/cert/certs/app", ENTRY(",\"required_extensions\":\"1.2.3\""), .status = 400 },
	{ "POST auth/cert/certs/app", ENTRY(",\"token_bound_cidrs\":\"x\""), .status = 400 },
	{ "POST auth/cert/login", "{}", .token = "", .status = 400, .expect = PLAIN("no client certificate found") },
	{ "POST auth/cert/login", "{}", .token = "", .client_certificate = DER64, .status = 400, .expect = PLAIN("invalid certificate or no client certificate supplied") },
	{ "POST auth/cert/login", "{}", .token = "", .client_certificate = "AAAA", .status = 400, .expect = PLAIN("invalid certificate or no client certificate supplied") },
	{ "GET auth/cert/certs/app", .status = 404 }, { "GET auth/cert/login", .status = 405 },
	{ NULL },
};

static const struct step life[] = {
	{ "POST sys/auth/cert", "{\"type\":\"cert\"}", .status = 204 },
	{ "GET auth/cert/config", .status = 200, .expect = "{\"data\":{\"disable_binding\":false}}" },
	{ "POST auth/cert/certs/App", ENTRY(",\"policies\":\"p\",\"ttl\":\"1h\",\"allowed_common_names\":[\"a*\"]"), .status = 204 },
	{ "GET auth/cert/certs/app", .status = 200,
	  .expect = "{\"data\":{\"allowed_common_names\":[\"a*\"],\"allowed_names\":null,\"display_name\":\"app\",\"policies\":[\"p\"],\"token_ttl\":3600,\"ttl\":3600}}" },
	{ "LIST auth/cert/certs", .status = 200, .expect = "{\"data\":{\"keys\":[\"app\"]}}" },
	{ "POST auth/cert/login", "{}", .token = "", .client_certificate = DER64, .status = 200, .save = "t=auth.client_token",
	  .expect = "{\"data\":null,\"auth\":{\"metadata\":{\"cert_name\":\"app\",\"common_name\":\"app\"},\"lease_duration\":3600}}" },
	{ "GET auth/token/lookup-self", .token = "$t", .status = 200, .expect = "{\"data\":{\"display_name\":\"cert-app\",\"path\":\"auth/cert/login\"}}" },
	{ "POST auth/token/renew-self", "{}", .token = "$t", .client_certificate = DER64, .status = 200 }, { "POST auth/token/renew-self", "{}", .token = "$t", .status = 500 },
	{ "POST auth/cert/config", "{\"disable_binding\":true}", .status = 204 }, { "GET auth/cert/config", .status = 200, .expect = "{\"data\":{\"disable_binding\":true}}" },
	{ "POST auth/token/renew-self", "{}", .token = "$t", .status = 200 },
	/* what was not given stays */
	{ "POST auth/cert/certs/app", "{\"allowed_common_names\":\"b\"}", .status = 204 },
	{ "GET auth/cert/certs/app", .status = 200, .expect = "{\"data\":{\"allowed_common_names\":[\"b\"],\"ttl\":3600}}" },
	{ "POST auth/cert/login", "{}", .token = "", .client_certificate = DER64, .status = 400, .expect = PLAIN("no chain matching all constraints could be found for this login certificate") },
	{ "POST auth/cert/certs/app", "{\"allowed_common_names\":\"\",\"token_bound_cidrs\":\"10.0.0.0/8\"}", .status = 204 },
	{ "POST auth/cert/login", "{}", .token = "", .client_certificate = DER64, .status = 403, .expect = PLAIN("permission denied") },
	{ "DELETE auth/cert/certs/app", .status = 204 }, { "DELETE auth/cert/certs/app", .status = 204 }, { "GET auth/cert/certs/app", .status = 404 },
	{ NULL },
};

START_TEST(run)
{
	static const struct step *const lists[] = { refusals, life };

	pipeline_begin();
	pipeline_run(lists[_i]);
	pipeline_end();
}
END_TEST

Suite *cert_suite(void)
{
	Suite *suite = suite_create("pipeline/cert");
	TCase *tc = tcase_create("cert");

	tcase_add_loop_test(tc, run, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
