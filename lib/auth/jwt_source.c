/* jwt_source.c: where the keys that sign tokens come from: texts of the configuration, a key set at a URL, or an OpenID issuer's.
 * Owns the sets that were fetched: one a mount, in memory only. Workers only; one fetch a mount at a time, and others go on. */
#include <pthread.h>
#include <stdlib.h>

#include "auth/jwt_method.h"
#include "bulla/clock.h"
#include "bulla/fetch.h"
#include "crypto/crypto.h"

#define MAX_SETS 64              /* mounts whose sets are kept; others fetch at each login */
#define MAX_SET_BYTES (1u << 20)
#define FETCH_TIMEOUT_MS 10000
#define KEPT_S 3600              /* a key that was withdrawn works no longer than this */
#define AGAIN_S 10               /* unknown kids do not make us a nuisance to the issuer */

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

/* Of the process alone: a set that was fetched dies with it. */
static int64_t now_s(void)
{
	return bulla_elapsed_ns() / INT64_C(1000000000);
}

struct jwt_set {
	uint8_t uuid[16];
	pthread_mutex_t lock; /* held over a fetch, and while its keys verify */
	unsigned users;       /* under jwt_sets.lock */
	bool gone;            /* forgotten: freed by its last user */
	int64_t fetched_s;    /* by now_s; 0: never */
	int64_t tried_s;      /* when it was last asked for, whether that helped or not */
	uint8_t source[SHA256_BYTES]; /* of the settings that it was fetched by */
	struct jwt_keys keys;
};

struct jwt_sets {
	pthread_mutex_t lock;
	size_t count;
	struct jwt_set *sets[MAX_SETS];
};

enum bulla_err jwt_sets_new(struct jwt_sets **out)
{
	struct jwt_sets *sets = calloc(1, sizeof *sets);

	if (sets == NULL)
		return BULLA_E_NO_MEMORY;
	pthread_mutex_init(&sets->lock, NULL);
	*out = sets;
	return BULLA_OK;
}

static void set_free(struct jwt_set *set)
{
	jwt_keys_clear(&set->keys);
	pthread_mutex_destroy(&set->lock);
	free(set);
}

/* With sets->lock. */
static void remove_at(struct jwt_sets *sets, size_t i)
{
	struct jwt_set *set = sets->sets[i];

	sets->sets[i] = sets->sets[--sets->count];
	set->gone = true;
	if (set->users == 0)
		set_free(set);
}

void jwt_source_forget(struct auth *auth, const uint8_t uuid[16])
{
	struct jwt_sets *sets = auth->jwt_sets;

	pthread_mutex_lock(&sets->lock);
	for (size_t i = sets->count; i-- > 0;)
		if (memcmp(sets->sets[i]->uuid, uuid, 16) == 0)
			remove_at(sets, i);
	pthread_mutex_unlock(&sets->lock);
}

void jwt_source_forget_all(struct auth *auth)
{
	struct jwt_sets *sets = auth->jwt_sets;

	pthread_mutex_lock(&sets->lock);
	while (sets->count > 0)
		remove_at(sets, sets->count - 1);
	pthread_mutex_unlock(&sets->lock);
}

void jwt_sets_free(struct jwt_sets *sets)
{
	if (sets == NULL)
		return;
	while (sets->count > 0)
		remove_at(sets, sets->count - 1);
	pthread_mutex_destroy(&sets->lock);
	free(sets);
}

/* With sets->lock. NULL: no memory. */
static struct jwt_set *find_or_make(struct jwt_sets *sets, const uint8_t uuid[16])
{
	for (size_t i = 0; i < sets->count; i++)
		if (memcmp(sets->sets[i]->uuid, uuid, 16) == 0)
			return sets->sets[i];
	struct jwt_set *set = calloc(1, sizeof *set);

	if (set == NULL)
		return NULL;
	memcpy(set->uuid, uuid, 16);
	pthread_mutex_init(&set->lock, NULL);
	set->gone = sets->count == MAX_SETS; /* there is no room to keep it */
	if (!set->gone)
		sets->sets[sets->count++] = set;
	return set;
}

/* Locked, for one user at a time; put_set gives it back. */
static enum bulla_err take_set(struct jwt_sets *sets, const uint8_t uuid[16], struct jwt_set **out)
{
	pthread_mutex_lock(&sets->lock);
	struct jwt_set *set = find_or_make(sets, uuid);

	if (set != NULL)
		set->users++;
	pthread_mutex_unlock(&sets->lock);
	if (set == NULL)
		return BULLA_E_NO_MEMORY;
	pthread_mutex_lock(&set->lock);
	*out = set;
	return BULLA_OK;
}

static void put_set(struct jwt_sets *sets, struct jwt_set *set)
{
	pthread_mutex_unlock(&set->lock);
	pthread_mutex_lock(&sets->lock);
	bool last = --set->users == 0 && set->gone;

	pthread_mutex_unlock(&sets->lock);
	if (last)
		set_free(set);
}

/* ---- fetching ------------------------------------------------------------------------------------------------------------------- */

static enum bulla_err fetch(struct auth *auth, struct bulla_call *call, struct bulla_bytes url, struct bulla_bytes ca,
			    struct bulla_bytes *out)
{
	const struct bulla_fetch_args args = { .url = url, .ca_pem = ca, .max_bytes = MAX_SET_BYTES,
					       .timeout_ms = FETCH_TIMEOUT_MS };

