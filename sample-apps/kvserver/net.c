/* net.c: sockets and the event loop, on epoll. */
#define _GNU_SOURCE
#include "kv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 64,
    ACCEPTS = 64,   /* per turn */
    SWEEP_MS = 50,  /* between steps of removing expired keys */
    RETRY_MS = 100, /* after the system refused a socket */
};

/* The session comes first: its address is the connection's. */
struct connection {
    struct session session;
    int fd;
    bool waits_to_send;
};

struct net {
    struct server *server;
    int epoll_fd, listen_fd;
    int64_t swept_ms;
    bool listening; /* false for a while after the system refused a socket */
};

static volatile sig_atomic_t terminated;

static void on_signal(int number) {
    (void)number;
    terminated = 1;
}

int64_t net_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* SIGTERM and SIGINT stay blocked but while the loop waits, so that none comes between
 * its test of `terminated` and its wait. */
static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
}

static bool watch(struct net *net, int operation, int fd, uint32_t events, void *owner) {
    struct epoll_event event = {.events = events, .data.ptr = owner};
    return epoll_ctl(net->epoll_fd, operation, fd, &event) == 0;
}

static bool listen_on(struct net *net, const char *address, uint16_t port) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof(name);
    int yes = 1;
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
        errno = EINVAL;
        return false;
    }
    net->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (net->listen_fd < 0 ||
        setsockopt(net->listen_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(net->listen_fd, (struct sockaddr *)&name, size) != 0 ||
        listen(net->listen_fd, SOMAXCONN) != 0 ||
        getsockname(net->listen_fd, (struct sockaddr *)&name, &size) != 0)
        return false;
    net->server->port = ntohs(name.sin_port);
    net->listening = watch(net, EPOLL_CTL_ADD, net->listen_fd, EPOLLIN, NULL);
    return net->listening;
}

struct net *net_open(struct server *server, const char *address, uint16_t port) {
    struct net *net = malloc(sizeof(*net));
    if (net == NULL)
        return NULL;
    *net = (struct net){.server = server, .epoll_fd = -1, .listen_fd = -1};
    catch_signals();
    net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (net->epoll_fd >= 0 && listen_on(net, address, port))
        return net;
    int cause = errno;
    net_close(net);
    errno = cause;
    return NULL;
}

static void drop(struct net *net, struct connection *connection) {
    close(connection->fd);
    session_close(&connection->session, net->server);
    free(connection);
}

void net_close(struct net *net) {
    while (net->server->sessions != NULL)
        drop(net, (struct connection *)net->server->sessions);
    if (net->listen_fd >= 0)
        close(net->listen_fd);
    if (net->epoll_fd >= 0)
        close(net->epoll_fd);
    free(net);
}

static void name_peer(struct session *session, const struct sockaddr_in *peer) {
    char address[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &peer->sin_addr, address, sizeof(address));
    snprintf(session->peer, sizeof(session->peer), "%s:%u", address,
             (unsigned)ntohs(peer->sin_port));
}

static bool add_connection(struct net *net, int fd, const struct sockaddr_in *peer) {
    int yes = 1;
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL || !watch(net, EPOLL_CTL_ADD, fd, EPOLLIN, connection)) {
        free(connection);
        return false;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    connection->fd = fd;
    session_open(&connection->session, net->server);
    name_peer(&connection->session, peer);
    return true;
}

static void reject(struct net *net, int fd) {
    static const char reason[] = "-ERR max number of clients reached\r\n";
    net->server->rejected++;
    (void)!send(fd, reason, sizeof(reason) - 1, MSG_NOSIGNAL);
    close(fd);
}

static void pause_listening(struct net *net) {
    watch(net, EPOLL_CTL_MOD, net->listen_fd, 0, NULL);
    net->listening = false;
}

static void resume_listening(struct net *net) {
    net->listening = watch(net, EPOLL_CTL_MOD, net->listen_fd, EPOLLIN, NULL);
}

static bool accept_one(struct net *net) {
    struct sockaddr_in peer;
    socklen_t size = sizeof(peer);
    int fd = accept4(net->listen_fd, (struct sockaddr *)&peer, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_listening(net);
        return false;
    }
    if (net->server->session_count >= net->server->max_clients ||
        !add_connection(net, fd, &peer))
        reject(net, fd);
    return true;
}

static void accept_some(struct net *net) {
    for (int i = 0; i < ACCEPTS && accept_one(net); i++)
        continue;
}

