/* db.c: the key space: a dict whose keys can expire. */
#include "kv.h"

enum { SWEEP_BUCKETS = 4096, SWEEP_KEYS = 64, SWEEP_ROUNDS = 16 };

void db_set_deadline(struct db *db, struct entry *entry, int64_t at_ms) {
    db->deadlines -= entry->deadline_ms != 0;
    db->deadlines += at_ms != 0;
    entry->deadline_ms = at_ms;
}

bool db_is_expired(const struct db *db, const struct entry *entry) {
    return entry->deadline_ms != 0 && entry->deadline_ms <= db->now_ms;
}

void db_remove(struct db *db, struct entry *entry) {
    db_set_deadline(db, entry, 0);
    dict_remove(&db->keys, entry);
}

static void expire(struct db *db, struct entry *entry) {
    db_remove(db, entry);
    db->expired++;
}

/* The keys found by one round of a sweep. They are removed after it, as a dict must not
 * change under a scan. */
struct sweep {
    const struct db *db;
    struct entry *found[SWEEP_KEYS];
    size_t count;
};

static void collect(void *context, struct entry *entry) {
    struct sweep *sweep = context;
    if (sweep->count < SWEEP_KEYS && db_is_expired(sweep->db, entry))
        sweep->found[sweep->count++] = entry;
}

/* True if there seem to be many more. */
static bool sweep_round(struct db *db) {
    struct sweep sweep = {.db = db};
    for (int i = 0; i < SWEEP_BUCKETS && sweep.count < SWEEP_KEYS; i++) {
        db->cursor = dict_scan(&db->keys, db->cursor, collect, &sweep);
        if (db->cursor == 0)
            break;
    }
    for (size_t i = 0; i < sweep.count; i++)
        expire(db, sweep.found[i]);
    return sweep.count == SWEEP_KEYS;
}

void db_sweep(struct db *db) {
    for (int i = 0; i < SWEEP_ROUNDS && db->deadlines > 0 && sweep_round(db); i++)
        continue;
}

struct entry *db_find(struct db *db, struct slice key) {
    struct entry *entry = dict_find(&db->keys, key);
    if (entry != NULL && db_is_expired(db, entry)) {
        expire(db, entry);
        entry = NULL;
    }
    if (entry == NULL)
        db->misses++;
    else
        db->hits++;
    return entry;
}

struct entry *db_find_or_add(struct db *db, struct slice key) {
    struct entry *entry = dict_find_or_add(&db->keys, key);
    if (entry == NULL || !db_is_expired(db, entry))
        return entry;
    expire(db, entry);
    return dict_find_or_add(&db->keys, key);
}

void db_clear(struct db *db) {
    dict_clear(&db->keys);
    db->deadlines = 0;
    db->cursor = 0;
}
