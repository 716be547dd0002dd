/* policy_table.c: owns the published table of policies, and what sets of them were compiled to. Any thread; what takes
 * access->policy_lock says so. */
#include "access/policy_table.h"

#include <stdlib.h>

#include "base/rcu.h"
#include "bulla/clock.h"

/* ---- the table --------------------------------------------------------------------------------------------------------- */

struct policy_table *policy_table_new(size_t room)
{
	struct policy_table *table = calloc(1, sizeof *table);

	if (table == NULL)
		return NULL;
	table->items = calloc(room > 0 ? room : 1, sizeof(struct policy *));
	if (table->items == NULL) {
		free(table);
		return NULL;
	}
	atomic_init(&table->refs, 1);
	pthread_mutex_init(&table->lock, NULL);
	return table;
}

static void free_compiled(struct compiled *c)
{
	while (c != NULL) {
		struct compiled *next = c->next;

		acl_put(c->acl);
		free(c);
		c = next;
	}
}

void policy_table_put(struct policy_table *table)
{
	if (table == NULL || atomic_fetch_sub(&table->refs, 1) != 1)
		return;
	for (size_t i = 0; i < TABLE_HEADS; i++)
		free_compiled(atomic_load(&table->heads[i]));
	for (size_t i = 0; i < table->count; i++)
		policy_put(table->items[i]);
	pthread_mutex_destroy(&table->lock);
	free(table->items);
	free(table);
}

static size_t place_of(const struct policy_table *table, struct bulla_bytes name)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bulla_compare(table->items[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct policy *policy_table_find(const struct policy_table *table, struct bulla_bytes name)
{
	size_t at = place_of(table, name);

	return at < table->count && bulla_equal(table->items[at]->name, name) ? table->items[at] : NULL;
}

void policy_table_add(struct policy_table *table, struct policy *policy)
{
	size_t at = place_of(table, policy->name);

	if (at < table->count && bulla_equal(table->items[at]->name, policy->name)) {
		policy_put(table->items[at]);
		table->items[at] = policy;
		return;
	}
	memmove(table->items + at + 1, table->items + at, (table->count - at) * sizeof(struct policy *));
	table->items[at] = policy;
	table->count++;
}

struct policy_table *policy_table_copy(const struct policy_table *table, struct bulla_bytes without)
{
	struct policy_table *copy = policy_table_new(table->count + 1);

	if (copy == NULL)
		return NULL;
	for (size_t i = 0; i < table->count; i++)
		if (without.len == 0 || !bulla_equal(table->items[i]->name, without))
			copy->items[copy->count++] = policy_hold(table->items[i]);
	copy->damaged = table->damaged;
	copy->told = table->told;
	return copy;
}

static void retire(struct rcu_later *later)
{
	policy_table_put(rcu_entry(later, struct policy_table, later));
}

void policy_table_publish(struct access *access, struct policy_table *table)
{
	struct policy_table *before = access->policy_table;

	rcu_publish(access->policy_table, table);
	if (before != NULL)
		rcu_later(&before->later, retire);
}

/* ---- what sets of policies are compiled to ------------------------------------------------------------------------------ */

/* FNV-1a over the names: whoever may choose them may also write policies. */
static uint64_t hash_names(const struct bulla_token *token)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < token->policy_count; i++) {
		for (size_t c = 0; c < token->policies[i].len; c++)
			h = (h ^ token->policies[i].ptr[c]) * UINT64_C(1099511628211);
		h = (h ^ '\n') * UINT64_C(1099511628211);
	}
	return h;
}

static bool same_names(const struct compiled *c, const struct bulla_token *token)
{
	if (c->count != token->policy_count)
		return false;
	for (size_t i = 0; i < c->count; i++)
		if (!bulla_equal(c->names[i], token->policies[i]))
			return false;
	return true;
}

/* Whether what it was made of has neither ended since nor, by a date, come back. */
static bool is_current(const struct acl *acl)
{
	if (acl->expires_ns != 0 && bulla_clock_ns() >= acl->expires_ns)
		return false;
	if (acl->expires_date_ns != 0 && bulla_wall_ns() >= acl->expires_date_ns)
		return false;
	return acl->over_date_ns == 0 || bulla_wall_ns() >= acl->over_date_ns;
}

