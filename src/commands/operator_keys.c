/* operator_keys.c: operator key-status and rotate: the barrier's key. */
#include "commands/commands.h"
#include "commands/output.h"

/* "2006-01-02T15:04..." as Go's RFC 822 has it: "02 Jan 06 15:04 UTC". */
static const char *short_time(struct cli *cli, const char *text)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int year, month, day, hour, minute;

	if (text == NULL || sscanf(text, "%4d-%2d-%2dT%2d:%2d", &year, &month, &day, &hour, &minute) != 5 || month < 1 || month > 12)
		return "n/a";
	return cli_printf(cli, "%02d %s %02d %02d:%02d UTC", day, months[month - 1], year % 100, hour, minute);
}

static int print_status(struct cli *cli, bool rotated)
{
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_call(cli, "Error reading key status", "GET", "/v1/sys/key-status", NULL, &answer);

	if (status != CLI_GO_ON)
		return status;
	json_t *data = output_data(answer.doc), *install = json_object_get(data, "install_time");

	if (cli_wants_json(cli)) {
		output_json(cli, data, true);
		return CLI_DONE;
	}
	if (rotated)
		puts("Success! Rotated key\n");
	printf("Key Term            %lld\nInstall Time        %s\nEncryption Count    %lld\n",
	       (long long)json_integer_value(json_object_get(data, "term")), short_time(cli, json_string_value(install)),
	       (long long)json_integer_value(json_object_get(data, "encryptions")));
	return CLI_DONE;
}

int operator_key_status(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "operator key-status [options]",
		.about = "  Tells which key of the barrier seals new records, since when, and how many it has sealed.\n",
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	int status = cli_begin(&cli, &spec, argc, argv);

	return status == CLI_GO_ON ? print_status(&cli, false) : status;
}

int operator_rotate(int argc, char **argv)
{
	static const struct cli_spec spec = {
		.usage = "operator rotate [options]",
		.about = "  Gives the barrier a new key: it seals what is written from now on, and the old ones still open what they sealed.\n",
	};
	struct cli cli BULLA_CLEANUP(cli_end);
	struct cli_answer answer BULLA_CLEANUP(cli_answer_clear) = { 0 };
	int status = cli_begin(&cli, &spec, argc, argv);

	if (status == CLI_GO_ON)
		status = cli_call(&cli, "Error rotating key", "PUT", "/v1/sys/rotate", NULL, &answer);
	return status == CLI_GO_ON ? print_status(&cli, true) : status;
}
