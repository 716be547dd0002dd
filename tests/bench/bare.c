/* bare.c: the least a server on libmicrohttpd can do, in the thread model of src/http: reads each request, answers a constant.
 * bin/bench measures Bulla against it. bare PORT BYTES */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static int listen_fd;
static size_t reply_len;

static enum MHD_Result answer(void *context, struct MHD_Connection *c, const char *url, const char *method, const char *version,
			      const char *data, size_t *size, void **request)
{
	(void)context, (void)url, (void)method, (void)version, (void)data;
	if (*request == NULL || *size > 0) {
		*request = request;
		*size = 0;
		return MHD_YES;
	}
	char *text = malloc(reply_len);
	struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback(reply_len, memset(text, 'x', reply_len), free);

	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "Content-Type", "application/json");
	MHD_add_response_header(r, "Strict-Transport-Security", "max-age=31536000; includeSubDomains");
	enum MHD_Result result = MHD_queue_response(c, MHD_HTTP_OK, r);

	MHD_destroy_response(r);
	return result;
}

static void *loop(void *unused)
{
	struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer, NULL,
						MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
						(size_t)16384, MHD_OPTION_END);
	struct epoll_event event = { .events = EPOLLIN };
	MHD_UNSIGNED_LONG_LONG wait;
	int epoll = epoll_create1(0);

	if (d == NULL || epoll_ctl(epoll, EPOLL_CTL_ADD, MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, &event) != 0)
		abort();
	for (;; MHD_run(d))
		epoll_wait(epoll, &event, 1, MHD_get_timeout(d, &wait) == MHD_YES ? (int)wait : -1);
	return unused;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	pthread_t thread;

	if (argc != 3)
		return 2;
	a.sin_port = htons((unsigned short)atoi(argv[1]));
	reply_len = (size_t)atoi(argv[2]);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (listen_fd < 0 || bind(listen_fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(listen_fd, 1024) != 0)
		return 1;
	for (long i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
		if (pthread_create(&thread, NULL, loop, NULL) != 0)
			return 1;
	pause();
	return 0;
}
