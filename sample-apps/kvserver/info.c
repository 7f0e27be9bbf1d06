/* info.c: the commands about the connection and the server. */
#include "kv.h"

#include <inttypes.h>

void command_ping(struct call *call) {
    if (call->count > 2)
        fail_arity(call);
    else if (call->count == 2)
        reply_bulk(call->out, call->args[1]);
    else
        reply_status(call->out, "PONG");
}

void command_echo(struct call *call) {
    reply_bulk(call->out, call->args[1]);
}

void command_quit(struct call *call) {
    reply_ok(call->out);
    call->session->closing = true;
}

static void info_server(const struct server *server, struct buffer *text) {
    buffer_print(text, "tcp_port:%u\r\nuptime_in_seconds:%" PRId64 "\r\n",
                 (unsigned)server->port, (server->db.now_ms - server->started_ms) / 1000);
}

static void info_clients(const struct server *server, struct buffer *text) {
    buffer_print(text, "connected_clients:%zu\r\nmaxclients:%zu\r\n",
                 server->session_count, server->max_clients);
}

static void info_memory(const struct server *server, struct buffer *text) {
    (void)server;
    buffer_print(text, "used_memory:%zu\r\n", memory_used());
}

static void info_stats(const struct server *server, struct buffer *text) {
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"total_connections_received", server->next_session},
        {"rejected_connections", server->rejected},
        {"total_commands_processed", server->commands},
        {"total_net_input_bytes", server->bytes_in},
        {"total_net_output_bytes", server->bytes_out},
        {"expired_keys", server->db.expired},
        {"keyspace_hits", server->db.hits},
        {"keyspace_misses", server->db.misses},
    };
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        buffer_print(text, "%s:%" PRIu64 "\r\n", counters[i].name, counters[i].value);
}

static void info_keyspace(const struct server *server, struct buffer *text) {
    size_t keys = dict_size(&server->db.keys);
    if (keys > 0)
        buffer_print(text, "db0:keys=%zu,expires=%zu\r\n", keys, server->db.deadlines);
}

/* A connection is a task: how long it has lived, how often it was woken up and how often
 * for nothing, what it has moved, and since when it has not. */
static void info_task(const struct server *server, const struct session *task,
                      struct buffer *text) {
    int64_t now_ms = server->db.now_ms;
    buffer_print(text, "task%" PRIu64 ":peer=%s", task->id, task->peer);
    buffer_print(text, ",age_ms=%" PRId64 ",idle_ms=%" PRId64, now_ms - task->since_ms,
                 now_ms - task->progress_ms);
    buffer_print(text, ",polls=%" PRIu64 ",idle_polls=%" PRIu64 ",commands=%" PRIu64,
                 task->polls, task->idle_polls, task->commands);
    buffer_print(text, ",bytes_in=%" PRIu64 ",bytes_out=%" PRIu64 ",unsent=%zu\r\n",
                 task->bytes_in, task->bytes_out, buffer_length(&task->out));
}

static void info_tasks(const struct server *server, struct buffer *text) {
    for (const struct session *task = server->sessions; task != NULL; task = task->next)
        info_task(server, task, text);
}

static const struct section {
    const char *name, *title;
    void (*print)(const struct server *server, struct buffer *text);
} sections[] = {
    {"server", "Server", info_server}, {"clients", "Clients", info_clients},
    {"memory", "Memory", info_memory}, {"stats", "Stats", info_stats},
    {"tasks", "Tasks", info_tasks},    {"keyspace", "Keyspace", info_keyspace},
};

/* Without arguments all of them. */
static bool is_wanted(const struct call *call, const struct section *section) {
    bool wanted = call->count == 1;
    for (size_t i = 1; i < call->count; i++)
        wanted |= equal_folded(call->args[i], section->name);
    return wanted;
}

void command_info(struct call *call) {
    struct buffer text = {.limit = call->out->limit};
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (!is_wanted(call, &sections[i]))
            continue;
        buffer_print(&text, "%s# %s\r\n", buffer_length(&text) > 0 ? "\r\n" : "",
                     sections[i].title);
        sections[i].print(call->server, &text);
    }
    reply_collected(call->out, &text, true);
}