	if (auth->fetch == NULL)
		return bulla_fail(call, BULLA_E_FAILED, "this program fetches nothing");
	return auth->fetch(auth->fetch_context, call, &args, out);
}

/* The issuer's document names its key set (OpenID Connect Discovery 1.0 section 4), and itself, exactly as we call it. */
static enum bulla_err discover(struct auth *auth, struct bulla_call *call, const struct bulla_jwt_config *config,
			       struct bulla_bytes *url)
{
	struct bulla_bytes issuer = config->oidc_discovery_url, base = issuer, text;
	struct json *document = NULL;

	if (base.len > 0 && base.ptr[base.len - 1] == '/')
		base.len--;
	struct bulla_bytes at = bulla_arena_printf(call->arena, "%.*s/.well-known/openid-configuration", PRINT(base));

	if (at.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(fetch(auth, call, at, config->oidc_discovery_ca_pem, &text));
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
	struct bulla_bytes url = config->jwks_url, ca = config->jwks_ca_pem, text;
	struct jwt_keys keys = { 0 };

	if (config->oidc_discovery_url.len > 0) {
		ca = config->oidc_discovery_ca_pem;
		TRY(discover(auth, call, config, &url));
	}
	TRY(fetch(auth, call, url, ca, &text));
	enum bulla_err err = jwt_keys_add_set(call, &keys, text);

	if (err == BULLA_OK)
		*out = keys;
	else
		jwt_keys_clear(&keys);
	return err;
}

/* Who has read the settings before they were changed may fetch by them after: what he gets is not for others. */
static void begin_anew_for(struct jwt_set *set, const struct bulla_jwt_config *config)
{
	uint8_t out[SHA256_BYTES] = { 0 };
	const struct bulla_bytes parts[] = { config->jwks_url, config->jwks_ca_pem, config->oidc_discovery_url, config->oidc_discovery_ca_pem };

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		uint8_t key[SHA256_BYTES];

		memcpy(key, out, sizeof key);
		hmac_sha256(bulla_mem(key, sizeof key), parts[i], (struct bulla_bytes){ 0 }, out);
	}
	if (memcmp(out, set->source, sizeof out) == 0)
		return;
	memcpy(set->source, out, sizeof out);
	jwt_keys_clear(&set->keys);
	set->fetched_s = set->tried_s = 0;
}

/* ---- verifying ------------------------------------------------------------------------------------------------------------------ */

static unsigned allowed_algs(const struct bulla_jwt_config *config)
{
	unsigned algs = 0;

	for (size_t i = 0; i < config->alg_count; i++)
		algs |= jwt_alg(config->algs[i]);
	return algs != 0 ? algs : JWT_ALL_ALGS;
}

static enum bulla_err renew(struct auth *auth, struct bulla_call *call, const struct bulla_jwt_config *config, struct jwt_set *set)
{
	struct jwt_keys keys = { 0 };
	enum bulla_err err = jwt_source_fetch(auth, call, config, &keys);

	set->tried_s = now_s();
	if (err == BULLA_E_MUST_BLOCK || err == BULLA_E_NO_MEMORY)
		return err;
	if (err != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID, "error validating token: error verifying token signature: fetching keys %.*s",
				  PRINT(call->detail));
	jwt_keys_clear(&set->keys);
	set->keys = keys;
	set->fetched_s = set->tried_s;
	return BULLA_OK;
}

static enum bulla_err verify_by_set(struct auth *auth, struct bulla_call *call, const struct bulla_jwt_config *config,
				    struct bulla_bytes token, struct jwt_set *set, const struct json **claims)
{
	unsigned algs = allowed_algs(config);
	bool unknown = false;

	begin_anew_for(set, config);
	if (set->fetched_s == 0 || now_s() - set->fetched_s >= KEPT_S) {
		/* those who waited meanwhile would wait as long again, one after the other, for nothing */
		if (set->tried_s == now_s() && set->fetched_s != set->tried_s)
			return bulla_fail(call, BULLA_E_INVALID,
					  "error validating token: error verifying token signature: fetching keys failed just now");
		TRY(renew(auth, call, config, set));
	}
	enum bulla_err err = jwt_verify(call, &set->keys, token, algs, claims, &unknown);

	if (err != BULLA_E_INVALID || !unknown || now_s() - set->tried_s < AGAIN_S)
		return err;
	TRY(renew(auth, call, config, set));
	return jwt_verify(call, &set->keys, token, algs, claims, NULL);
}

static enum bulla_err verify_by_texts(struct bulla_call *call, const struct bulla_jwt_config *config, struct bulla_bytes token,
				      const struct json **claims)
{
	BULLA_CLEANUP(jwt_keys_clear) struct jwt_keys keys = { 0 };

	for (size_t i = 0; i < config->public_key_count; i++)
		TRY(jwt_keys_add_pem(call, &keys, config->public_keys[i]));
	return jwt_verify(call, &keys, token, allowed_algs(config), claims, NULL);
}

enum bulla_err jwt_source_verify(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				 const struct bulla_jwt_config *config, struct bulla_bytes token, const struct json **claims)
{
	struct jwt_set *set;

	if (config->public_key_count > 0)
		return verify_by_texts(call, config, token, claims);
	TRY(take_set(auth->jwt_sets, mount->uuid, &set));
	enum bulla_err err = verify_by_set(auth, call, config, token, set, claims);

	put_set(auth->jwt_sets, set);
	return err;
}
