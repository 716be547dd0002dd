/* list_page.c: see list_page.h. Stateless: any thread. */
#include "handlers/list_page.h"

const struct field list_page_fields[] = {
	FIELD(struct list_page, after, FIELD_STRING),
	FIELD(struct list_page, limit, FIELD_INT),
	FIELD_END,
};

enum bulla_err list_print(struct exchange *x, const struct bulla_bytes *names, size_t count)
{
	if (count == 0)
		return BULLA_E_NOT_FOUND;
	json_open(x->data, '{');
	json_put_strings(x->data, "keys", names, count);
	json_close(x->data, '}');
	return BULLA_OK;
}

enum bulla_err list_page_print(struct exchange *x, const struct bulla_bytes *names, size_t count)
{
	struct list_page f = { 0 };
	size_t first = 0;

	TRY(fields_bind(x->call, x->doc, list_page_fields, true, &f));
	while (f.after.len > 0 && first < count && bulla_compare(names[first], f.after) <= 0)
		first++;
	count -= first;
	if (f.limit > 0 && (uint64_t)f.limit < count)
		count = (size_t)f.limit;
	return list_print(x, names + first, count);
}
