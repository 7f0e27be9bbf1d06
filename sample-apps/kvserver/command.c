/* command.c: the table of commands, and what several of them do. */
#include "kv.h"

#include <string.h>

/* The arity counts the name; a negative one is the least number of arguments. */
static const struct spec {
    char name[12];
    command *run;
    int arity;
} specs[] = {
    {"dbsize", command_dbsize, 1},     {"decr", command_decr, 2},
    {"del", command_del, -2},          {"echo", command_echo, 2},
    {"exists", command_exists, -2},    {"expire", command_expire, 3},
    {"flushall", command_flushall, 1}, {"get", command_get, 2},
    {"hdel", command_hdel, -3},        {"hget", command_hget, 3},
    {"hgetall", command_hgetall, 2},   {"hlen", command_hlen, 2},
    {"hset", command_hset, -4},        {"incr", command_incr, 2},
    {"incrby", command_incrby, 3},     {"info", command_info, -1},
    {"keys", command_keys, 2},         {"llen", command_llen, 2},
    {"lpop", command_lpop, 2},         {"lpush", command_lpush, -3},
    {"lrange", command_lrange, 4},     {"mget", command_mget, -2},
    {"mset", command_mset, -3},        {"persist", command_persist, 2},
    {"pexpire", command_pexpire, 3},   {"ping", command_ping, -1},
    {"pttl", command_pttl, 2},         {"quit", command_quit, -1},
    {"rpop", command_rpop, 2},         {"rpush", command_rpush, -3},
    {"scan", command_scan, -2},        {"set", command_set, -3},
    {"ttl", command_ttl, 2},           {"type", command_type, 2},
};

enum { SPECS = sizeof(specs) / sizeof(specs[0]), SLOT_BITS = 7, SLOTS = 1 << SLOT_BITS };

/* Names have eight letters at most: one word holds a name, and 0 is none. Open
 * addressing. */
static struct slot {
    uint64_t name;
    const struct spec *spec;
} slots[SLOTS];

/* The letters of a name in lower case as a word; 0 if it is too long to be a command's.
 */
static uint64_t pack(struct slice name) {
    uint64_t word = 0;
    if (name.length > 8)
        return 0;
    for (size_t i = 0; i < name.length; i++) {
        unsigned char c = (unsigned char)name.bytes[i];
        word = word << 8 | (c >= 'A' && c <= 'Z' ? c + 0x20u : c);
    }
    return word;
}

/* Where a name is, or the empty slot where it belongs. The factor is 2^64 by the golden
 * ratio. */
static struct slot *slot_of(uint64_t name) {
    size_t index = (size_t)(name * 0x9e3779b97f4a7c15 >> (64 - SLOT_BITS));
    while (slots[index].name != name && slots[index].spec != NULL)
        index = (index + 1) % SLOTS;
    return &slots[index];
}

void command_prepare(void) {
    for (size_t i = 0; i < SPECS; i++) {
        uint64_t name = pack((struct slice){specs[i].name, strlen(specs[i].name)});
        *slot_of(name) = (struct slot){name, &specs[i]};
    }
}

static bool fits_arity(const struct spec *spec, size_t count) {
    return spec->arity < 0 ? count >= (size_t)-spec->arity : count == (size_t)spec->arity;
}

static void fail_unknown(struct call *call) {
    char quoted[192] = "";
    size_t length = 0, limit = 128;
    for (size_t i = 1; i < call->count && length < limit; i++) {
        const struct slice *arg = &call->args[i];
        size_t shown = arg->length < limit - length ? arg->length : limit - length;
        quoted[length++] = '\'';
        memcpy(quoted + length, arg->bytes, shown);
        memcpy(quoted + length + shown, "' ", 3);
        length += shown + 2;
    }
    int name_length =
        call->args[0].length < limit ? (int)call->args[0].length : (int)limit;
    reply_error(call->out, "ERR unknown command '%.*s', with args beginning with: %s",
                name_length, call->args[0].bytes, quoted);
}

void command_run(struct server *server, struct session *session) {
    struct call call = {
        .server = server,
        .session = session,
        .db = &server->db,
        .out = &session->out,
        .args = session->in.args,
        .count = session->in.count,
    };
    if (call.count == 0)
        return;
    server->commands++;
    session->commands++;
    const struct spec *spec = slot_of(pack(call.args[0]))->spec;
    if (spec == NULL) {
        fail_unknown(&call);
        return;
    }
    call.name = spec->name;
    if (fits_arity(spec, call.count))
        spec->run(&call);
    else
        fail_arity(&call);
}

void fail_syntax(struct call *call) {
    reply_error(call->out, "ERR syntax error");
}

void fail_memory(struct call *call) {
    reply_error(call->out, "OOM command not allowed when used memory > 'maxmemory'.");
}

void fail_arity(struct call *call) {
    reply_error(call->out, "ERR wrong number of arguments for '%s' command", call->name);
}

static bool is_kind(const struct call *call, const struct value *value, enum kind kind) {
    if (value->kind == kind)
        return true;
    reply_error(call->out,
                "WRONGTYPE Operation against a key holding the wrong kind of value");
    return false;
}

bool call_find(struct call *call, enum kind kind, struct entry **entry) {
    *entry = db_find(call->db, call->args[1]);
    return *entry != NULL && is_kind(call, &(*entry)->value, kind);
}

static bool make_empty(struct value *value, enum kind kind) {
    value->kind = kind;
    if (kind == KIND_LIST)
        value->list = list_new();
    else
        value->hash = dict_new();
    if (kind == KIND_LIST ? value->list != NULL : value->hash != NULL)
        return true;
    value->kind = KIND_NONE;
    return false;
}

struct entry *call_find_or_add(struct call *call, enum kind kind) {
    struct entry *entry = db_find_or_add(call->db, call->args[1]);
    if (entry != NULL && entry->value.kind != KIND_NONE)
        return is_kind(call, &entry->value, kind) ? entry : NULL;
    if (entry != NULL && make_empty(&entry->value, kind))
        return entry;
    if (entry != NULL)
        db_remove(call->db, entry);
    fail_memory(call);
    return NULL;
}

bool call_integer(struct call *call, size_t index, int64_t *value) {
    bool is_integer = parse_integer(call->args[index], value);
    if (!is_integer)
        reply_error(call->out, "ERR value is not an integer or out of range");
    return is_integer;
}

bool call_deadline(struct call *call, size_t index, int64_t unit_ms, int64_t *at_ms) {
    int64_t units;
    if (!call_integer(call, index, &units))
        return false;
    if (units > (INT64_MAX - call->db->now_ms) / unit_ms || units < INT64_MIN / unit_ms) {
        reply_error(call->out, "ERR invalid expire time in '%s' command", call->name);
        return false;
    }
    *at_ms = call->db->now_ms + units * unit_ms;
    return true;
}
