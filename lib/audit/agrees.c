/* agrees.c: whether the configuration has a device as it was made, as the peer demands it; and what to do where it has not. Any thread. */
#include "audit/audit_private.h"

/* A value in quotes, for the message below; ptr NULL: it was not given. */
static struct bulla_bytes shown(struct bulla_call *call, struct bulla_bytes value)
{
	return value.ptr == NULL ? bulla_str("not given") : bulla_arena_quote(call->arena, value);
}

/* what: now in the configuration, then when the device was made. The text tells both, and both ways out. */
static enum bulla_err contradicts(struct bulla_call *call, const struct bulla_audit_spec *made, struct bulla_bytes what,
				  struct bulla_bytes now, struct bulla_bytes then)
{
	struct bulla_bytes path = made->path, type = made->type, is = shown(call, now), was = shown(call, then);

	return bulla_fail(call, BULLA_E_CONFIG,
			  "audit device %.*s of this store was made with another %.*s: it is %.*s in the configuration, and was %.*s. A device "
			  "cannot be changed. To go on with its log, put what was back into the block audit \"%.*s\" \"%.*s\"; to begin a "
			  "new log, give the block another name: %.*s is then disabled, and its log stays where it is",
			  (int)path.len, (const char *)path.ptr, (int)what.len, (const char *)what.ptr, (int)is.len, (const char *)is.ptr,
			  (int)was.len, (const char *)was.ptr, (int)type.len, (const char *)type.ptr, (int)path.len - 1,
			  (const char *)path.ptr, (int)path.len, (const char *)path.ptr);
}

static enum bulla_err compare_options(struct bulla_call *call, const struct bulla_audit_spec *made, const struct bulla_audit_spec *spec)
{
	const struct bulla_pair *is = spec->options, *was = made->options, none = { 0 };
	const struct bulla_pair *is_end = is + spec->option_count, *was_end = was + made->option_count;

	while (is < is_end || was < was_end) { /* both are sorted */
		int order = is == is_end ? 1 : was == was_end ? -1 : bulla_compare(is->key, was->key);
		const struct bulla_pair *now = order <= 0 ? is++ : &none, *then = order >= 0 ? was++ : &none;

		if (order != 0 || !bulla_equal(now->value, then->value))
			return contradicts(call, made, order <= 0 ? now->key : then->key, now->value, then->value);
	}
	return BULLA_OK;
}

enum bulla_err spec_agrees(struct bulla_call *call, const struct bulla_audit_spec *made, bool from_config,
			   const struct bulla_audit_spec *spec)
{
	struct bulla_bytes path = spec->path;

	if (!from_config)
		return bulla_fail(call, BULLA_E_CONFIG,
				  "audit device %.*s of this store was made through the API, and is in the configuration too: take the block "
				  "out, or give it another name; or start without it, run bulla audit disable %.*s, and start again",
				  (int)path.len, (const char *)path.ptr, (int)path.len, (const char *)path.ptr);
	if (!bulla_equal(made->type, spec->type))
		return contradicts(call, made, bulla_str("type"), spec->type, made->type);
	if (!bulla_equal(made->description, spec->description))
		return contradicts(call, made, bulla_str("description"), spec->description, made->description);
	if (made->local != spec->local)
		return contradicts(call, made, bulla_str("local"), bulla_str(spec->local ? "true" : "false"),
				   bulla_str(spec->local ? "false" : "true"));
	return compare_options(call, made, spec);
}
