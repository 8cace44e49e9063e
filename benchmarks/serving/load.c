/* An HTTP load generator with an open loop.

   load HOST PORT CONNECTIONS RATE SECONDS PATIENCE_MS REST_MS WARM_S < REQUEST

   Sends REQUEST at a constant RATE over kept connections, whatever the answers do: a request that
   finds no free connection waits, and its latency counts from the moment it should have been sent
   (no coordinated omission). One that waits longer than PATIENCE_MS is given up as "unsent".
   A connection that got 503 rests for REST_MS, as Retry-After asks.
   The first WARM_S of the SECONDS are not counted.
   RATE 0 is a closed loop: each connection asks again as soon as it is answered.

   Prints one JSON object; latencies in microseconds. "200" and "503" are from the intended time,
   "200_sent" and "503_sent" from the moment the bytes were handed to the kernel. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536

typedef struct {
  int fd, busy;
  size_t have;
  double intended, sent, rested;
  char *buffer;
} Connection;

typedef struct {
  uint32_t *values;
  size_t count, room;
} Samples;

static char request[1 << 20];
static size_t request_size;
static struct sockaddr_in address;
static int epoll_fd;
static Connection *connections;
static int *idle, idle_head, idle_count, total;
static int *resting, rest_head, rest_count; /* a queue: all rest for the same time */
static double rest, counts_from;
static Samples answered[2], answered_sent[2]; /* [0] 200, [1] 503 */
static long other_status, broken, unsent;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static void keep(Samples *s, double seconds) {
  if (s->count == s->room) {
    s->room = s->room ? 2 * s->room : 1 << 16;
    s->values = realloc(s->values, s->room * sizeof *s->values);
  }
  s->values[s->count++] = seconds < 0 ? 0 : (uint32_t)(seconds * 1e6);
}

static void be_idle(int index) {
  connections[index].busy = 0;
  idle[(idle_head + idle_count++) % total] = index;
}

static void open_connection(int index) {
  Connection *c = &connections[index];
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) {
    perror("connect");
    exit(1);
  }
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
  c->have = 0;
}

static void renew(int index) {
  close(connections[index].fd);
  broken++;
  open_connection(index);
  be_idle(index);
}

static void send_on(int index, double intended) {
  Connection *c = &connections[index];
  c->busy = 1;
  c->have = 0;
  c->intended = intended;
  c->sent = now();
  if (send(c->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size) renew(index);
}

static void be_free(int index, int status) {
  if (status != 503 || rest <= 0) {
    be_idle(index);
    return;
  }
  connections[index].busy = 0;
  connections[index].rested = now() + rest;
  resting[(rest_head + rest_count++) % total] = index;
}

/* Returns the status when the answer is whole, else 0. */
static int receive(int index) {
  Connection *c = &connections[index];
  for (;;) {
    ssize_t got = recv(c->fd, c->buffer + c->have, BUFFER - 1 - c->have, 0);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) {
      if (c->busy) renew(index);
      return 0;
    }
    c->have += got;
    c->buffer[c->have] = 0;
    char *end = strstr(c->buffer, "\r\n\r\n");
    if (!end) continue;
    char *length = strcasestr(c->buffer, "content-length:");
    size_t size = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
    if (c->have < (size_t)(end + 4 - c->buffer) + size) continue;
    double at = now();
    int status = atoi(c->buffer + 9);
    if (at < counts_from) return status;
    if (status == 200 || status == 503) {
      keep(&answered[status == 503], at - c->intended);
      keep(&answered_sent[status == 503], at - c->sent);
    } else {
      other_status++;
    }
    return status;
  }
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void print(const char *name, Samples *s) {
  qsort(s->values, s->count, sizeof *s->values, ascending);
  printf("\"%s\": {\"count\": %zu", name, s->count);
  const double shares[] = {0.5, 0.9, 0.99, 0.999};
  const char *names[] = {"p50", "p90", "p99", "p999"};
  for (int i = 0; i < 4 && s->count; i++)
    printf(", \"%s\": %u", names[i], s->values[(size_t)(shares[i] * (s->count - 1))]);
  printf("}, ");
}

int main(int argc, char **argv) {
  if (argc != 9) return 2;
  address.sin_family = AF_INET;
  inet_pton(AF_INET, argv[1], &address.sin_addr);
  address.sin_port = htons(atoi(argv[2]));
  total = atoi(argv[3]);
  double rate = atof(argv[4]), seconds = atof(argv[5]), patience = atof(argv[6]) / 1e3,
         warm = atof(argv[8]);
  rest = atof(argv[7]) / 1e3;
  request_size = fread(request, 1, sizeof request, stdin);
  epoll_fd = epoll_create1(0);
  connections = calloc(total, sizeof *connections);
  idle = calloc(total, sizeof *idle);
  resting = calloc(total, sizeof *resting);
  for (int i = 0; i < total; i++) {
    connections[i].buffer = malloc(BUFFER);
    open_connection(i);
    be_idle(i);
  }
  struct epoll_event events[256];
  double began = now(), ends = began + seconds, time = began;
  counts_from = began + warm;
  uint64_t next = 0; /* number of the arrival that has not been sent yet */
  while ((time = now()) < ends) {
    while (rest_count && connections[resting[rest_head]].rested <= time) {
      be_idle(resting[rest_head]);
      rest_head = (rest_head + 1) % total;
      rest_count--;
    }
    if (rate > 0) {
      for (;;) { /* arrivals that are due */
        double due = began + next / rate;
        if (due > time) break;
        if (time - due > patience) {
          unsent += time >= counts_from;
          next++;
          continue;
        }
        if (!idle_count) break;
        int index = idle[idle_head];
        idle_head = (idle_head + 1) % total;
        idle_count--;
        next++;
        send_on(index, due);
      }
    } else {
      while (idle_count) {
        int index = idle[idle_head];
        idle_head = (idle_head + 1) % total;
        idle_count--;
        send_on(index, now());
      }
    }
    int ready = epoll_wait(epoll_fd, events, 256, rate > 0 ? 0 : 10);
    for (int i = 0; i < ready; i++) {
      int status = receive(events[i].data.u32);
      if (status) be_free(events[i].data.u32, status);
    }
  }
  printf("{");
  print("200", &answered[0]);
  print("503", &answered[1]);
  print("200_sent", &answered_sent[0]);
  print("503_sent", &answered_sent[1]);
  printf("\"other\": %ld, \"broken\": %ld, \"unsent\": %ld, \"seconds\": %.6f}\n", other_status,
         broken, unsent, now() - counts_from);
  return 0;
}