static bool would_block(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* False if the connection is lost. At its peer's end of sending, what it has sent is
 * still answered. */
static bool receive(struct net *net, struct connection *connection) {
    struct session *session = &connection->session;
    size_t room;
    char *bytes = request_room(&session->in, &room);
    if (bytes == NULL)
        return false;
    ssize_t length = recv(connection->fd, bytes, room, 0);
    if (length < 0)
        return would_block();
    if (length == 0)
        session->closing = true;
    request_received(&session->in, (size_t)length);
    session->bytes_in += (size_t)length;
    net->server->bytes_in += (size_t)length;
    return true;
}

static bool send_some(struct net *net, struct connection *connection) {
    struct session *session = &connection->session;
    struct buffer *out = &session->out;
    if (buffer_length(out) == 0)
        return true;
    ssize_t length =
        send(connection->fd, out->bytes + out->start, buffer_length(out), MSG_NOSIGNAL);
    if (length < 0)
        return would_block();
    buffer_consume(out, (size_t)length);
    session->bytes_out += (size_t)length;
    net->server->bytes_out += (size_t)length;
    session->progress = true;
    return true;
}

/* While output waits, nothing is read: the client has to take its replies first. */
static bool watch_for(struct net *net, struct connection *connection) {
    bool waits = buffer_length(&connection->session.out) > 0;
    if (waits == connection->waits_to_send)
        return true;
    connection->waits_to_send = waits;
    return watch(net, EPOLL_CTL_MOD, connection->fd, waits ? EPOLLOUT : EPOLLIN,
                 connection);
}

/* Takes what has arrived, and executes it. False if the connection is lost. */
static bool work(struct net *net, struct connection *connection) {
    struct session *session = &connection->session;
    session->polls++;
    session->progress = false;
    if (!connection->waits_to_send && !receive(net, connection))
        return false;
    session_run(session, net->server);
    return true;
}

/* Sends, and goes on executing as long as the socket takes all of it. False at the end of
 * the connection. */
static bool answer(struct net *net, struct connection *connection) {
    struct session *session = &connection->session;
    do {
        if (session->out.failed || !send_some(net, connection))
            return false;
    } while (buffer_length(&session->out) == 0 && session_run(session, net->server));
    if (session->progress)
        session->progress_ms = net->server->db.now_ms;
    else
        session->idle_polls++;
    return !(session->closing && buffer_length(&session->out) == 0) &&
           watch_for(net, connection);
}

/* Until the listening socket is tried again or keys are to be swept; -1 without end. */
static int timeout_ms(const struct net *net) {
    if (net->server->db.deadlines > 0 && net->server->clock_step_ms == 0)
        return SWEEP_MS;
    return net->listening ? -1 : RETRY_MS;
}

static void sweep(struct net *net) {
    struct db *db = &net->server->db;
    if (db->now_ms - net->swept_ms < SWEEP_MS)
        return;
    net->swept_ms = db->now_ms;
    db_sweep(db);
}

/* Answers go out when all requests of a turn are executed: a client that waits for
 * several of them is woken up once. Who comes is let in when those who left have made
 * room. */
static void serve_ready(struct net *net, struct epoll_event *events, int count) {
    bool knocked = false;
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection == NULL) {
            knocked = true;
        } else if (!work(net, connection)) {
            drop(net, connection);
            events[i].data.ptr = NULL;
        }
    }
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection != NULL && !answer(net, connection))
            drop(net, connection);
    }
    if (knocked)
        accept_some(net);
}

static int64_t time_of_turn(const struct server *server) {
    return server->clock_step_ms > 0 ? server->db.now_ms + server->clock_step_ms
                                     : net_now_ms();
}

static bool turn(struct net *net, const sigset_t *while_waiting) {
    struct epoll_event events[EVENTS];
    int count =
        epoll_pwait(net->epoll_fd, events, EVENTS, timeout_ms(net), while_waiting);
    if (count < 0)
        return errno == EINTR;
    net->server->db.now_ms = time_of_turn(net->server);
    serve_ready(net, events, count);
    if (!net->listening)
        resume_listening(net);
    sweep(net);
    return true;
}

bool net_run(struct net *net) {
    sigset_t while_waiting;
    sigprocmask(SIG_BLOCK, NULL, &while_waiting);
    sigdelset(&while_waiting, SIGTERM);
    sigdelset(&while_waiting, SIGINT);
    while (!terminated)
        if (!turn(net, &while_waiting))
            return false;
    return true;
}
