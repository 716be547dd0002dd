/* audit_config.c: the blocks audit TYPE NAME of the configuration file. One thread, at start and at SIGHUP. */
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

static enum bulla_err read_options(struct config_reader *r, const struct hcl *block, struct bulla_audit_spec *spec)
{
	size_t count = 0;

	for (const struct hcl *h = block->first; h != NULL; h = h->next)
		count++;
	struct bulla_pair *options = bulla_arena_alloc(r->call->arena, count * sizeof *options);

	if (options == NULL)
		return BULLA_E_NO_MEMORY;
	for (const struct hcl *h = block->first; h != NULL; h = h->next) {
		const char *text = option_text(h);

		if (text == NULL)
			return setting_fail(r->call, r->file, h, "option \"%s\" must be a string", h->name);
		for (size_t i = 0; i < spec->option_count; i++)
			if (bulla_is(options[i].key, h->name))
				return setting_fail(r->call, r->file, h, "option \"%s\" is given twice", h->name);
		options[spec->option_count++] = (struct bulla_pair){ bulla_str(h->name), bulla_str(text) };
	}
	spec->options = options;
	return BULLA_OK;
}

/* Moves the block "options" (HCL: also an object) out of the list, so that what is left are settings. */
static struct hcl *take_options(struct hcl *block)
{
	for (struct hcl **at = &block->first; *at != NULL; at = &(*at)->next)
		if ((*at)->kind == HCL_BLOCK && strcmp((*at)->name, "options") == 0) {
			struct hcl *options = *at;

			*at = options->next;
			return options;
		}
	return NULL;
}

/* audit "file" "main" { description = "..."  options { file_path = "..." } } */
enum bulla_err audit_config_read(struct config_reader *r, struct hcl *block)
{
	struct audit_texts texts = { .type = block->label, .path = block->label2 };
	const struct hcl *options = take_options(block);

	if (r->config->audit_count == MAX_AUDIT_DEVICES)
		return setting_fail(r->call, r->file, block, "more than %d audit devices", MAX_AUDIT_DEVICES);
	TRY(settings_bind(r->call, r->file, block, audit_settings, &texts));
	if (texts.type == NULL || texts.path == NULL)
		return setting_fail(r->call, r->file, block, "an audit device needs a type and a path: audit \"file\" \"main\" { ... }");
	struct bulla_audit_spec *spec = &r->config->audit[r->config->audit_count++];

	*spec = (struct bulla_audit_spec){ .type = bulla_str(texts.type), .path = bulla_str(texts.path), .local = texts.local,
					   .description = bulla_str(texts.description) };
	for (size_t i = 0; i + 1 < r->config->audit_count; i++)
		if (bulla_equal(r->config->audit[i].path, spec->path))
			return setting_fail(r->call, r->file, block, "two audit devices at \"%s\"", texts.path);
	return options == NULL ? BULLA_OK : read_options(r, options, spec);
}
