/* drive.c: the connections, in a closed loop or on a schedule. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024, SILENCE_S = 10 };

/*
 * A connection sends its plan in batches of `pipeline` requests. In a closed loop it
 * sends one batch when the one before is answered. On a schedule it sends each when it is
 * due, and its latency counts from then, whether the connection was able to send it or
 * not.
 *
 * The replies of the first repetition are parsed and kept; none may be an error. All
 * repetitions begin with an empty data set, so that those after it have to get the same
 * bytes, which is cheap to check.
 */
struct client {
    int fd;
    struct plan plan;
    size_t count; /* requests */
    char *replies;
    size_t replies_size;
    size_t *batch_ends; /* in replies */
    size_t batches;

    /* in this repetition */
    size_t started, finished;    /* batches */
    size_t sent, received;       /* bytes */
    size_t checked, checked_end; /* replies, and where the last of them ends */
    uint64_t begun_ns;           /* the batch under way, in a closed loop */
    uint64_t digest;
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool fail(const struct drive *drive, const struct client *client,
                 const char *what) {
    fprintf(stderr, "kvload: connection %zu: %s\n", (size_t)(client - drive->clients),
            what);
    return false;
}

static bool fail_errno(const struct drive *drive, const struct client *client) {
    return fail(drive, client, strerror(errno));
}

static bool open_client(struct drive *drive, struct client *client) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(drive->port)};
    struct timeval silence = {.tv_sec = SILENCE_S};
    int yes = 1;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        connect(client->fd, (struct sockaddr *)&name, sizeof(name)) != 0 ||
        setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) != 0 ||
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) != 0)
        return fail_errno(drive, client);
    return true;
}

/* Sends one request and waits for a reply of known length. */
static bool ask(struct drive *drive, struct client *client, const char *request,
                const char *expected) {
    char reply[64] = "";
    size_t length = strlen(expected);
    ssize_t sent = send(client->fd, request, strlen(request), MSG_NOSIGNAL);
    ssize_t got = sent < 0 ? sent : recv(client->fd, reply, length, MSG_WAITALL);
    if (got < 0)
        return fail_errno(drive, client);
    if ((size_t)got == length && memcmp(reply, expected, length) == 0)
        return true;
    fprintf(stderr, "kvload: %.*s: unexpected reply: %s\n", (int)strcspn(request, "\r"),
            request, reply);
    return false;
}

static size_t last_of_batch(const struct drive *drive, const struct client *client,
                            size_t batch) {
    size_t end = (batch + 1) * drive->pipeline;
    return (end < client->count ? end : client->count) - 1;
}

/* Where the last reply of a repetition ends. */
static size_t replies_end(const struct client *client) {
    return client->batch_ends[client->batches - 1];
}

/* Up to where it may send now. */
static size_t send_end(const struct drive *drive, const struct client *client) {
    if (client->started == 0)
        return 0;
    return client->plan.ends[last_of_batch(drive, client, client->started - 1)];
}

/* On a schedule the connections take turns. */
static uint64_t due_ns(const struct drive *drive, const struct client *client,
                       size_t batch) {
    size_t turn = batch * drive->connections + (size_t)(client - drive->clients);
    double interval_ns = 1e9 * (double)drive->pipeline / drive->rate;
    return drive->start_ns + (uint64_t)((double)turn * interval_ns);
}

/* Connections in turn take the lowest number of batches first. */
static bool has_turn(const struct drive *drive, const struct client *client) {
    for (size_t i = 0; drive->in_turn && i < drive->connections; i++) {
        const struct client *other = &drive->clients[i];
        if (other->started > other->finished)
            return false;
        if (other->started < other->batches &&
            (other->started < client->started ||
             (other->started == client->started && other < client)))
            return false;
    }
    return true;
}

static void start_batches(const struct drive *drive, struct client *client,
                          uint64_t now) {
    if (drive->rate > 0) {
        while (client->started < client->batches &&
               due_ns(drive, client, client->started) <= now)
            client->started++;
    } else if (client->started == client->finished && client->started < client->batches &&
               has_turn(drive, client)) {
        client->started++;
        client->begun_ns = now;
    }
}

static void finish_batches(const struct drive *drive, struct client *client,
                           size_t received, uint64_t now) {
    while (client->finished < client->started &&
           client->batch_ends[client->finished] <= received) {
        size_t batch = client->finished++;
        uint64_t begun =
            drive->rate > 0 ? due_ns(drive, client, batch) : client->begun_ns;
        size_t count = last_of_batch(drive, client, batch) + 1 - batch * drive->pipeline;
        histogram_add(drive->latency_ns, now - begun, count);
    }
}

