/* print.c: print token; path-help. */
#include "commands/commands.h"
#include "commands/output.h"

static int print_token(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "print token", .max_args = -1,
		.about = "  Prints the token that commands use: of the environment, or of `bulla login`.\n",
		.no_format = true,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status != CLI_GO_ON)
		return status;
	puts(cli.config.token != NULL ? cli.config.token : "");
	return CLI_DONE;
}

int command_print(int argc, char **argv)
{
	static const struct command rows[] = {
		{ "token", print_token, "Print the token that commands use" },
		{ 0 },
	};

	return commands_run("bulla print", rows, argc, argv);
}

int command_path_help(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "path-help [options] PATH",
		.about = "  Prints what the server says of a path: what it is for, and the fields that it takes.\n\n"
			 "      $ bulla path-help transit/keys/cards\n",
		.min_args = 1, .max_args = 1, .completes = COMPLETES_PATHS,
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status == CLI_GO_ON)
		status = cli_call(&cli, "Error retrieving help", "GET", cli_printf(&cli, "%s?help=1", cli_target(&cli, cli.argv[0])), NULL,
				  &answer);
	if (status != CLI_GO_ON)
		return status;
	json_t *help = json_object_get(output_data(answer.doc), "help");

	if (cli_wants_json(&cli))
		output_json(&cli, json_object_get(output_data(answer.doc), "openapi"), true);
	else
		puts(json_is_string(help) ? json_string_value(help) : "");
	return CLI_DONE;
}
