/* The limit: what a broadcast costs when nothing is done but the system calls. No checks, no names.
 *
 * One epoll loop; all lines that came in one round go to everybody in one send each.
 *
 * Usage: limit PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 32768, CHUNK = 1 << 14 };

struct buffer {
    char *bytes;
    size_t length, room;
};

static struct client {
    bool here;
    struct buffer rest, out; /* an unfinished line; what the socket did not take */
} clients[CLIENTS];
static int epoll, last;

static void add(struct buffer *buffer, const char *bytes, size_t length) {
    if (!length) return;
    if (buffer->length + length > buffer->room) {
        buffer->room = (buffer->length + length) * 2;
        buffer->bytes = realloc(buffer->bytes, buffer->room);
        if (!buffer->bytes) abort();
    }
    memmove(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

static void let_in(int listener) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0 || fd >= CLIENTS) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    clients[fd].here = true;
    clients[fd].rest.length = clients[fd].out.length = 0;
    if (fd > last) last = fd;
    if (send(fd, "* welcome\n", 10, MSG_NOSIGNAL) < 0) clients[fd].here = false;
}

static void write_to(int fd, const char *bytes, size_t length) {
    struct client *client = &clients[fd];
    bool waited = client->out.length;
    ssize_t sent = waited ? 0 : send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0) sent = errno == EAGAIN ? 0 : (ssize_t)length;
    add(&client->out, bytes + sent, length - (size_t)sent);
    if (waited || !client->out.length) return;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static void flush(int fd) {
    struct buffer *out = &clients[fd].out;
    ssize_t sent = send(fd, out->bytes, out->length, MSG_NOSIGNAL);
    if (sent < 0) return;
    memmove(out->bytes, out->bytes + sent, out->length -= (size_t)sent);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (!out->length) epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static void read_from(int fd, struct buffer *batch) {
    static char chunk[CHUNK];
    struct buffer *rest = &clients[fd].rest;
    ssize_t length = recv(fd, chunk, CHUNK, 0);
    if (length <= 0) {
        clients[fd].here = false;
        close(fd);
        return;
    }
    char *newline = memrchr(chunk, '\n', (size_t)length);
    size_t whole = newline ? (size_t)(newline - chunk) + 1 : 0;
    if (whole) {
        add(batch, rest->bytes, rest->length);
        rest->length = 0;
    }
    add(batch, chunk, whole);
    add(rest, chunk + whole, (size_t)length - whole);
}

int main(int count, char **arguments) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)(count > 1 ? atoi(arguments[1]) : 0));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return 1;
    epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[1024];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (struct buffer batch = {0};; batch.length = 0) {
        int ready = epoll_wait(epoll, events, 1024, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) let_in(listener);
            else if (events[i].events & EPOLLOUT) flush(fd);
            else read_from(fd, &batch);
        }
        for (int fd = 0; batch.length && fd <= last; fd++)
            if (clients[fd].here) write_to(fd, batch.bytes, batch.length);
    }
}