static bool send_some(const struct drive *drive, struct client *client) {
    size_t end = send_end(drive, client);
    if (client->sent == end)
        return true;
    ssize_t sent = send(client->fd, client->plan.bytes + client->sent, end - client->sent,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
        client->sent += (size_t)sent;
    return sent >= 0 || errno == EAGAIN || fail_errno(drive, client);
}

/* Takes the complete ones of the replies that are there. */
static bool check_replies(const struct drive *drive, struct client *client) {
    while (client->checked < client->count) {
        const char *reply = client->replies + client->checked_end;
        size_t there = client->received - client->checked_end;
        size_t length = reply_length(reply, there, &client->digest);
        if (length == 0)
            return true;
        if (length == SIZE_MAX || *reply == '-') {
            fprintf(stderr, "kvload: connection %zu: reply %zu: %.*s\n",
                    (size_t)(client - drive->clients), client->checked,
                    (int)(there < 200 ? there : 200), reply);
            return false;
        }
        client->checked_end += length;
        size_t batch = client->checked / drive->pipeline;
        if (client->checked++ == last_of_batch(drive, client, batch))
            client->batch_ends[batch] = client->checked_end;
    }
    return client->received == client->checked_end ||
           fail(drive, client, "more replies than requests");
}

static bool reserve_replies(struct client *client) {
    if (client->replies_size - client->received >= READ_SIZE)
        return true;
    size_t size = client->replies_size + client->replies_size / 2 + READ_SIZE;
    char *replies = realloc(client->replies, size);
    if (replies == NULL)
        return false;
    client->replies = replies;
    client->replies_size = size;
    return true;
}

/* The same bytes again, so far. */
static bool is_repeated(const struct client *client, const char *bytes, size_t length) {
    return length <= replies_end(client) - client->received &&
           memcmp(bytes, client->replies + client->received, length) == 0;
}

static bool receive(const struct drive *drive, struct client *client, bool first) {
    static char bytes[READ_SIZE];
    if (first && !reserve_replies(client))
        return fail_errno(drive, client);
    char *to = first ? client->replies + client->received : bytes;
    ssize_t got = recv(client->fd, to, READ_SIZE, 0);
    if (got < 0)
        return fail_errno(drive, client);
    if (got == 0)
        return fail(drive, client, "the server closed the connection");
    if (!first && !is_repeated(client, bytes, (size_t)got))
        return fail(drive, client, "other replies than in the first repetition");
    client->received += (size_t)got;
    return !first || check_replies(drive, client);
}

static bool serve(const struct drive *drive, struct client *client, bool readable,
                  bool first) {
    if (readable && !receive(drive, client, first))
        return false;
    uint64_t now = now_ns();
    if (readable)
        finish_batches(drive, client, first ? client->checked_end : client->received,
                       now);
    start_batches(drive, client, now);
    return send_some(drive, client);
}

/* How long to wait for replies: until the next batch is due. */
static struct timespec wait_time(const struct drive *drive) {
    uint64_t now = now_ns(), wait_ns = (uint64_t)SILENCE_S * 1000000000;
    for (size_t i = 0; drive->rate > 0 && i < drive->connections; i++) {
        const struct client *client = &drive->clients[i];
        if (client->started == client->batches)
            continue;
        uint64_t due = due_ns(drive, client, client->started);
        uint64_t left = due > now ? due - now : 0;
        wait_ns = left < wait_ns ? left : wait_ns;
    }
    return (struct timespec){(time_t)(wait_ns / 1000000000),
                             (long)(wait_ns % 1000000000)};
}

static bool is_finished(const struct drive *drive) {
    for (size_t i = 0; i < drive->connections; i++)
        if (drive->clients[i].finished < drive->clients[i].batches)
            return false;
    return true;
}

/* Nothing is under way: with connections in turn, the next may be one served before. */
static bool is_idle(const struct drive *drive) {
    for (size_t i = 0; drive->in_turn && i < drive->connections; i++)
        if (drive->clients[i].started > drive->clients[i].finished)
            return false;
    return drive->in_turn;
}

static void restart(struct drive *drive) {
    for (size_t i = 0; i < drive->connections; i++) {
        struct client *client = &drive->clients[i];
        client->started = client->finished = 0;
        client->sent = client->received = client->checked = client->checked_end = 0;
        drive->polls[i].revents = 0;
    }
    drive->start_ns = now_ns();
}

/* Waits until a connection can go on or a batch is due. */
static bool wait_for_clients(struct drive *drive) {
    struct timespec wait = wait_time(drive);
    for (size_t i = 0; i < drive->connections; i++) {
        const struct client *client = &drive->clients[i];
        bool blocked = client->sent < send_end(drive, client);
        drive->polls[i] =
            (struct pollfd){client->fd, blocked ? POLLIN | POLLOUT : POLLIN, 0};
    }
    int ready = ppoll(drive->polls, drive->connections, &wait, NULL);
    if (ready < 0)
        return fail_errno(drive, drive->clients);
    if (ready == 0 && wait.tv_sec == SILENCE_S)
        return fail(drive, drive->clients, "no reply for ten seconds");
    return true;
}

static bool run_once(struct drive *drive, bool first) {
    restart(drive);
    for (;;) {
        for (size_t i = 0; i < drive->connections; i++) {
            bool readable = (drive->polls[i].revents & ~POLLOUT) != 0;
            if (!serve(drive, &drive->clients[i], readable, first))
                return false;
        }
        if (is_finished(drive))
            return true;
        if (is_idle(drive)) {
            for (size_t i = 0; i < drive->connections; i++)
                drive->polls[i].revents = 0;
            continue;
        }
        if (!wait_for_clients(drive))
            return false;
    }
}

static bool prepare_client(struct drive *drive, size_t index) {
    struct client *client = &drive->clients[index];
    size_t first = drive->requests / drive->connections;
    size_t count = first + (index < drive->requests % drive->connections);
    client->batches = (count + drive->pipeline - 1) / drive->pipeline;
    client->count = count;
    client->batch_ends = malloc(client->batches * sizeof(size_t));
    if (client->batch_ends == NULL ||
        !plan_make(&client->plan, drive->mix, drive->seed, index, count))
        return fail_errno(drive, client);
    memset(client->batch_ends, 0xff, client->batches * sizeof(size_t));
    return true;
}

bool drive_prepare(struct drive *drive) {
    drive->clients = calloc(drive->connections, sizeof(*drive->clients));
    drive->polls = calloc(drive->connections, sizeof(*drive->polls));
    drive->latency_ns = calloc(1, sizeof(*drive->latency_ns));
    if (drive->clients == NULL || drive->polls == NULL || drive->latency_ns == NULL) {
        fprintf(stderr, "kvload: out of memory\n");
        return false;
    }
    for (size_t i = 0; i < drive->connections; i++)
        drive->clients[i].fd = -1;
    for (size_t i = 0; i < drive->connections; i++)
        if (!prepare_client(drive, i))
            return false;
    return true;
}

static bool run_all(struct drive *drive) {
    for (size_t i = 0; i < drive->repeat; i++)
        if (!run_once(drive, i == 0) ||
            !ask(drive, drive->clients, "FLUSHALL\r\n", "+OK\r\n"))
            return false;
    for (size_t i = 0; i < drive->connections; i++)
        drive->digest = drive->digest * 31 + drive->clients[i].digest;
    return true;
}

bool drive_run(struct drive *drive) {
    for (size_t i = 0; i < drive->connections; i++)
        if (!open_client(drive, &drive->clients[i]) ||
            (drive->in_turn && !ask(drive, &drive->clients[i], "DBSIZE\r\n", ":0\r\n")))
            return false;
    if (!ask(drive, drive->clients, "DBSIZE\r\n", ":0\r\n"))
        return false;
    uint64_t begun = now_ns();
    bool ran = run_all(drive);
    drive->seconds = (double)(now_ns() - begun) * 1e-9;
    if (drive->rate == 0)
        histogram_correct(drive->latency_ns, histogram_quantile(drive->latency_ns, 0.5));
    return ran;
}

void drive_free(struct drive *drive) {
    for (size_t i = 0; drive->clients != NULL && i < drive->connections; i++) {
        struct client *client = &drive->clients[i];
        if (client->fd >= 0)
            close(client->fd);
        plan_free(&client->plan);
        free(client->replies);
        free(client->batch_ends);
    }
    free(drive->clients);
    free(drive->polls);
    free(drive->latency_ns);
}
