/* engine_follow.c: which parts follow what other nodes change (state/follow.h), and how often. */
#include "engine_private.h"

enum bulla_err engine_follow_init(struct engine *engine)
{
	const struct bulla *parts = &engine->parts;

	TRY(follow_init(&engine->follow, parts->store, parts->seal));
	engine->follows = true;
	TRY(keyring_follow(parts->keyring, &engine->follow));
	TRY(mounts_follow(parts->mounts, &engine->follow));
	TRY(access_follow(parts->access, &engine->follow));
	TRY(auth_follow(parts->auth, &engine->follow));
	return audit_follow(parts->audit, &engine->follow);
}

void engine_follow_end(struct engine *engine)
{
	if (engine->follows)
		follow_end(&engine->follow);
}

enum bulla_err engine_follow(struct bulla *engine, struct bulla_call *call)
{
	int64_t asked_ns;

	return follow_run(&engine_of(engine)->follow, call, &asked_ns);
}
