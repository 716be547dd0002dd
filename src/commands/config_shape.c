/* config_shape.c: see config_shape.h. */
#include "commands/config_shape.h"

#include <strings.h>

struct shaper {
	struct config_findings *findings;
	struct hcl **end;
};

/* How many labels the peers give to blocks of that name; -1: it is no block that is read here. */
static int labels_of(const char *name)
{
	static const struct {
		const char *name;
		int labels;
	} blocks[] = {
		{ "listener", 1 }, { "storage", 1 }, { "backend", 1 }, { "seal", 1 }, { "kms", 1 }, { "hsm", 1 },
		{ "user_lockout", 1 }, { "audit", 2 },
	};

	for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
		if (strcasecmp(blocks[i].name, name) == 0)
			return blocks[i].labels;
	return -1;
}

static int labels_had(const struct hcl *h)
{
	return (h->label != NULL) + (h->label2 != NULL);
}

static bool is_blocks(const struct hcl *h)
{
	if (h->kind == HCL_BLOCK)
		return true;
	for (const struct hcl *e = h->kind == HCL_LIST ? h->first : NULL; e != NULL; e = e->next)
		if (e->kind == HCL_BLOCK)
			return true;
	return false;
}

/* Whether what the block has are its labels, not its settings. */
static bool holds_labels(const struct hcl *block)
{
	for (const struct hcl *h = block->first; h != NULL; h = h->next)
		if (!is_blocks(h) || strcasecmp(h->name, "options") == 0)
			return false;
	return block->first != NULL;
}

/* Takes type = "tcp" out of a block without a label. */
static void take_type(struct hcl *block)
{
	for (struct hcl **at = &block->first; *at != NULL; at = &(*at)->next)
		if (strcasecmp((*at)->name, "type") == 0 && (*at)->kind == HCL_STRING) {
			block->label = (*at)->text;
			*at = (*at)->next;
			return;
		}
}

static void put(struct shaper *s, struct hcl *block, int labels)
{
	bool types_inside = strcasecmp(block->name, "listener") == 0 || strcasecmp(block->name, "user_lockout") == 0;

	if (labels_had(block) > labels)
		setting_fail(s->findings, block, "\"%s\" takes %d label%s", block->name, labels, labels == 1 ? "" : "s");
	if (types_inside && block->label == NULL)
		take_type(block);
	block->next = NULL;
	*s->end = block;
	s->end = &block->next;
}

static void shape(struct shaper *s, struct hcl *h, int labels);

/* The child as a block of that name with one label more. */
static void shape_child(struct shaper *s, const struct hcl *parent, struct hcl *child, int labels)
{
	const char *label = child->name;

	for (struct hcl *e = child->kind == HCL_LIST ? child->first : child, *next; e != NULL; e = next) {
		next = e == child ? NULL : e->next;
		e->name = parent->name;
		e->label = parent->label != NULL ? parent->label : label;
		e->label2 = parent->label != NULL ? label : NULL;
		shape(s, e, labels);
	}
}

static void shape_list(struct shaper *s, struct hcl *list, int labels)
{
	for (struct hcl *e = list->first, *next; e != NULL; e = next) {
		next = e->next;
		e->name = list->name;
		shape(s, e, labels);
	}
}

/* As deep as there are labels: recursion ends. */
static void shape(struct shaper *s, struct hcl *h, int labels)
{
	if (h->kind == HCL_LIST) {
		shape_list(s, h, labels);
		return;
	}
	if (h->kind != HCL_BLOCK) {
		setting_fail(s->findings, h, "\"%s\" must be a block", h->name);
		return;
	}
	if (labels_had(h) >= labels || !holds_labels(h)) {
		put(s, h, labels);
		return;
	}
	for (struct hcl *child = h->first, *next; child != NULL; child = next) {
		next = child->next;
		shape_child(s, h, child, labels);
	}
}

void config_shape(struct config_findings *findings, struct hcl *root, struct hcl **blocks)
{
	struct shaper s = { findings, blocks };

	*blocks = NULL;
	for (struct hcl **at = &root->first; *at != NULL;) {
		struct hcl *h = *at;
		int labels = labels_of(h->name);

		if (labels < 0) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		shape(&s, h, labels);
	}
}
