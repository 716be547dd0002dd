/* commands.h: the subcommands of the program. main.c holds the table, one file here holds each command. */
#ifndef BULLA_COMMANDS_COMMANDS_H
#define BULLA_COMMANDS_COMMANDS_H

/* argv[0] is the command's own name; the rest are its arguments. Returns the exit status of the process. */
typedef int command_fn(int argc, char **argv);

struct command {
	const char *name;
	command_fn *fn;
	const char *help; /* one line */
};

/* Runs the command of rows (ended by a row without name) that argv[1] names. Without one or with -h it prints the
 * rows: on stdout with status 0 if help was asked for, else on stderr; an unknown name is told there. Vault's status then: 127, or 1 in a
 * group of subcommands. program is what stands before the name in the usage: "bulla", "bulla operator". */
int commands_run(const char *program, const struct command *rows, int argc, char **argv);

command_fn command_audit, audit_tail, audit_filter;
command_fn auth_help, command_auth, command_login, command_policy, operator_generate_root;
command_fn command_server, operator_validate_config;
command_fn command_status, command_operator, command_secrets, command_token, command_version, command_version_history;
command_fn command_lease, command_path_help, command_patch, command_print, command_unwrap, operator_key_status, operator_rotate;
command_fn command_read, command_write, command_list, command_scan, command_delete, command_transit;

#endif
