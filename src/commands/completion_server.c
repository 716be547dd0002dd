/* completion_server.c: what may stand in a line as the server tells it: paths, mounts, policies. One thread. */
#include "commands/cli.h"
#include "commands/completion.h"
#include "commands/output.h"

/* The answer's data, or NULL; borrowed of answer. */
static json_t *ask(struct cli *cli, const char *method, const char *target, struct cli_answer *answer)
{
	int status = cli_call(cli, "", method, target, NULL, answer);

	return status == CLI_GO_ON ? output_data(answer->doc) : NULL;
}

static void offer_members(const char *prefix, json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
		completion_offer(prefix, name);
}

/* "data.secret" or "data.auth" of what the token may see. */
static void offer_mounts(struct cli *cli, const char *kind, const char *prefix)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };

	offer_members(prefix, json_object_get(ask(cli, "GET", "/v1/sys/internal/ui/mounts", &answer), kind));
}

/* What a list of folder has, behind before. */
static void offer_keys(struct cli *cli, const char *folder, const char *before, const char *prefix)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	json_t *keys = json_object_get(ask(cli, "LIST", cli_target(cli, folder), &answer), "keys"), *key;
	size_t i;

	json_array_foreach(keys, i, key)
		if (json_is_string(key))
			completion_offer(prefix, cli_printf(cli, "%s%s", before, json_string_value(key)));
}

static void offer_paths(struct cli *cli, const char *prefix)
{
	const char *slash = strrchr(prefix, '/');

	if (slash == NULL) {
		offer_mounts(cli, "secret", prefix);
		return;
	}
	const char *folder = cli_printf(cli, "%.*s", (int)(slash + 1 - prefix), prefix);

	offer_keys(cli, folder, folder, prefix);
}

void completion_ask_server(struct cli *cli, enum completes kind, const char *prefix)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };

	switch (kind) {
	case COMPLETES_PATHS:
		offer_paths(cli, prefix);
		break;
	case COMPLETES_MOUNTS:
		offer_mounts(cli, "secret", prefix);
		break;
	case COMPLETES_AUTHS:
		offer_mounts(cli, "auth", prefix);
		break;
	case COMPLETES_POLICIES:
		offer_keys(cli, "sys/policies/acl", "", prefix);
		break;
	case COMPLETES_DEVICES:
		offer_members(prefix, ask(cli, "GET", "/v1/sys/audit", &answer));
		break;
	default:
		break;
	}
}
