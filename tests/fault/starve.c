/* starve.c: a preload for tests: makes allocations of the program fail as the test says in a file that both have mapped, and counts what is
 * allocated. STARVE names the file; STARVE_SPARE, a library whose own allocations are spared. All threads. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
	_Atomic int64_t armed;   /* 0: nothing fails */
	_Atomic int64_t seen;    /* allocations since seen was set to 0 */
	_Atomic int64_t at;      /* the first that fails, from 0 on */
	_Atomic int64_t count;   /* how many fail */
	_Atomic int64_t failed;
	_Atomic int64_t live;    /* bytes in use by malloc and its like */
	_Atomic int64_t peak;    /* the most of it since it was set */
};

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

static struct control *control;
static uintptr_t spared_from, spared_to;

static int find_spared(struct dl_phdr_info *info, size_t size, void *name)
{
	(void)size;
	if (strstr(info->dlpi_name, name) == NULL)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, to = from + info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		spared_from = spared_from == 0 || from < spared_from ? from : spared_from;
		spared_to = to > spared_to ? to : spared_to;
	}
	return 1;
}

__attribute__((constructor)) static void open_control(void)
{
	const char *path = getenv("STARVE");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED)
		_exit(98); /* a test that starves nothing proves nothing */
	if (getenv("STARVE_SPARE") != NULL)
		(void)dl_iterate_phdr(find_spared, getenv("STARVE_SPARE"));
	control = p;
}

static int fails(const void *caller)
{
	if (control == NULL || ((uintptr_t)caller >= spared_from && (uintptr_t)caller < spared_to))
		return 0;
	int64_t number = atomic_fetch_add(&control->seen, 1);

	if (atomic_load(&control->armed) == 0)
		return 0;
	int64_t at = atomic_load(&control->at);

	if (number < at || number - at >= atomic_load(&control->count))
		return 0;
	atomic_fetch_add(&control->failed, 1);
	errno = ENOMEM;
	return 1;
}

static void *counted(void *p)
{
	if (p != NULL && control != NULL) {
		int64_t now = atomic_fetch_add(&control->live, (int64_t)malloc_usable_size(p)) + (int64_t)malloc_usable_size(p);
		int64_t peak = atomic_load(&control->peak);

		while (now > peak && !atomic_compare_exchange_weak(&control->peak, &peak, now))
			;
	}
	return p;
}

static void discounted(void *p)
{
	if (p != NULL && control != NULL)
		atomic_fetch_sub(&control->live, (int64_t)malloc_usable_size(p));
}

void *malloc(size_t n)
{
	return fails(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : counted(__libc_calloc(n, size));
}

__attribute__((noinline)) static void *resize(void *p, size_t n)
{
	size_t before = p != NULL ? malloc_usable_size(p) : 0;
	void *moved = __libc_realloc(p, n);

	if ((moved != NULL || n == 0) && control != NULL)
		atomic_fetch_sub(&control->live, (int64_t)before);
	return counted(moved);
}

void *realloc(void *p, size_t n)
{
	return n != 0 && fails(__builtin_return_address(0)) ? NULL : resize(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return bytes != 0 && fails(__builtin_return_address(0)) ? NULL : resize(p, bytes);
}

void *memalign(size_t align, size_t n)
{
	return fails(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(align, n));
}

void *aligned_alloc(size_t align, size_t n)
{
	return fails(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(align, n));
}

int posix_memalign(void **out, size_t align, size_t n)
{
	void *p = fails(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(align, n));

	if (p == NULL)
		return ENOMEM;
	*out = p;
	return 0;
}

void free(void *p)
{
	int before = errno;

	discounted(p);
	__libc_free(p);
	errno = before;
}

/* Anonymous memory that is asked for directly, as by libsodium. */
void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
	static void *(*real)(void *, size_t, int, int, int, off_t);

	if (real == NULL)
		real = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
	if ((flags & MAP_ANONYMOUS) != 0 && fails(__builtin_return_address(0)))
		return MAP_FAILED;
	return real(at, n, protection, flags, fd, offset);
}
