/* The ceiling: an epoll loop that reads each request whole and answers fixed bytes.

   epoll PORT */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BUFFER 65536
static const char answer[] =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\r\n"
    "{\"predictions\":[\"yes\"]}";

typedef struct {
  int fd;
  size_t have;
  char buffer[BUFFER];
} Connection;

static void serve(Connection *c) {
  ssize_t got = recv(c->fd, c->buffer + c->have, BUFFER - 1 - c->have, 0);
  if (got <= 0) {
    close(c->fd);
    free(c);
    return;
  }
  c->have += got;
  c->buffer[c->have] = 0;
  char *end = strstr(c->buffer, "\r\n\r\n");
  if (!end) return;
  char *length = strcasestr(c->buffer, "content-length:");
  size_t size = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
  if (c->have < (size_t)(end + 4 - c->buffer) + size) return;
  c->have = 0;
  if (send(c->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) close(c->fd);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, epoll_fd = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024))
    return 1;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(epoll_fd, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr) {
        serve(events[i].data.ptr);
        continue;
      }
      Connection *c = calloc(1, sizeof *c);
      c->fd = accept(listener, NULL, NULL);
      setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      event.data.ptr = c;
      epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
    }
  }
}
