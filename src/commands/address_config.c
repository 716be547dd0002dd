/* address_config.c: settings of the configuration file that are addresses and CIDR blocks. One thread, at start and at SIGHUP. */
#include "commands/config_reader.h"

/* Without the blanks around it, as the peers. */
static struct bulla_bytes trimmed(const char *text, size_t len)
{
	while (len > 0 && *text == ' ')
		text++, len--;
	while (len > 0 && text[len - 1] == ' ')
		len--;
	return bulla_mem(text, len);
}

/* Adds what stands in text between commas. */
static bool add(struct config_reader *r, const struct hcl *at, const char *name, struct bulla_bytes *items, size_t *count)
{
	const char *text = at->kind == HCL_STRING ? at->text : "";

	for (;;) {
		size_t len = strcspn(text, ",");

		items[*count] = bulla_arena_copy(r->findings.call->arena, trimmed(text, len));
		if (items[*count].ptr == NULL)
			return findings_no_memory(&r->findings);
		if (bulla_cidr_check(r->findings.call, items[*count]) != BULLA_OK)
			return setting_fail(&r->findings, at, "\"%s\" must be addresses or CIDR blocks, in a list or with commas between",
					    name);
		++*count;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

/* At most so many. */
static size_t most(const struct hcl *at)
{
	size_t count = 1;

	for (const char *c = at->kind == HCL_STRING ? at->text : ""; *c != '\0'; c++)
		count += *c == ',';
	for (const struct hcl *h = at->kind == HCL_LIST ? at->first : NULL; h != NULL; h = h->next)
		count += most(h);
	return count;
}

bool address_config_read(struct config_reader *r, const struct hcl *at, const struct bulla_bytes **out, size_t *count)
{
	if (at == NULL)
		return true;
	struct bulla_bytes *items = bulla_arena_alloc(r->findings.call->arena, most(at) * sizeof *items);

	if (items == NULL)
		return findings_no_memory(&r->findings);
	*out = items;
	*count = 0;
	if (at->kind != HCL_LIST)
		return add(r, at, at->name, items, count);
	for (const struct hcl *h = at->first; h != NULL; h = h->next)
		if (!add(r, h, at->name, items, count))
			return false;
	return true;
}