/* In a read section, or with the table held. The newest of a set stands first; one that has ended is none. */
static struct compiled *find_compiled(const struct policy_table *table, const struct bulla_token *token, uint64_t hash)
{
	struct compiled *c = atomic_load_explicit(&table->heads[hash % TABLE_HEADS], memory_order_acquire);

	while (c != NULL && (c->hash != hash || !same_names(c, token)))
		c = c->next;
	return c != NULL && is_current(c->acl) ? c : NULL;
}

/* What is not there is no policy, as at the peer; but if it may be the one that could not be read, it denies. */
static struct acl *compile(const struct policy_table *table, const struct bulla_token *token)
{
	struct policy **list = calloc(token->policy_count > 0 ? token->policy_count : 1, sizeof(struct policy *));
	bool missing = false;
	size_t n = 0;

	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < token->policy_count; i++) {
		struct policy *policy = policy_table_find(table, token->policies[i]);

		if (policy != NULL)
			list[n++] = policy;
		missing |= policy == NULL;
	}
	const struct bulla_now now = bulla_now();
	struct acl *acl = acl_new(list, n, &now);

	free(list);
	if (acl != NULL && missing && table->damaged > 0)
		acl->broken = true;
	return acl;
}

static struct compiled *compiled_new(const struct bulla_token *token, uint64_t hash, struct acl *acl)
{
	size_t bytes = 0;

	for (size_t i = 0; i < token->policy_count; i++)
		bytes += token->policies[i].len;
	struct compiled *c = malloc(sizeof *c + token->policy_count * sizeof c->names[0] + bytes);

	if (c == NULL)
		return NULL;
	*c = (struct compiled){ .hash = hash, .acl = acl_hold(acl), .count = token->policy_count };
	uint8_t *to = (uint8_t *)&c->names[c->count];

	for (size_t i = 0; i < c->count; i++) {
		if (token->policies[i].len > 0)
			memcpy(to, token->policies[i].ptr, token->policies[i].len);
		c->names[i] = bulla_mem(to, token->policies[i].len);
		to += c->names[i].len;
	}
	return c;
}

/* false: the table is full. Without memory it is compiled again the next time. */
static bool keep_compiled(struct policy_table *table, const struct bulla_token *token, uint64_t hash, struct acl *acl)
{
	pthread_mutex_lock(&table->lock);
	bool room = table->sets < TABLE_MAX_SETS && table->rules + acl->count <= TABLE_MAX_RULES;
	struct compiled *c = room && find_compiled(table, token, hash) == NULL ? compiled_new(token, hash, acl) : NULL;

	if (c != NULL) {
		_Atomic(struct compiled *) *head = &table->heads[hash % TABLE_HEADS];

		c->next = atomic_load_explicit(head, memory_order_relaxed);
		atomic_store_explicit(head, c, memory_order_release);
		table->sets++;
		table->rules += acl->count;
	}
	pthread_mutex_unlock(&table->lock);
	return room;
}

/* The same policies with nothing compiled; unless somebody changes them just now, which does the same. */
static void begin_anew(struct access *access, const struct policy_table *full)
{
	if (pthread_mutex_trylock(&access->policy_lock) != 0)
		return;
	struct policy_table *copy = access->policy_table == full ? policy_table_copy(full, (struct bulla_bytes){ 0 }) : NULL;

	if (copy != NULL)
		policy_table_publish(access, copy);
	pthread_mutex_unlock(&access->policy_lock);
}

enum bulla_err acl_use_begin(struct access *access, const struct bulla_token *token, struct acl_use *use)
{
	uint64_t hash = hash_names(token);

	*use = (struct acl_use){ 0 };
	rcu_read_begin();
	struct policy_table *table = rcu_load(access->policy_table);
	const struct compiled *found = table != NULL ? find_compiled(table, token, hash) : NULL;

	if (table == NULL || found != NULL) {
		use->acl = found != NULL ? found->acl : NULL;
		return BULLA_OK;
	}
	atomic_fetch_add(&table->refs, 1); /* outlives the read section, in which nothing may be published */
	rcu_read_end();
	struct acl *acl = compile(table, token);

	if (acl != NULL && !keep_compiled(table, token, hash, acl))
		begin_anew(access, table);
	policy_table_put(table);
	use->acl = use->owned = acl;
	rcu_read_begin(); /* so that the end is the same */
	return acl != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

void acl_use_end(struct acl_use *use)
{
	rcu_read_end();
	acl_put(use->owned);
	*use = (struct acl_use){ 0 };
}
