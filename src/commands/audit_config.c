/* audit_config.c: the blocks audit TYPE NAME of the configuration file. One thread, at start and at SIGHUP. */
#include <strings.h>

#include "commands/config_reader.h"

struct audit_texts {
	const char *type, *path, *description;
	bool local;
};

static const struct setting audit_settings[] = {
	{ "type", SETTING_TEXT, offsetof(struct audit_texts, type), NULL },
	{ "path", SETTING_TEXT, offsetof(struct audit_texts, path), NULL },
	{ "description", SETTING_TEXT, offsetof(struct audit_texts, description), NULL },
	{ "local", SETTING_BOOL, offsetof(struct audit_texts, local), NULL },
	{ 0 },
};

/* An option's value: a string, or what can be written without quotes. */
static const char *option_text(const struct hcl *option)
{
	switch (option->kind) {
	case HCL_STRING:
	case HCL_NUMBER:
		return option->text;
	case HCL_BOOL:
		return option->boolean ? "true" : "false";
	default:
		return NULL;
	}
}

static bool read_options(struct config_reader *r, const struct hcl *block, struct bulla_audit_spec *spec)
{
	size_t count = 0;

	for (const struct hcl *h = block->first; h != NULL; h = h->next)
		count++;
	struct bulla_pair *options = bulla_arena_alloc(r->findings.call->arena, count * sizeof *options);

	if (options == NULL)
		return findings_no_memory(&r->findings);
	spec->options = options;
	bool good = true;

	for (const struct hcl *h = block->first; h != NULL; h = h->next) {
		const char *text = option_text(h);

		for (size_t i = 0; i < spec->option_count; i++)
			if (bulla_is(options[i].key, h->name))
				good = setting_fail(&r->findings, h, "option \"%s\" is given twice", h->name);
		if (text == NULL)
			good = setting_fail(&r->findings, h, "option \"%s\" must be a string", h->name);
		else
			options[spec->option_count++] = (struct bulla_pair){ bulla_str(h->name), bulla_str(text) };
	}
	return good;
}

/* Moves the block "options" (an object, or a list of one) out of the list, so that what is left are settings. */
static struct hcl *take_options(struct hcl *block)
{
	for (struct hcl **at = &block->first; *at != NULL; at = &(*at)->next) {
		struct hcl *options = *at;

		if (strcasecmp(options->name, "options") != 0)
			continue;
		if (options->kind == HCL_LIST && options->first != NULL && options->first->next == NULL)
			options = options->first;
		if (options->kind != HCL_BLOCK)
			return NULL;
		*at = (*at)->next;
		return options;
	}
	return NULL;
}

/* "main" and "main/" are one. */
static bool same_path(struct bulla_bytes a, struct bulla_bytes b)
{
	a.len -= a.len > 0 && a.ptr[a.len - 1] == '/';
	b.len -= b.len > 0 && b.ptr[b.len - 1] == '/';
	return bulla_equal(a, b);
}

static bool check_device(struct config_reader *r, const struct hcl *block, const struct bulla_audit_spec *spec)
{
	for (const struct bulla_audit_spec *other = r->config->audit; other < spec; other++)
		if (same_path(other->path, spec->path))
			return setting_fail(&r->findings, block, "two audit devices at \"%s\"", (const char *)spec->path.ptr);
	if (bulla_is(spec->type, "file") || bulla_is(spec->type, "syslog") || bulla_is(spec->type, "socket"))
		return true;
	return setting_fail(&r->findings, block, "unknown audit device: \"file\", \"syslog\" and \"socket\" are known");
}

/* audit "file" "main" { description = "..."  options { file_path = "..." } } */
bool audit_config_read(struct config_reader *r, struct hcl *block)
{
	struct audit_texts texts = { .type = block->label, .path = block->label2 };
	const struct hcl *options = take_options(block);

	if (r->config->audit_count == MAX_AUDIT_DEVICES)
		return setting_fail(&r->findings, block, "more than %d audit devices", MAX_AUDIT_DEVICES);
	bool good = settings_bind(&r->findings, NULL, block, audit_settings, &texts);

	if (texts.type == NULL || texts.path == NULL)
		return setting_fail(&r->findings, block, "an audit device needs a type and a path: audit \"file\" \"main\" { ... }");
	struct bulla_audit_spec *spec = &r->config->audit[r->config->audit_count++];

	*spec = (struct bulla_audit_spec){ .type = bulla_str(texts.type), .path = bulla_str(texts.path), .local = texts.local,
					   .description = bulla_str(texts.description) };
	good &= check_device(r, block, spec);
	return (options == NULL || read_options(r, options, spec)) && good;
}
