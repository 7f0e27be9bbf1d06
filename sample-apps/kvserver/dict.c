/* dict.c: keys to values in chained buckets, with incremental rehash. */
#include "kv.h"

#include <string.h>

enum {
    FIRST_SIZE = 4,
    EMPTY_BUCKETS = 10, /* passed by one step of a rehash at most */
    SHRINK_BELOW = 8,   /* one key in so many buckets */
};

/* SipHash-1-3 of Aumasson and Bernstein (SipHash: a fast short-input PRF, 2012). The
 * key's second half is 0. */
struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t seed;

void hash_seed(uint64_t new_seed) {
    seed = new_seed;
}

static uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static void mix(struct state *s) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32) + s->v3;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static void absorb(struct state *s, uint64_t word) {
    s->v3 ^= word;
    mix(s);
    s->v0 ^= word;
}

/* The first byte is the lowest. */
static uint64_t load(const char *bytes, size_t length) {
    uint64_t word = 0;
    while (length-- > 0)
        word = word << 8 | (unsigned char)bytes[length];
    return word;
}

uint64_t hash_of(struct slice bytes) {
    struct state s = {
        seed ^ 0x736f6d6570736575,
        0x646f72616e646f6d,
        seed ^ 0x6c7967656e657261,
        0x7465646279746573,
    };
    size_t whole = bytes.length & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        absorb(&s, load(bytes.bytes + i, 8));
    absorb(&s, (uint64_t)bytes.length << 56 |
                   load(bytes.bytes + whole, bytes.length - whole));
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        mix(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static size_t entry_size(size_t key_length) {
    return sizeof(struct entry) + key_length;
}

static struct entry *new_entry(struct slice key, uint64_t hash) {
    struct entry *entry = memory_take(entry_size(key.length));
    if (entry == NULL)
        return NULL;
    *entry = (struct entry){.hash = hash, .key_length = (uint32_t)key.length};
    memcpy(entry->key, key.bytes, key.length);
    return entry;
}

static void free_entry(struct entry *entry) {
    value_clear(&entry->value);
    memory_give(entry, entry_size(entry->key_length));
}

struct dict *dict_new(void) {
    return memory_take_zeroed(1, sizeof(struct dict));
}

static void free_table(struct table *table) {
    memory_give(table->buckets, table->size * sizeof(struct entry *));
    *table = (struct table){0};
}

static void clear_table(struct table *table) {
    for (size_t i = 0; i < table->size && table->used > 0; i++) {
        for (struct entry *entry = table->buckets[i], *next; entry != NULL;
             entry = next) {
            next = entry->next;
            free_entry(entry);
            table->used--;
        }
    }
    free_table(table);
}

void dict_clear(struct dict *dict) {
    clear_table(&dict->tables[0]);
    clear_table(&dict->tables[1]);
    dict->moved = 0;
}

/* A hash holds strings only: this recursion from value_clear() is one deep. */
void dict_free(struct dict *dict) {
    dict_clear(dict);
    memory_give(dict, sizeof(*dict));
}

static bool is_rehashing(const struct dict *dict) {
    return dict->tables[1].size > 0;
}

static struct entry **bucket(const struct table *table, uint64_t hash) {
    return &table->buckets[hash & (table->size - 1)];
}

static void insert(struct table *table, struct entry *entry) {
    struct entry **place = bucket(table, entry->hash);
    entry->next = *place;
    *place = entry;
    table->used++;
}

static void move_bucket(struct dict *dict, size_t index) {
    struct table *from = &dict->tables[0];
    struct entry *entry = from->buckets[index], *next;
    from->buckets[index] = NULL;
    for (; entry != NULL; entry = next) {
        next = entry->next;
        insert(&dict->tables[1], entry);
        from->used--;
    }
}

static void finish_rehash(struct dict *dict) {
    free_table(&dict->tables[0]);
    dict->tables[0] = dict->tables[1];
    dict->tables[1] = (struct table){0};
    dict->moved = 0;
}

/* While tables[0] holds a key, a bucket at or after `moved` does. */
static void rehash_step(struct dict *dict) {
    if (!is_rehashing(dict))
        return;
    for (int i = 0; i < EMPTY_BUCKETS && dict->tables[0].used > 0; i++) {
        size_t index = dict->moved++;
        if (dict->tables[0].buckets[index] != NULL) {
            move_bucket(dict, index);
            break;
        }
    }
    if (dict->tables[0].used == 0)
        finish_rehash(dict);
}

/* Without memory for the new table the old one stays, and only its chains get longer. */
static bool resize(struct dict *dict, size_t size) {
    struct table *table = &dict->tables[dict->tables[0].size > 0];
    struct entry **buckets = memory_take_zeroed(size, sizeof(struct entry *));
    if (buckets == NULL)
        return false;
    *table = (struct table){.buckets = buckets, .size = size};
    return true;
}

/* False if there is not a single bucket. */
static bool make_room(struct dict *dict) {
    size_t size = dict->tables[0].size;
    if (size == 0)
        return resize(dict, FIRST_SIZE);
    if (!is_rehashing(dict) && dict->tables[0].used >= size)
        resize(dict, 2 * size);
    return true;
}

static void give_room(struct dict *dict) {
    size_t size = dict->tables[0].size, used = dict->tables[0].used;
    if (is_rehashing(dict) || size <= FIRST_SIZE || used >= size / SHRINK_BELOW)
        return;
    while (size > FIRST_SIZE && used < size / 2)
        size /= 2;
    resize(dict, size);
}

static bool has_key(const struct entry *entry, struct slice key, uint64_t hash) {
    return entry->hash == hash && entry->key_length == key.length &&
           memcmp(entry->key, key.bytes, key.length) == 0;
}

static struct entry *search_table(const struct table *table, struct slice key,
                                  uint64_t hash) {
    if (table->used == 0)
        return NULL;
    struct entry *entry = *bucket(table, hash);
    while (entry != NULL && !has_key(entry, key, hash))
        entry = entry->next;
    return entry;
}

static struct entry *search(struct dict *dict, struct slice key, uint64_t hash) {
    rehash_step(dict);
    struct entry *entry = search_table(&dict->tables[0], key, hash);
    return entry != NULL ? entry : search_table(&dict->tables[1], key, hash);
}

struct entry *dict_find(struct dict *dict, struct slice key) {
    return search(dict, key, hash_of(key));
}

struct entry *dict_find_or_add(struct dict *dict, struct slice key) {
    uint64_t hash = hash_of(key);
    struct entry *entry = search(dict, key, hash);
    if (entry != NULL)
        return entry;
    if (!make_room(dict) || (entry = new_entry(key, hash)) == NULL)
        return NULL;
    insert(&dict->tables[is_rehashing(dict)], entry);
    return entry;
}

static bool unlink_from(struct table *table, const struct entry *entry) {
    if (table->used == 0)
        return false;
    struct entry **link = bucket(table, entry->hash);
    while (*link != NULL && *link != entry)
        link = &(*link)->next;
    if (*link == NULL)
        return false;
    *link = entry->next;
    table->used--;
    return true;
}

void dict_remove(struct dict *dict, struct entry *entry) {
    if (!unlink_from(&dict->tables[0], entry))
        unlink_from(&dict->tables[1], entry);
    free_entry(entry);
    rehash_step(dict);
    give_room(dict);
}

static void visit_bucket(const struct table *table, uint64_t index, dict_visit *visit,
                         void *context) {
    for (struct entry *entry = *bucket(table, index); entry != NULL; entry = entry->next)
        visit(context, entry);
}

static uint64_t reverse_bits(uint64_t x) {
    x = (x >> 1 & 0x5555555555555555) | (x & 0x5555555555555555) << 1;
    x = (x >> 2 & 0x3333333333333333) | (x & 0x3333333333333333) << 2;
    x = (x >> 4 & 0x0f0f0f0f0f0f0f0f) | (x & 0x0f0f0f0f0f0f0f0f) << 4;
    x = (x >> 8 & 0x00ff00ff00ff00ff) | (x & 0x00ff00ff00ff00ff) << 8;
    x = (x >> 16 & 0x0000ffff0000ffff) | (x & 0x0000ffff0000ffff) << 16;
    return x >> 32 | x << 32;
}

/* Counts up in the bits of the mask, the highest being the one that changes first. */
static uint64_t next_cursor(uint64_t cursor, uint64_t mask) {
    return reverse_bits(reverse_bits(cursor | ~mask) + 1);
}

/*
 * The cursor names a set of hashes by their low bits. Counting from the high bit down,
 * all buckets whose index ends in the same low bits follow each other: a table of twice
 * the size has, in place of one bucket, two that are neighbours in this order, so that a
 * cursor taken in one size has the same hashes behind it in every other. During a rehash
 * a step is a bucket of the smaller table and all those of the larger one that it
 * corresponds to.
 */
uint64_t dict_scan(const struct dict *dict, uint64_t cursor, dict_visit *visit,
                   void *context) {
    const struct table *small = &dict->tables[0], *large = &dict->tables[1];
    if (small->size == 0)
        return 0;
    if (!is_rehashing(dict)) {
        visit_bucket(small, cursor, visit, context);
        return next_cursor(cursor, small->size - 1);
    }
    if (small->size > large->size) {
        small = &dict->tables[1];
        large = &dict->tables[0];
    }
    uint64_t extra = (small->size - 1) ^ (large->size - 1);
    visit_bucket(small, cursor, visit, context);
    do {
        visit_bucket(large, cursor, visit, context);
        cursor = next_cursor(cursor, large->size - 1);
    } while (cursor & extra);
    return cursor;
}
