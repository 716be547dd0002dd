/* parts.h: who is who inside struct bulla. All pointers are to types of higher layers, incomplete here: each layer reaches
 * its own part (and lower ones) through it, and only engine.c makes and frees them. */
#ifndef BULLA_BASE_PARTS_H
#define BULLA_BASE_PARTS_H

struct store;
struct seal;
struct mounts;
struct keyring;
struct access;
struct auth;
struct audit;

struct bulla {
	struct store *store;     /* sealed records on a disk */
	struct seal *seal;       /* the state machine and, while unsealed, the barrier */
	struct mounts *mounts;   /* which engine answers at which path */
	struct keyring *keyring; /* named keys of all transit mounts */
	struct access *access;   /* tokens and policies */
	struct auth *auth;       /* the auth methods' settings and logins */
	struct audit *audit;     /* records of who did what, and the devices they go to */
};

#endif
