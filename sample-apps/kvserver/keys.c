/* keys.c: the commands of keys of any kind. */
#include "kv.h"

void command_del(struct call *call) {
    int64_t count = 0;
    for (size_t i = 1; i < call->count; i++) {
        struct entry *entry = db_find(call->db, call->args[i]);
        if (entry == NULL)
            continue;
        db_remove(call->db, entry);
        count++;
    }
    reply_integer(call->out, count);
}

void command_exists(struct call *call) {
    int64_t count = 0;
    for (size_t i = 1; i < call->count; i++)
        count += db_find(call->db, call->args[i]) != NULL;
    reply_integer(call->out, count);
}

static const char *type_name(const struct entry *entry) {
    static const char *const names[] = {"none", "string", "list", "hash"};
    return names[entry == NULL ? KIND_NONE : entry->value.kind];
}

void command_type(struct call *call) {
    reply_status(call->out, type_name(db_find(call->db, call->args[1])));
}

static void expire_in(struct call *call, int64_t unit_ms) {
    int64_t at_ms;
    if (!call_deadline(call, 2, unit_ms, &at_ms))
        return;
    struct entry *entry = db_find(call->db, call->args[1]);
    if (entry == NULL) {
        reply_integer(call->out, 0);
        return;
    }
    if (at_ms <= call->db->now_ms)
        db_remove(call->db, entry);
    else
        db_set_deadline(call->db, entry, at_ms);
    reply_integer(call->out, 1);
}

void command_expire(struct call *call) {
    expire_in(call, 1000);
}

void command_pexpire(struct call *call) {
    expire_in(call, 1);
}

void command_persist(struct call *call) {
    struct entry *entry = db_find(call->db, call->args[1]);
    bool expires = entry != NULL && entry->deadline_ms != 0;
    if (expires)
        db_set_deadline(call->db, entry, 0);
    reply_integer(call->out, expires);
}

/* Milliseconds; -1 without a deadline, -2 without a key. */
static int64_t time_left(struct call *call) {
    const struct entry *entry = db_find(call->db, call->args[1]);
    if (entry == NULL)
        return -2;
    return entry->deadline_ms == 0 ? -1 : entry->deadline_ms - call->db->now_ms;
}

void command_pttl(struct call *call) {
    reply_integer(call->out, time_left(call));
}

void command_ttl(struct call *call) {
    int64_t left_ms = time_left(call);
    reply_integer(call->out,
                  left_ms < 0 ? left_ms : left_ms / 1000 + (left_ms % 1000 >= 500));
}

void command_dbsize(struct call *call) {
    reply_integer(call->out, (int64_t)dict_size(&call->db->keys));
}

void command_flushall(struct call *call) {
    db_clear(call->db);
    reply_ok(call->out);
}

/* Collects replies for the keys that match. */
struct filter {
    const struct db *db;
    struct slice pattern;
    size_t seen, matched;
    struct buffer keys;
};

static bool passes(const struct filter *filter, const struct entry *entry) {
    return !db_is_expired(filter->db, entry) &&
           match_glob(filter->pattern, entry_key(entry));
}

static void filter_key(void *context, struct entry *entry) {
    struct filter *filter = context;
    filter->seen++;
    if (!passes(filter, entry))
        return;
    filter->matched++;
    reply_bulk(&filter->keys, entry_key(entry));
}

static struct filter new_filter(const struct call *call) {
    return (struct filter){
        .db = call->db,
        .pattern = SLICE("*"),
        .keys.limit = call->out->limit,
    };
}

static void reply_matches(struct call *call, struct filter *filter) {
    reply_array(call->out, filter->matched);
    reply_collected(call->out, &filter->keys, false);
}

void command_keys(struct call *call) {
    struct filter filter = new_filter(call);
    filter.pattern = call->args[1];
    uint64_t cursor = 0;
    do
        cursor = dict_scan(&call->db->keys, cursor, filter_key, &filter);
    while (cursor != 0);
    reply_matches(call, &filter);
}

static bool scan_options(struct call *call, struct filter *filter, int64_t *count) {
    for (size_t i = 2; i < call->count; i += 2) {
        struct slice word = call->args[i];
        bool has_value = i + 1 < call->count;
        if (has_value && equal_folded(word, "count")) {
            if (!call_integer(call, i + 1, count))
                return false;
        } else if (has_value && equal_folded(word, "match")) {
            filter->pattern = call->args[i + 1];
        } else {
            *count = 0;
        }
        if (*count < 1) {
            fail_syntax(call);
            return false;
        }
    }
    return true;
}

/* Empty buckets count too, so that one call is bounded. */
static uint64_t scan_some(const struct dict *keys, uint64_t cursor, struct filter *filter,
                          size_t count) {
    size_t buckets = 0;
    do {
        cursor = dict_scan(keys, cursor, filter_key, filter);
        buckets++;
    } while (cursor != 0 && filter->seen < count && buckets / 10 < count);
    return cursor;
}

void command_scan(struct call *call) {
    struct filter filter = new_filter(call);
    char digits[KV_INTEGER_SIZE];
    int64_t cursor, count = 10;
    if (!parse_integer(call->args[1], &cursor) || cursor < 0) {
        reply_error(call->out, "ERR invalid cursor");
        return;
    }
    if (!scan_options(call, &filter, &count))
        return;
    cursor =
        (int64_t)scan_some(&call->db->keys, (uint64_t)cursor, &filter, (size_t)count);
    reply_array(call->out, 2);
    reply_bulk(call->out, (struct slice){digits, format_integer(digits, cursor)});
    reply_matches(call, &filter);
}
