/* tls.c: the least a TLS server can do: OpenSSL over epoll, a loop a core; reads a request, answers a constant,
 * closes. bin/bench measures new connections to Bulla against it. Tickets are off, as at Bulla. tls PORT BYTES CERT
 * KEY */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 64

struct conn {
	SSL *ssl;
	int fd;
	bool shaken;
	size_t len;
	char request[4096];
};

static SSL_CTX *tls;
static int listen_fd;
static char *reply;
static int reply_len;

static void end(struct conn *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	free(c);
}

static void accept_one(int epoll)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK);
	struct conn *c = fd < 0 ? NULL : calloc(1, sizeof *c);
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };

	if (fd < 0)
		return;
	c->fd = fd;
	c->ssl = SSL_new(tls);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, fd) != 1 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		abort();
}

/* false: it waits for the network. */
static bool failed(struct conn *c, int result)
{
	int e = SSL_get_error(c->ssl, result);

	return e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE;
}

static void go_on(struct conn *c)
{
	int n = c->shaken ? 1 : SSL_accept(c->ssl);

	if (n != 1) {
		if (failed(c, n))
			end(c);
		return;
	}
	c->shaken = true;
	n = SSL_read(c->ssl, c->request + c->len, (int)(sizeof c->request - c->len));
	if (n <= 0) {
		if (failed(c, n))
			end(c);
		return;
	}
	c->len += (size_t)n;
	if (memmem(c->request, c->len, "\r\n\r\n", 4) == NULL)
		return;
	if (SSL_write(c->ssl, reply, reply_len) == reply_len)
		(void)SSL_shutdown(c->ssl);
	end(c);
}

static void *loop(void *unused)
{
	struct epoll_event events[EVENTS], listening = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int epoll = epoll_create1(0);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listen_fd, &listening) != 0)
		abort();
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_one(epoll);
			else
				go_on(events[i].data.ptr);
		}
	}
	return unused;
}

static bool open_tls(const char *cert, const char *key)
{
	tls = SSL_CTX_new(TLS_server_method());
	return tls != NULL && SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_num_tickets(tls, 0) == 1 &&
	       (SSL_CTX_set_options(tls, SSL_OP_NO_TICKET) & SSL_OP_NO_TICKET) != 0 &&
	       SSL_CTX_use_certificate_chain_file(tls, cert) == 1 &&
	       SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	pthread_t thread;
	int bytes, one = 1;

	if (argc != 5 || !open_tls(argv[3], argv[4]) || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return 2;
	a.sin_port = htons((unsigned short)atoi(argv[1]));
	bytes = atoi(argv[2]);
	reply_len = asprintf(&reply, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
			     "Content-Length: %d\r\n\r\n%0*d", bytes, bytes, 0);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (reply_len < 0 || listen_fd < 0 || setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(listen_fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(listen_fd, 1024) != 0)
		return 1;
	for (long i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
		if (pthread_create(&thread, NULL, loop, NULL) != 0)
			return 1;
	pause();
	return 0;
}
