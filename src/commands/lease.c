/* lease.c: lease lookup, renew and revoke. */
#include "commands/commands.h"
#include "commands/output.h"

/* The one lease that the line names; NULL: told on stderr. */
static const char *lease_of(const struct cli *cli)
{
	if (cli->argc == 1)
		return cli->argv[0];
	fputs("Missing ID!\n", stderr);
	return NULL;
}

static int send_lease(struct cli *cli, const char *what, const char *target, json_t *body)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	json_t *owned BULLA_CLEANUP(cli_json_clear) = body;
	int status = cli_call(cli, what, "PUT", target, owned, &answer);

	return status == CLI_GO_ON ? output_answer(cli, answer.doc) : status;
}

static int lease_lookup(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "lease lookup [options] ID",
		.about = "  Tells when a lease was given, and how long it lives.\n",
		.min_args = 0, .max_args = 1,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *id = lease_of(&cli);

	return id == NULL ? CLI_LOCAL_ERROR
			  : send_lease(&cli, cli_printf(&cli, "error looking up lease id %s", id), "/v1/sys/leases/lookup",
				       json_pack("{s:s}", "lease_id", id));
}

static int lease_renew(int argc, char **argv)
{
	int64_t increment_s = 0;
	const struct flag flags[] = {
		{ "increment", FLAG_DURATION, &increment_s, "How long it shall live from now on; the server decides. Also: -i." },
		{ "i", FLAG_DURATION, &increment_s, NULL },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "lease renew [options] ID",
		.about = "  Renews a lease.\n",
		.flags = flags, .min_args = 0, .max_args = 1,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *id = lease_of(&cli);

	return id == NULL ? CLI_LOCAL_ERROR
			  : send_lease(&cli, cli_printf(&cli, "Error renewing %s", id), "/v1/sys/leases/renew",
				       json_pack("{s:s, s:I}", "lease_id", id, "increment", (json_int_t)increment_s));
}

struct revoke_flags {
	bool force, prefix, sync;
};

static int revoke(struct cli *cli, const struct revoke_flags *f)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	const char *id = cli->argv[0], *kind = f->force ? "force revoking leases with prefix" : f->prefix ? "revoking leases with prefix"
													 : "revoking lease";
	if (f->prefix && strcmp(cli_target(cli, id), "/v1") == 0) { /* an empty variable of a script must not mean all of them */
		fputs("Missing prefix!\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	const char *target = f->prefix ? cli_printf(cli, "/v1/sys/leases/revoke-%s%s", f->force ? "force" : "prefix",
						    cli_target(cli, id) + strlen("/v1"))
				       : "/v1/sys/leases/revoke";
	json_t *body BULLA_CLEANUP(cli_json_clear) = f->prefix ? json_pack("{s:b}", "sync", (int)f->sync)
							       : json_pack("{s:s, s:b}", "lease_id", id, "sync", (int)f->sync);

	if (f->force)
		fputs("Warning! Leases that are removed by force may leave things behind in what made them.\n", stderr);
	int status = cli_call(cli, cli_printf(cli, "Error %s %s", kind, id), "PUT", target, body, &answer);

	if (status != CLI_GO_ON)
		return status;
	if (f->force)
		printf("Success! Force revoked any leases with prefix: %s\n", id);
	else if (f->sync)
		printf("Success! Revoked %s: %s\n", f->prefix ? "any leases with prefix" : "lease", id);
	else
		puts("All revocation operations queued successfully!");
	return CLI_DONE;
}

static int lease_revoke(int argc, char **argv)
{
	struct revoke_flags f = { 0 };
	const struct flag flags[] = {
		{ "prefix", FLAG_BOOL, &f.prefix, "All leases whose IDs begin so." },
		{ "force", FLAG_BOOL, &f.force, "Forget them whatever goes wrong; with -prefix. Also: -f." },
		{ "f", FLAG_BOOL, &f.force, NULL },
		{ "sync", FLAG_BOOL, &f.sync, "Wait until it is done." },
		{ 0 },
	};
	const struct cli_spec spec = {
		.usage = "lease revoke [options] ID",
		.about = "  Ends a lease, or with -prefix all whose IDs begin so.\n",
		.flags = flags, .min_args = 1, .max_args = 1, .no_format = true,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	if (f.force && !f.prefix) {
		fputs("Specifying -force requires also specifying -prefix\n", stderr);
		return CLI_LOCAL_ERROR;
	}
	return revoke(&cli, &f);
}

int command_lease(int argc, char **argv)
{
	static const struct command rows[] = {
		{ "lookup", lease_lookup, "Tell when a lease was given, and how long it lives" },
		{ "renew", lease_renew, "Renew a lease" },
		{ "revoke", lease_revoke, "End leases" },
		{ 0 },
	};

	return commands_run("bulla lease", rows, argc, argv);
}
