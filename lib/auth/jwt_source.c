/* jwt_source.c: where the keys that sign tokens come from: texts of the configuration, a key set at a URL, or an OpenID issuer's (jwt_sets.c
 * keeps those). Workers, and the threads that fetch. */
#include "auth/jwt_sets.h"
#include "bulla/clock.h"
#include "bulla/fetch.h"

#define MAX_SET_BYTES (1u << 20)
#define FETCH_TIMEOUT_MS 2000 /* for all of it: an issuer's document and its key set */

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

void jwt_source_forget(struct auth *auth, const uint8_t uuid[16])
{
	jwt_sets_forget(auth->jwt_sets, uuid);
}

void jwt_source_forget_all(struct auth *auth)
{
	jwt_sets_forget(auth->jwt_sets, NULL);
}

/* ---- fetching ------------------------------------------------------------------------------------------------------------------- */

/* What is fetched for one set, since a point of the machine's time. */
struct fetching {
	struct auth *auth;
	int64_t began_ns;
};

static enum bulla_err fetch(const struct fetching *f, struct bulla_call *call, struct bulla_bytes url, struct bulla_bytes ca,
			    struct bulla_bytes *out)
{
	struct auth *auth = f->auth;
	int64_t left_ms = FETCH_TIMEOUT_MS - (bulla_elapsed_ns() - f->began_ns) / 1000000;
	const struct bulla_fetch_args args = { .url = url, .ca_pem = ca, .max_bytes = MAX_SET_BYTES, .timeout_ms = (int)left_ms };

	if (auth->fetch == NULL)
		return bulla_fail(call, BULLA_E_FAILED, "this program fetches nothing");
	if (left_ms <= 0)
		return bulla_fail(call, BULLA_E_FAILED, "it took longer than %d ms", FETCH_TIMEOUT_MS);
	return auth->fetch(auth->fetch_context, call, &args, out);
}

/* The issuer's document names its key set (OpenID Connect Discovery 1.0 section 4), and itself, exactly as we call it. */
static enum bulla_err discover(const struct fetching *f, struct bulla_call *call, const struct bulla_jwt_config *config,
			       struct bulla_bytes *url)
{
	struct bulla_bytes issuer = config->oidc_discovery_url, base = issuer, text;
	struct json *document = NULL;

	if (base.len > 0 && base.ptr[base.len - 1] == '/')
		base.len--;
	struct bulla_bytes at = bulla_arena_printf(call->arena, "%.*s/.well-known/openid-configuration", PRINT(base));

	if (at.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(fetch(f, call, at, config->oidc_discovery_ca_pem, &text));
	if (json_parse(call, text.ptr, text.len, &document) != BULLA_OK)
		return bulla_fail(call, BULLA_E_FAILED, "failed to decode OIDC discovery document");
	if (!bulla_equal(jwt_text(document, "issuer"), issuer))
		return bulla_fail(call, BULLA_E_FAILED, "issuer did not match the returned issuer");
	*url = jwt_text(document, "jwks_uri");
	return url->len > 0 ? BULLA_OK : bulla_fail(call, BULLA_E_FAILED, "the discovery document names no jwks_uri");
}

enum bulla_err jwt_source_fetch(struct auth *auth, struct bulla_call *call, const struct bulla_jwt_config *config,
				struct jwt_keys *out)
{
	const struct fetching f = { auth, bulla_elapsed_ns() };
	struct bulla_bytes url = config->jwks_url, ca = config->jwks_ca_pem, text;
	struct jwt_keys keys = { 0 };

	if (config->oidc_discovery_url.len > 0) {
		ca = config->oidc_discovery_ca_pem;
		TRY(discover(&f, call, config, &url));
	}
	TRY(fetch(&f, call, url, ca, &text));
	enum bulla_err err = jwt_keys_add_set(call, &keys, text);

	if (err == BULLA_OK)
		*out = keys;
	else
		jwt_keys_clear(&keys);
	return err;
}

/* ---- verifying ------------------------------------------------------------------------------------------------------------------ */

static unsigned allowed_algs(const struct bulla_jwt_config *config)
{
	unsigned algs = 0;

	for (size_t i = 0; i < config->alg_count; i++)
		algs |= jwt_alg(config->algs[i]);
	return algs != 0 ? algs : JWT_ALL_ALGS;
}

static enum bulla_err refuse_unfetched(struct bulla_call *call, struct bulla_bytes why)
{
	return bulla_fail(call, BULLA_E_INVALID, "error validating token: error verifying token signature: fetching keys %.*s", PRINT(why));
}

/* Has the set fetched for a kid that it does not have, and waits for that, where it was not fetched lately anyway. */
static enum bulla_err fetch_for(struct auth *auth, struct bulla_call *call, struct jwt_set *set)
{
	struct bulla_bytes why;
	uint64_t number;

	switch (jwt_set_fetch(auth, set, &number)) {
	case JWT_FETCHES_TOO_MANY:
		return BULLA_E_BUSY;
	case JWT_FETCHED_LATELY:
		break;
	case JWT_FETCHING:
		TRY(jwt_set_wait(call, set, number));
		break;
	}
	return jwt_set_failed(call, set, &why) ? refuse_unfetched(call, why) : BULLA_OK;
}

/* By the keys that are there. *unknown: the token's kid is not among them, or there are none. */
static enum bulla_err verify_now(struct bulla_call *call, const struct bulla_jwt_config *config, struct bulla_bytes token,
				 struct jwt_set *set, const struct json **claims, bool *unknown)
{
	BULLA_CLEANUP(jwt_kept_put) struct jwt_kept *kept = NULL;

	TRY(bulla_work(call, BULLA_WORK_CPU));
	kept = jwt_set_keys(set);
	*unknown = kept == NULL;
	if (kept == NULL)
		return refuse_unfetched(call, bulla_str("failed just now"));
	return jwt_verify(call, jwt_kept_keys(kept), token, allowed_algs(config), claims, unknown);
}

static enum bulla_err verify_by_set(struct auth *auth, struct bulla_call *call, const struct bulla_jwt_config *config,
				    struct bulla_bytes token, struct jwt_set *set, const struct json **claims)
{
	bool unknown = false;

	jwt_set_renew(auth, set);
	enum bulla_err err = verify_now(call, config, token, set, claims, &unknown);

	if (err != BULLA_E_INVALID || !unknown)
		return err;
	TRY(fetch_for(auth, call, set));
	return verify_now(call, config, token, set, claims, &unknown);
}

static enum bulla_err verify_by_texts(struct bulla_call *call, const struct bulla_jwt_config *config, struct bulla_bytes token,
				      const struct json **claims)
{
	BULLA_CLEANUP(jwt_keys_clear) struct jwt_keys keys = { 0 };

	TRY(bulla_work(call, BULLA_WORK_CPU));
	for (size_t i = 0; i < config->public_key_count; i++) {
		TRY(jwt_keys_add_pem(call, &keys, config->public_keys[i]));
		TRY(bulla_yield(call));
	}
	return jwt_verify(call, &keys, token, allowed_algs(config), claims, NULL);
}

enum bulla_err jwt_source_verify(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				 const struct bulla_jwt_config *config, struct bulla_bytes token, const struct json **claims)
{
	BULLA_CLEANUP(jwt_set_put) struct jwt_set *set = NULL;

	if (config->public_key_count > 0)
		return verify_by_texts(call, config, token, claims);
	TRY(jwt_set_take(auth->jwt_sets, mount->uuid, config, &set));
	return verify_by_set(auth, call, config, token, set, claims);
}
