/* weigh.c: owns what items of each kind cost, and from it who does them: a few the event loop that has read the request, more a thread for
 * computing, in slices. One place: what differs by the key's type is said here and nowhere else. Any thread. */
#include "seal/seal.h"
#include "transit/transit.h"

#define SLICE_NS 200000 /* how often a batch looks whether its share is used up */

/* Figures of docs/BENCH.md (a slow machine), rounded up; an item of the symmetric types with its JSON. */
#define SYMMETRIC_NS 3500
#define BYTE_NS 4
#define ITEM_NS 1500

/* Of RSA with 2048 bits; private operations grow with the cube of the bits, public ones with the square. */
static uint64_t rsa_ns(unsigned bits, enum transit_op op)
{
	uint64_t private = UINT64_C(700000) * bits / 2048 * bits / 2048 * bits / 2048, public = UINT64_C(60000) * bits / 2048 * bits / 2048;

	return op == TRANSIT_SIGN || op == TRANSIT_DECRYPT ? private : public;
}

static uint64_t curve_ns(const struct alg *alg, enum transit_op op)
{
	bool sign = op == TRANSIT_SIGN;

	switch (alg->bits) {
	case 384: return sign ? 1800000 : 1500000;
	case 521: return sign ? 750000 : 1000000;
	case 256: return sign ? 60000 : 100000;
	default: return sign ? 60000 : 120000; /* Ed25519 */
	}
}

static uint64_t item_ns(const struct alg *alg, enum transit_op op)
{
	if (alg == NULL || op == TRANSIT_MAC || (alg->can & ALG_PKEY) == 0)
		return SYMMETRIC_NS;
	if (op == TRANSIT_OPEN)
		return 600000;
	return ITEM_NS + ((alg->can & ALG_ENCRYPT) != 0 ? rsa_ns(alg->bits, op) : curve_ns(alg, op));
}

uint64_t transit_weight(const struct alg *alg, enum transit_op op, size_t items, size_t bytes)
{
	return items * item_ns(alg, op) + bytes * BYTE_NS;
}

enum bulla_err transit_weigh(struct bulla_call *call, uint64_t ns)
{
	if (ns <= TRANSIT_INLINE_NS)
		return BULLA_OK;
	TRY(bulla_work(call, BULLA_WORK_CPU));
	return bulla_yield(call); /* a large request was long in reading */
}

bool transit_slice_ends(const struct bulla_call *call, struct transit_slice *slice, uint64_t ns)
{
	slice->ns += ns;
	if (call->turn == NULL || slice->ns < SLICE_NS)
		return false;
	slice->ns = 0;
	return true;
}

enum bulla_err transit_yield(struct bulla *engine, struct bulla_call *call)
{
	if (call->turn == NULL)
		return BULLA_OK;
	TRY(bulla_yield(call));
	return seal_is_sealed(engine->seal) ? BULLA_E_SEALED : BULLA_OK;
}
