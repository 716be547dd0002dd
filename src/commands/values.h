/* values.h: the K=V arguments of read, write, list and delete. */
#ifndef BULLA_COMMANDS_VALUES_H
#define BULLA_COMMANDS_VALUES_H

#include "commands/cli.h"

/* An object of the arguments, as Vault's CLI reads them: "key=value", "key=@file", "key=-" (standard input), "key=\@literal", and
 * "-" or "@file" alone for a JSON object whose members go in. A key given twice becomes a list. All values are strings.
 * A new reference; NULL: a mistake, told on stderr. */
json_t *values_parse(struct cli *cli, int argc, char **argv);

/* The values of a flag that may be given many times: a list, or an object of its key=value. New references; NULL: none given. */
json_t *values_of_list(const struct flag_list *list);
json_t *values_of_pairs(struct cli *cli, const struct flag_list *list);

#endif
