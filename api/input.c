/* input.c: owns the rules for what a caller may send. Stateless: any thread. */
#include "input.h"

#include <jansson.h>
#include <string.h>

#include "pan.h"
#include "utf8.h"
#include "wipe.h"

static const char malformed[] = "is neither a JSON object nor a form with the fields name and pan, and no others";

/* Texts of the right size or none: an overlong one is kept out by its field's check, which sees the length. */
struct raw {
	char name[NAME_SIZE + 1], pan[PAN_SIZE + 1], key[KEY_SIZE + 1];
	bool has_name, has_pan, has_key;
	bool odd_name, odd_pan; /* there, and no text */
};

/* Copies what fits; what does not is cut to one byte more than is allowed, so that the check refuses it. */
static void keep(char *out, size_t size, const char *text, size_t len)
{
	size_t n = len < size ? len : size - 1;

	memcpy(out, text, n);
	out[n] = '\0';
}

static void keep_key(struct raw *raw, const char *text, size_t len)
{
	keep(raw->key, sizeof raw->key, text, len);
	raw->has_key = true;
}

static bool take_field(struct raw *raw, const char *field, const char *text, size_t len)
{
	if (memchr(text, '\0', len) != NULL)
		return false;
	if (strcmp(field, "name") == 0 && !raw->has_name) {
		keep(raw->name, sizeof raw->name, text, len);
		return raw->has_name = true;
	}
	if (strcmp(field, "pan") == 0 && !raw->has_pan) {
		keep(raw->pan, sizeof raw->pan, text, len);
		return raw->has_pan = true;
	}
	return false;
}

/* ---- JSON ---------------------------------------------------------------------- */

static bool take_member(struct raw *raw, const char *field, const json_t *value)
{
	if (json_is_string(value))
		return take_field(raw, field, json_string_value(value), json_string_length(value));
	raw->odd_name = raw->odd_name || strcmp(field, "name") == 0;
	raw->odd_pan = raw->odd_pan || strcmp(field, "pan") == 0;
	return strcmp(field, "name") == 0 || strcmp(field, "pan") == 0;
}

static bool read_json(const char *body, size_t len, struct raw *raw)
{
	json_t *document = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL), *value;
	bool good = json_is_object(document);
	const char *field;

	json_object_foreach(document, field, value)
		good = good && take_member(raw, field, value);
	json_decref(document);
	return good;
}

/* ---- forms (WHATWG URL, application/x-www-form-urlencoded) ---------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes one name or value. False: a % without two hex digits, or too long. */
static bool decode(const char *text, size_t len, char *out, size_t size, size_t *out_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++, n++) {
		if (n + 1 >= size)
			return false;
		if (text[i] != '%') {
			out[n] = text[i] == '+' ? ' ' : text[i];
			continue;
		}
		int high = i + 2 < len ? hex_digit(text[i + 1]) : -1, low = i + 2 < len ? hex_digit(text[i + 2]) : -1;

		if (high < 0 || low < 0)
			return false;
		out[n] = (char)(high * 16 + low);
		i += 2;
	}
	out[n] = '\0';
	*out_len = n;
	return true;
}

static bool take_form_field(struct raw *raw, const char *field, const char *value, size_t len)
{
	if (strcmp(field, "idempotency_key") != 0)
		return take_field(raw, field, value, len);
	if (raw->has_key || memchr(value, '\0', len) != NULL)
		return false;
	keep_key(raw, value, len);
	return true;
}

static bool take_pair(struct raw *raw, const char *pair, size_t len)
{
	const char *equals = memchr(pair, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - pair) : len, n;
	char field[32], value[2 * NAME_SIZE];
	bool good = equals != NULL && decode(pair, name_len, field, sizeof field, &n) &&
		    decode(equals + 1, len - name_len - 1, value, sizeof value, &n) && take_form_field(raw, field, value, n);

	wipe(field, sizeof field); /* whatever it is that came in the wrong place */
	wipe(value, sizeof value);
	return good;
}

static bool read_form(const char *body, size_t len, struct raw *raw)
{
	while (len > 0) {
		const char *amp = memchr(body, '&', len);
		size_t n = amp != NULL ? (size_t)(amp - body) : len;

		if (!take_pair(raw, body, n))
			return false;
		if (amp == NULL)
			return true;
		body += n + 1;
		len -= n + 1;
	}
	return true;
}

/* ---- checks -------------------------------------------------------------------- */

static const char not_text[] = "is not a text";

static const char *wrong_name(const struct raw *raw)
{
	size_t chars;

	if (raw->odd_name)
		return not_text;
	if (!raw->has_name || raw->name[strspn(raw->name, " ")] == '\0')
		return "is missing";
	if (!utf8_length(raw->name, &chars))
		return "is not UTF-8 without control characters";
	if (chars > NAME_MAX_CHARS)
		return "has more than 100 characters";
	/* it is stored in clear */
	return pan_looks_like(raw->name) ? "holds a card number" : NULL;
}

static const char *wrong_pan(const struct raw *raw)
{
	if (raw->odd_pan)
		return not_text;
	if (!raw->has_pan || raw->pan[0] == '\0')
		return "is missing";
	if (!pan_has_form(raw->pan))
		return "is not 12 to 19 digits";
	return pan_luhn(raw->pan) ? NULL : "is not a card number: the check digit is wrong";
}

static const char *wrong_key(const struct raw *raw)
{
	size_t n = strlen(raw->key);

	if (raw->has_key && n == 0)
		return "is empty";
	if (n >= KEY_SIZE)
		return "has more than 255 characters";
	for (size_t i = 0; i < n; i++)
		if (raw->key[i] < 0x21 || raw->key[i] > 0x7e)
			return "is not printable ASCII";
	return pan_is_in(raw->key, raw->pan) ? "holds the card number" : NULL;
}

static bool check(const struct raw *raw, struct input_errors *errors)
{
	errors->name = wrong_name(raw);
	errors->pan = wrong_pan(raw);
	errors->key = wrong_key(raw);
	return errors->name == NULL && errors->pan == NULL && errors->key == NULL;
}

enum card_err input_read(enum input_kind kind, const char *body, size_t len, const char *key, struct input *out,
			 struct input_errors *errors)
{
	struct raw raw = { 0 };
	bool good = kind == INPUT_JSON ? read_json(body, len, &raw) : read_form(body, len, &raw);

	*errors = (struct input_errors){ .body = good ? NULL : malformed };
	if (key != NULL)
		keep_key(&raw, key, strlen(key));
	good = good && check(&raw, errors);
	if (good) {
		memcpy(out->name, raw.name, sizeof out->name);
		memcpy(out->pan, raw.pan, sizeof out->pan);
		memcpy(out->key, raw.key, sizeof out->key);
	}
	wipe(&raw, sizeof raw);
	return good ? CARD_OK : CARD_E_INVALID;
}
