/* jwt_claims.c: what a JSON Web Token that was verified says (RFC 7519 section 4), against what is expected of it. Any thread. */
#include <stdlib.h>

#include "auth/jwt.h"
#include "base/glob.h"

#define DEFAULT_LEEWAY_S 150
#define DEFAULT_SKEW_S 60
#define LATEST_S INT64_C(253402300799) /* the year 9999: what is later was not meant */

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

struct bulla_bytes jwt_text(const struct json *object, const char *name)
{
	const struct json *value = json_get(object, name);

	return value != NULL && value->type == JSON_STRING ? value->text : (struct bulla_bytes){ 0 };
}

/* ---- registered claims ------------------------------------------------------------------------------------------------------- */

/* NumericDate: seconds, perhaps with a fraction, which is cut off; 0: not there. */
static enum bulla_err read_date(struct bulla_call *call, const struct json *claims, const char *name, int64_t *out)
{
	const struct json *value = json_get(claims, name);
	char text[40];

	*out = 0;
	if (value == NULL || value->type == JSON_NULL)
		return BULLA_OK;
	if (value->type != JSON_NUMBER || value->text.len >= sizeof text)
		return bulla_fail(call, BULLA_E_INVALID, "invalid %s claim: it is no number of seconds", name);
	memcpy(text, value->text.ptr, value->text.len);
	text[value->text.len] = 0;
	double seconds = strtod(text, NULL);

	if (!(seconds >= 0 && seconds <= (double)LATEST_S))
		return bulla_fail(call, BULLA_E_INVALID, "invalid %s claim: it is no time", name);
	*out = (int64_t)seconds;
	return BULLA_OK;
}

static int64_t leeway(int64_t wanted_s, int64_t otherwise_s)
{
	return wanted_s == 0 ? otherwise_s : wanted_s < 0 ? 0 : wanted_s;
}

/* What is missing is made from the other two, as the peer does it. */
static enum bulla_err check_times(struct bulla_call *call, const struct json *claims, const struct jwt_expected *e, int64_t now_s)
{
	int64_t issued, expiry, not_before, skew = leeway(e->clock_skew_leeway_s, DEFAULT_SKEW_S);

	TRY(read_date(call, claims, "iat", &issued));
	TRY(read_date(call, claims, "exp", &expiry));
	TRY(read_date(call, claims, "nbf", &not_before));
	if (issued == 0 && expiry == 0 && not_before == 0)
		return bulla_fail(call, BULLA_E_INVALID,
				  "no issued at (iat), not before (nbf), or expiration time (exp) claims in token");
	if (expiry == 0)
		expiry = (not_before > issued ? not_before : issued) + leeway(e->expiration_leeway_s, DEFAULT_LEEWAY_S);
	if (not_before == 0)
		not_before = issued != 0 ? issued : expiry - leeway(e->not_before_leeway_s, DEFAULT_LEEWAY_S);
	if (now_s + skew < not_before)
		return bulla_fail(call, BULLA_E_INVALID, "invalid not before (nbf) claim: token not yet valid");
	if (now_s - skew > expiry)
		return bulla_fail(call, BULLA_E_INVALID, "invalid expiration time (exp) claim: token is expired");
	if (now_s + skew < issued)
		return bulla_fail(call, BULLA_E_INVALID, "invalid issued at (iat) claim: token issued in the future");
	return BULLA_OK;
}

static bool is_among(const struct bulla_bytes *list, size_t count, const struct json *value)
{
	for (size_t i = 0; value->type == JSON_STRING && i < count; i++)
		if (bulla_equal(list[i], value->text))
			return true;
	return false;
}

/* aud is one text or a list of them. Without expected audiences there must be none: the token was made for somebody else. */
static enum bulla_err check_audience(struct bulla_call *call, const struct json *claims, const struct jwt_expected *e)
{
	const struct json *aud = json_get(claims, "aud");
	const struct json *first = aud != NULL && aud->type == JSON_ARRAY ? aud->first : aud;
	bool several = aud != NULL && aud->type == JSON_ARRAY, good = false;

	for (const struct json *v = first; !good && v != NULL; v = several ? v->next : NULL)
		good = is_among(e->audiences, e->audience_count, v);
	if (e->audience_count > 0)
		return good ? BULLA_OK
			    : bulla_fail(call, BULLA_E_INVALID,
					 "invalid audience (aud) claim: audience claim does not match any expected audience");
	return BULLA_OK;
}

/* What is to be a text is one, as the peer says it. */
static enum bulla_err check_text(struct bulla_call *call, const struct json *claims, const char *name)
{
	static const char *const types[] = { [JSON_BOOL] = "bool", [JSON_NUMBER] = "number", [JSON_ARRAY] = "array",
					     [JSON_OBJECT] = "object" };
	const struct json *value = json_get(claims, name);

	if (value == NULL || value->type == JSON_NULL || value->type == JSON_STRING)
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "json: cannot unmarshal %s into Go struct field Claims.%s of type string",
			  types[value->type], name);
}

