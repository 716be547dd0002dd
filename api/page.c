/* page.c: owns the page at /: plain HTML, no script. Whatever a caller sent is escaped; the policy in http.c lets nothing run anyway. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "binding.h"
#include "view.h"

const char view_style[] =
	"body{font-family:sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}"
	"table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc}"
	"label{display:block;margin:.5rem 0}.error{color:#a00}";

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Cards</title>"
	"<link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body>\n<h1>Cards</h1>\n";

static void escape(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		case '\'': fputs("&#39;", out); break;
		default: fputc(*text, out);
		}
	}
}

static void put_error(FILE *out, const char *field, const char *text)
{
	if (text != NULL)
		fprintf(out, "<p class=\"error\" id=\"%s-error\">%s %s</p>\n", field, field, text);
}

/* The key makes a form that is sent twice store one card. */
static void put_form(FILE *out)
{
	char key[CARD_ID_SIZE];

	binding_new_id(key);
	fprintf(out, "<form method=\"post\" action=\"/credit-cards/\" autocomplete=\"off\">\n"
		     "<input type=\"hidden\" name=\"idempotency_key\" value=\"%s\">\n"
		     "<label>Name <input name=\"name\" required maxlength=\"%d\"></label>\n"
		     "<label>Card number <input name=\"pan\" required inputmode=\"numeric\" pattern=\"[0-9]{%d,%d}\"></label>\n"
		     "<button>Add</button>\n</form>\n", key, NAME_MAX_CHARS, PAN_MIN_DIGITS, PAN_MAX_DIGITS);
}

static void put_cards(FILE *out, const struct card *cards, size_t count)
{
	fputs("<table id=\"cards\">\n<tr><th>Name</th><th>Brand</th><th>Last four</th><th>Key version</th></tr>\n", out);
	for (size_t i = 0; i < count; i++) {
		fputs("<tr><td>", out);
		escape(out, cards[i].name);
		fputs("</td><td>", out);
		escape(out, cards[i].brand);
		fputs("</td><td>", out);
		escape(out, cards[i].last_four);
		fprintf(out, "</td><td>%d</td></tr>\n", cards[i].key_version);
	}
	fputs("</table>\n", out);
}

char *view_page(const struct card *cards, size_t count, bool more, const char *error, const struct input_errors *errors)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	fputs(head, out);
	if (error != NULL)
		fprintf(out, "<p class=\"error\" id=\"error\">%s</p>\n", error);
	if (errors != NULL) {
		put_error(out, "body", errors->body);
		put_error(out, "name", errors->name);
		put_error(out, "pan", errors->pan);
		put_error(out, "idempotency_key", errors->key);
	}
	put_form(out);
	put_cards(out, cards, count);
	if (more)
		fprintf(out, "<p><a href=\"/?after=%lld\" rel=\"next\">more</a></p>\n", (long long)cards[count - 1].seq);
	fputs("</body>\n</html>\n", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
