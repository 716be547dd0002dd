/* unwrap.c: unwrap: gives what a wrapping token holds, once. */
#include "commands/commands.h"
#include "commands/output.h"

int command_unwrap(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "unwrap [options] [TOKEN]",
		.about = "  Prints what a wrapping token holds; it can be had once. Without TOKEN the token of the environment is unwrapped; \"-\" reads\n"
			 "  it from standard input.\n\n"
			 "      $ bulla write -wrap-ttl=5m -field=wrapping_token -f auth/approle/role/app/secret-id | bulla unwrap -\n",
		.min_args = 0, .max_args = 1, .has_field = true,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	const char *token = cli.argc == 1 ? cli_secret_argument(&cli, cli.argv[0]) : NULL, *own = cli.config.token;

	if (cli.argc == 1 && token == NULL)
		return CLI_LOCAL_ERROR;
	bool with_own = token != NULL && own != NULL && own[0] != '\0' && strcmp(token, own) != 0;

	/* with a token of its own the caller names the other; without one the wrapping token is its own */
	if (token != NULL && !with_own)
		status = cli_use_token(&cli, token);
	json_t *body BULLA_CLEANUP(cli_json_clear) = with_own ? json_pack("{s:s}", "token", token) : NULL;

	if (status == CLI_GO_ON)
		status = cli_call(&cli, "Error unwrapping", "PUT", "/v1/sys/wrapping/unwrap", body, &answer);
	if (status != CLI_GO_ON)
		return status;
	if (json_is_object(answer.doc))
		return output_answer(&cli, answer.doc);
	if (!cli_wants_json(&cli))
		puts("Successfully unwrapped. There was no data in the wrapped secret.");
	return CLI_DONE;
}