enum bulla_err jwt_expect(struct bulla_call *call, const struct json *claims, const struct jwt_expected *e, int64_t now_s)
{
	TRY(check_text(call, claims, "iss"));
	TRY(check_text(call, claims, "sub"));
	if (e->issuer.len > 0 && !bulla_equal(e->issuer, jwt_text(claims, "iss")))
		return bulla_fail(call, BULLA_E_INVALID, "invalid issuer (iss) claim");
	if (e->subject.len > 0 && !bulla_equal(e->subject, jwt_text(claims, "sub")))
		return bulla_fail(call, BULLA_E_INVALID, "invalid subject (sub) claim");
	TRY(check_audience(call, claims, e));
	return check_times(call, claims, e, now_s);
}

/* ---- claims by name ----------------------------------------------------------------------------------------------------------- */

/* "~1" is '/', "~0" is '~' (RFC 6901 section 4). */
static struct bulla_bytes unescape(struct bulla_call *call, struct bulla_bytes token)
{
	uint8_t *out = bulla_arena_alloc(call->arena, token.len);
	size_t n = 0;

	for (size_t i = 0; out != NULL && i < token.len; i++) {
		bool escape = token.ptr[i] == '~' && i + 1 < token.len && (token.ptr[i + 1] == '0' || token.ptr[i + 1] == '1');

		out[n++] = !escape ? token.ptr[i] : token.ptr[++i] == '1' ? '/' : '~';
	}
	return bulla_mem(out, n);
}

static const struct json *member(const struct json *value, struct bulla_bytes name)
{
	const struct json *child = value->first;
	size_t index = 0;

	if (value->type == JSON_OBJECT) {
		while (child != NULL && !bulla_equal(child->name, name))
			child = child->next;
		return child;
	}
	if (value->type != JSON_ARRAY || name.len == 0 || name.len > 6)
		return NULL;
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] < '0' || name.ptr[i] > '9')
			return NULL;
		index = index * 10 + (size_t)(name.ptr[i] - '0');
	}
	while (child != NULL && index-- > 0)
		child = child->next;
	return child;
}

const struct json *jwt_claim(struct bulla_call *call, const struct json *claims, struct bulla_bytes name)
{
	const struct json *value = claims;

	if (name.len == 0 || name.ptr[0] != '/')
		return member(claims, name);
	while (value != NULL && name.len > 0) {
		const uint8_t *start = name.ptr + 1, *end = name.ptr + name.len;
		const uint8_t *slash = start < end ? memchr(start, '/', (size_t)(end - start)) : NULL;

		if (slash == NULL)
			slash = end;
		value = member(value, unescape(call, bulla_mem(start, (size_t)(slash - start))));
		name = bulla_mem(slash, (size_t)(end - slash));
	}
	return value;
}

/* ---- bound claims ------------------------------------------------------------------------------------------------------------- */

static bool is_single(const struct json *value)
{
	return value->type == JSON_STRING || value->type == JSON_BOOL || value->type == JSON_NUMBER;
}

static bool equal(const struct json *a, const struct json *b)
{
	if (a->type != b->type)
		return false;
	return a->type == JSON_BOOL ? a->boolean == b->boolean : is_single(a) && bulla_equal(a->text, b->text);
}

static bool one_fits(const struct json *expected, const struct json *actual, bool globs)
{
	if (!globs)
		return equal(expected, actual);
	return expected->type == JSON_STRING && actual->type == JSON_STRING && glob_match(expected->text, actual->text);
}

/* A single value is a list of one. */
static const struct json *first_of(const struct json *value)
{
	return value->type == JSON_ARRAY ? value->first : value;
}

static const struct json *next_of(const struct json *list, const struct json *value)
{
	return list->type == JSON_ARRAY ? value->next : NULL;
}

static bool any_fits(const struct json *expected, const struct json *actual, bool globs)
{
	for (const struct json *e = first_of(expected); e != NULL; e = next_of(expected, e))
		for (const struct json *a = first_of(actual); a != NULL; a = next_of(actual, a))
			if (one_fits(e, a, globs))
				return true;
	return false;
}

enum bulla_err jwt_check_bound(struct bulla_call *call, const struct json *claims, const struct json *bound, bool globs)
{
	if (bound == NULL)
		return BULLA_OK;
	for (const struct json *b = bound->first; b != NULL; b = b->next) {
		const struct json *actual = jwt_claim(call, claims, b->name);
		struct bulla_bytes name = bulla_arena_quote(call->arena, b->name);

		if (actual == NULL || actual->type == JSON_NULL)
			return bulla_fail(call, BULLA_E_INVALID, "error validating claims: claim %.*s is missing", PRINT(name));
		if (!is_single(actual) && actual->type != JSON_ARRAY)
			return bulla_fail(call, BULLA_E_INVALID,
					  "error validating claims: received claim is not a string, bool, int or list");
		if (!any_fits(b, actual, globs))
			return bulla_fail(call, BULLA_E_INVALID,
					  "error validating claims: claim %.*s does not match any associated bound claim values",
					  PRINT(name));
	}
	return BULLA_OK;
}
