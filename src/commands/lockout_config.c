/* lockout_config.c: see lockout_config.h. */
#include "commands/lockout_config.h"

#include <strings.h>

static const struct setting settings[] = {
	{ "lockout_threshold", SETTING_COUNT, offsetof(struct lockout_block, threshold), NULL },
	{ "lockout_duration", SETTING_SECONDS, offsetof(struct lockout_block, duration_s), NULL },
	{ "lockout_counter_reset", SETTING_SECONDS, offsetof(struct lockout_block, reset_s), NULL },
	{ "disable_lockout", SETTING_BOOL, offsetof(struct lockout_block, disabled), NULL },
	{ 0 },
};

static struct lockout_block *find(struct lockout_config *config, const char *label)
{
	const struct {
		const char *name;
		struct lockout_block *block;
	} blocks[] = { { "all", &config->all }, { "userpass", &config->userpass }, { "approle", &config->approle } };

	for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
		if (label != NULL && strcasecmp(label, blocks[i].name) == 0)
			return blocks[i].block;
	return NULL;
}

bool lockout_config_read(struct config_findings *findings, const struct hcl *block, struct lockout_config *config)
{
	struct lockout_block *own = find(config, block->label);

	if (block->label != NULL && strcasecmp(block->label, "ldap") == 0) {
		setting_warn(findings, block, "user_lockout \"ldap\" does nothing here: there is no such method");
		return true;
	}
	if (own == NULL)
		return setting_fail(findings, block, "unknown user_lockout: \"all\", \"userpass\" and \"approle\" are known");
	if (own->file != NULL && own->file == findings->file)
		return setting_fail(findings, block, "a second user_lockout \"%s\"", block->label);
	*own = (struct lockout_block){ .file = findings->file };
	for (const struct hcl *h = block->first; h != NULL; h = h->next)
		own->disabled_set = own->disabled_set || strcasecmp(h->name, "disable_lockout") == 0;
	return settings_bind(findings, NULL, block, settings, own);
}

static void apply(const struct lockout_block *block, struct bulla_lockout_rule *rule)
{
	if (block->threshold != 0)
		rule->threshold = block->threshold;
	if (block->duration_s != 0)
		rule->duration_s = block->duration_s;
	if (block->reset_s != 0)
		rule->reset_s = block->reset_s;
	if (block->disabled_set)
		rule->disabled = block->disabled;
}

struct bulla_lockout_rule lockout_config_rule(const struct lockout_config *config, const struct lockout_block *own)
{
	struct bulla_lockout_rule rule = BULLA_LOCKOUT_DEFAULT;

	apply(&config->all, &rule);
	apply(own, &rule);
	return rule;
}
