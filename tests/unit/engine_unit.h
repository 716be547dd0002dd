/* engine_unit.h: a whole engine in memory, initialised and open under a static seal, with its root token as the caller. */
#ifndef TESTS_ENGINE_UNIT_H
#define TESTS_ENGINE_UNIT_H

#include <stdio.h>

#include "unit.h"

#include "bulla.h"
#include "base/rcu.h"

static const char static_key[33] = "0123456789abcdef0123456789abcdef";
static struct bulla *engine;
static struct bulla_call call;
static char root_token[32];

static inline struct bulla_config config_static(void)
{
	return (struct bulla_config){
		.seal = { .kind = BULLA_SEAL_STATIC, .key_id = bulla_str("k1"), .key = bulla_mem(static_key, 32) },
	};
}

/* A call of its own for text: call.token is whoever the text is; give it back with call_done. */
static inline struct bulla_call call_as(const char *text)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_authenticate(engine, &c, bulla_str(text)));
	return c;
}

static inline void call_done(struct bulla_call *c)
{
	bulla_token_put(c->token);
	call_end(c);
}

static inline void engine_setup(void)
{
	struct bulla_config config = config_static();
	const struct bulla_init_args args = { 0 };
	struct bulla_init_result result;

	call = call_begin();
	ck_assert_ok(bulla_open(&config, &call, &engine));
	ck_assert_ok(bulla_init(engine, &call, &args, &result));
	ck_assert_uint_lt(result.root_token.len, sizeof root_token);
	memset(root_token, 0, sizeof root_token);
	memcpy(root_token, result.root_token.ptr, result.root_token.len);
	ck_assert_ok(bulla_authenticate(engine, &call, result.root_token));
}

static inline void engine_teardown(void)
{
	call_done(&call);
	bulla_close(engine);
	rcu_drain();
	ck_assert_uint_eq(bulla_secret_in_use(), 0);
	bulla_clock_replace(NULL, NULL);
}

/* Drops what an expected failure said, so that the next one is read. */
#define ck_assert_fails(expr, err_, text_)                              \
	do {                                                            \
		ck_assert_err((expr), (err_));                          \
		ck_assert_bytes(bulla_call_text(&call, (err_)), (text_)); \
		call.detail = (struct bulla_bytes){ 0 };                \
	} while (0)

#endif
