/* loop_hang.c: a preload with which one of the server's event loops does not come back from epoll_wait() as long as the file LOOP_HANG exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <pthread.h>
#include <unistd.h>

static atomic_int chosen; /* the first loop that is seen */

static int is_chosen(void)
{
	char name[16] = "";
	int none = 0;

	if (pthread_getname_np(pthread_self(), name, sizeof name) != 0 || strcmp(name, "loop") != 0)
		return 0;
	(void)atomic_compare_exchange_strong(&chosen, &none, gettid());
	return atomic_load(&chosen) == gettid();
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
	const char *file = getenv("LOOP_HANG");
	int (*real)(int, struct epoll_event *, int, int) = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
	int n = real(fd, events, most, timeout);

	while (file != NULL && is_chosen() && access(file, F_OK) == 0)
		usleep(20000);
	return n;
}
