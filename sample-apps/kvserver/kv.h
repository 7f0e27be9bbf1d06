/* kv.h: what the server's modules share, from the lowest to the highest. */
#ifndef KV_H
#define KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KV_INTEGER_SIZE = 24,           /* bytes that fit any formatted int64_t */
    KV_MAX_ARGS = 1024 * 1024,      /* arguments of one request */
    KV_MAX_LINE = 64 * 1024,        /* bytes of an inline request */
    KV_MAX_BULK = 512 * 1024 * 1024 /* bytes of an argument; every length fits 32 bits */
};

/* Bytes that belong to somebody else. */
struct slice {
    const char *bytes;
    size_t length;
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

/* text.c: integers and patterns */

/* True if all of the text is an integer as format_integer() writes it. */
bool parse_integer(struct slice text, int64_t *value);
size_t format_integer(char *out, int64_t value);       /* no NUL; returns the length */
bool equal_folded(struct slice text, const char *low); /* ignores the text's ASCII case */

/* Glob: * ? [set] [^set] [a-z] and \ before a character meant literally. */
bool match_glob(struct slice pattern, struct slice text);

/* value.c: the memory of the data set, counted and limited. Who frees a block knows its
 * size. */

void memory_limit(size_t bytes);
size_t memory_used(void);
void *memory_take(size_t size); /* NULL above the limit, or if there is none left */
void *memory_take_zeroed(size_t count, size_t size);
void memory_give(void *block, size_t size); /* NULL is ignored */

/* value.c: byte strings, and what a key or a field stands for */

struct string {
    uint32_t length;
    char bytes[];
};

struct string *string_new(struct slice bytes); /* NULL if memory runs out */
void string_free(struct string *string);

static inline struct slice string_slice(const struct string *string) {
    return (struct slice){string->bytes, string->length};
}

enum kind { KIND_NONE, KIND_STRING, KIND_LIST, KIND_HASH };

struct value {
    enum kind kind;
    union {
        struct string *string;
        struct list *list;
        struct dict *hash; /* fields to values of KIND_STRING */
    };
};

void value_clear(struct value *value); /* frees what it owns; it is of KIND_NONE then */

/* Makes it a string. False, with nothing changed, if memory runs out. */
bool value_store(struct value *value, struct slice bytes);

/* list.c: a list of byte strings, as a ring */

struct list {
    struct string **slots;
    size_t size, first, length; /* size is 0 or a power of two */
};

enum list_end { LIST_HEAD, LIST_TAIL };

struct list *list_new(void);
void list_free(struct list *list);
bool list_push(struct list *list, enum list_end end, struct slice bytes);
struct string *list_pop(struct list *list, enum list_end end); /* NULL if it is empty */

/* The element at an index < length. */
static inline struct string *list_at(const struct list *list, size_t index) {
    return list->slots[(list->first + index) & (list->size - 1)];
}

/* dict.c: keys to values, with incremental rehash */

void hash_seed(uint64_t seed);
uint64_t hash_of(struct slice bytes); /* SipHash-1-3 */

struct entry {
    struct entry *next;
    uint64_t hash;
    struct value value;
    int64_t deadline_ms; /* 0 if it does not expire */
    uint32_t key_length;
    char key[];
};

struct table {
    struct entry **buckets;
    size_t size, used; /* size is 0 or a power of two */
};

/*
 * While tables[1] has buckets, the dict is being rehashed: the buckets of tables[0] below
 * `moved` are empty, what was in them is in tables[1], and so are new keys. Each lookup,
 * addition and removal moves one more bucket.
 */
struct dict {
    struct table tables[2];
    size_t moved;
};

typedef void dict_visit(void *context, struct entry *entry);

struct dict *dict_new(void);
void dict_free(struct dict *dict);  /* with its keys and values */
void dict_clear(struct dict *dict); /* to its state when it was new */
struct entry *dict_find(struct dict *dict, struct slice key);

/* NULL if memory runs out. The value of a new entry, one that was added, is of KIND_NONE.
 */
struct entry *dict_find_or_add(struct dict *dict, struct slice key);
void dict_remove(struct dict *dict, struct entry *entry); /* frees it */

/*
 * Visits some entries and returns the next cursor; start with 0, and 0 means the end. An
 * entry that is there from the first call to the last is visited at least once, whatever
 * is added, removed and rehashed between the calls.
 */
uint64_t dict_scan(const struct dict *dict, uint64_t cursor, dict_visit *visit,
                   void *context);

static inline size_t dict_size(const struct dict *dict) {
    return dict->tables[0].used + dict->tables[1].used;
}

static inline struct slice entry_key(const struct entry *entry) {
    return (struct slice){entry->key, entry->key_length};
}

/* db.c: the key space: a dict whose keys can expire */

struct db {
    struct dict keys;
    int64_t now_ms; /* monotonic, set by the event loop */
    size_t deadlines;
    uint64_t cursor; /* of db_sweep() */
    uint64_t expired, hits, misses;
};

/* An expired key is removed when it is found, as if it had not been there. */
struct entry *db_find(struct db *db, struct slice key);
struct entry *db_find_or_add(struct db *db, struct slice key);
void db_remove(struct db *db, struct entry *entry);
void db_clear(struct db *db);
void db_set_deadline(struct db *db, struct entry *entry, int64_t at_ms); /* 0: none */
bool db_is_expired(const struct db *db, const struct entry *entry);

/* Removes some of the expired keys; all of them if it is called again and again. */
void db_sweep(struct db *db);

/* reply.c: output that waits to be sent, and RESP2 replies */

struct buffer {
    char *bytes;
    size_t start, end, capacity;
    size_t limit; /* of what it may hold */
    bool failed;  /* something could not be appended; nothing is from then on */
};

void buffer_free(struct buffer *buffer);
void buffer_append(struct buffer *buffer, struct slice bytes);
void buffer_print(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_consume(struct buffer *buffer, size_t length);

static inline size_t buffer_length(const struct buffer *buffer) {
    return buffer->end - buffer->start;
}

void reply_ok(struct buffer *out);
void reply_status(struct buffer *out, const char *text);
void reply_error(struct buffer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void reply_integer(struct buffer *out, int64_t value);
void reply_bulk(struct buffer *out, struct slice bytes);
void reply_nil(struct buffer *out);
void reply_array(struct buffer *out, size_t count);

/* Replies with what was collected in another buffer, and frees that: as it is, or as a
 * bulk string. */
void reply_collected(struct buffer *out, struct buffer *collected, bool bulk);

/* request.c: RESP2 and inline requests */

enum request_state { REQUEST_INCOMPLETE, REQUEST_READY, REQUEST_INVALID };

struct request {
    struct slice *args; /* into bytes; complete when REQUEST_READY */
    size_t count;
    size_t args_size;
    char *bytes;
    size_t capacity;
    size_t limit;          /* of the bytes of one request */
    size_t start, at, end; /* of this request; of what is not parsed; of what is there */
    size_t missing;        /* arguments that are not complete */
    size_t bulk;           /* length of the argument under way, if in_bulk */
    bool in_bulk;
    char error[64]; /* of REQUEST_INVALID */
};

void request_free(struct request *request);

/* Room for bytes received next; NULL if memory runs out or the request is too long. */
char *request_room(struct request *request, size_t *room);
void request_received(struct request *request, size_t length);

/* Moves on to the next request. After REQUEST_INVALID nothing that follows has a meaning.
 */
enum request_state request_next(struct request *request);

/* session.c: one client, without its socket */

struct server;

struct session {
    struct request in;
    struct buffer out;
    uint64_t id;
    char peer[32];
    int64_t since_ms, progress_ms; /* accepted; last executed a request or sent a byte */
    uint64_t polls, idle_polls;    /* how often it was ready; without progress then */
    uint64_t bytes_in, bytes_out, commands;
    bool progress; /* in this poll */
    bool closing;  /* once its output is sent */
    struct session *previous, *next;
};

void session_open(struct session *session, struct server *server);
void session_close(struct session *session, struct server *server);

/* Executes the requests that have arrived. Stops when much output is waiting to be sent,
 * so that a client which does not read cannot make the server collect replies without
 * end. False if there was nothing to execute. */
bool session_run(struct session *session, struct server *server);

/* command.c: the table of commands */

struct server {
    struct db db;
    size_t max_clients, max_buffer; /* bytes of one request, and of one client's output */
    struct session *sessions;
    size_t session_count;
    uint64_t next_session;
    int64_t started_ms;
    int64_t clock_step_ms; /* how long a turn of the event loop is; 0: as it is */
    uint64_t rejected, commands, bytes_in, bytes_out;
    uint16_t port;
};

/* One request under execution. */
struct call {
    struct server *server;
    struct session *session;
    struct db *db;
    struct buffer *out;
    const struct slice *args; /* args[0] is the name */
    size_t count;
    const char *name;
};

typedef void command(struct call *call);

void command_prepare(void); /* once, before anything is run */
void command_run(struct server *server, struct session *session);

/* Error replies of several commands. */
void fail_syntax(struct call *call);
void fail_memory(struct call *call);
void fail_arity(struct call *call);

/* Looks up args[1]. True if it is there and of this kind; false with *entry NULL if the
 * key is missing; false after an error reply, with *entry set, if it is of another kind.
 */
bool call_find(struct call *call, enum kind kind, struct entry **entry);

/* The same, but adds the key if it is missing, with an empty list or hash. NULL after an
 * error reply. */
struct entry *call_find_or_add(struct call *call, enum kind kind);

/* An integer argument; false after an error reply. */
bool call_integer(struct call *call, size_t index, int64_t *value);

/* The point in time that an argument of a command in units of unit_ms names, relative to
 * now; false after an error reply. */
bool call_deadline(struct call *call, size_t index, int64_t unit_ms, int64_t *at_ms);

/* The commands: strings.c, lists.c, hashes.c, keys.c, info.c */

command command_decr, command_get, command_incr, command_incrby, command_mget,
    command_mset, command_set;
command command_llen, command_lpop, command_lpush, command_lrange, command_rpop,
    command_rpush;
command command_hdel, command_hget, command_hgetall, command_hlen, command_hset;
command command_dbsize, command_del, command_exists, command_expire, command_flushall,
    command_keys, command_persist, command_pexpire, command_pttl, command_scan,
    command_ttl, command_type;
command command_echo, command_info, command_ping, command_quit;

/* net.c: sockets and the event loop */

struct net;

/* Listens on an IPv4 address; port 0 chooses a free one. NULL, with errno set, if it
 * cannot. */
struct net *net_open(struct server *server, const char *address, uint16_t port);

/* Serves until SIGTERM or SIGINT. False, with errno set, if waiting fails. */
bool net_run(struct net *net);
void net_close(struct net *net);

int64_t net_now_ms(void); /* monotonic */

#endif
