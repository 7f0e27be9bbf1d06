/* Order and hash: a stable sort, B+trees over columns, sets of tuples. */
#include "csvql.h"

#include <string.h>

/* ---- sorting ---- */

static int compare_rows(const Value *a, const Value *b, const SortKey *keys,
                        size_t nkeys) {
    for (size_t i = 0; i < nkeys; i++) {
        int order = value_compare(a[keys[i].column], b[keys[i].column]);
        if (order)
            return keys[i].descending ? -order : order;
    }
    return 0;
}

/* Merges two sorted runs, the first copied to `spare`, which is as long. */
static void merge(const Value **rows, size_t middle, size_t count, const Value **spare,
                  const SortKey *keys, size_t nkeys) {
    memcpy(spare, rows, middle * sizeof *rows);
    size_t left = 0, right = middle, to = 0;
    while (left < middle && right < count) {
        if (compare_rows(spare[left], rows[right], keys, nkeys) <= 0)
            rows[to++] = spare[left++];
        else
            rows[to++] = rows[right++];
    }
    memcpy(rows + to, spare + left, (middle - left) * sizeof *rows);
}

static void merge_sort(const Value **rows, size_t count, const Value **spare,
                       const SortKey *keys, size_t nkeys) {
    if (count < 2)
        return;
    size_t middle = count / 2;
    merge_sort(rows, middle, spare, keys, nkeys);
    merge_sort(rows + middle, count - middle, spare, keys, nkeys);
    if (compare_rows(rows[middle - 1], rows[middle], keys, nkeys) > 0)
        merge(rows, middle, count, spare, keys, nkeys);
}

/* Rows with equal keys stay in the order they came in. */
void sort_rows(const Value **rows, size_t count, const SortKey *keys, size_t nkeys,
               Arena *arena) {
    const Value **spare = arena_alloc(arena, count / 2, sizeof *spare);
    merge_sort(rows, count, spare, keys, nkeys);
}

/* ---- B+tree ---- */

enum {
    FANOUT = 32,
    MAX_LEVELS = 7 /* FANOUT to that power exceeds any number of rows */
};

/* Tables do not change, so a tree is built full and its nodes lie side by side: node n of
   a level has the keys from n * FANOUT on. Level 0, the leaves, has the keys of all rows
   in order, each level above it the first key of every node below. */
struct Btree {
    const Value **rows;
    Value *keys[MAX_LEVELS];
    size_t counts[MAX_LEVELS];
    size_t nlevels;
};

static void add_level(Btree *tree, Arena *arena) {
    size_t level = tree->nlevels++;
    size_t count = (tree->counts[level - 1] + FANOUT - 1) / FANOUT;
    tree->keys[level] = arena_alloc(arena, count, sizeof(Value));
    tree->counts[level] = count;
    for (size_t i = 0; i < count; i++)
        tree->keys[level][i] = tree->keys[level - 1][i * FANOUT];
}

/* An index of a column of `count` rows, each `width` values. It refers to the rows. */
Btree *btree_build(const Value *cells, size_t width, size_t count, size_t column,
                   Arena *arena) {
    Btree *tree = arena_alloc(arena, 1, sizeof *tree);
    *tree = (Btree){.rows = arena_alloc(arena, count, sizeof *tree->rows),
                    .keys = {arena_alloc(arena, count, sizeof(Value))},
                    .counts = {count},
                    .nlevels = 1};
    for (size_t i = 0; i < count; i++)
        tree->rows[i] = cells + i * width;
    sort_rows(tree->rows, count, &(SortKey){.column = column}, 1, arena);
    for (size_t i = 0; i < count; i++)
        tree->keys[0][i] = tree->rows[i][column];
    while (tree->counts[tree->nlevels - 1] > FANOUT)
        add_level(tree, arena);
    return tree;
}

size_t btree_count(const Btree *tree) {
    return tree->counts[0];
}

/* The place before the first row with `key`, or after the last one: how many rows come
   before it. */
size_t btree_seek(const Btree *tree, Value key, bool after) {
    size_t at = 0;
    for (size_t level = tree->nlevels; level-- > 0;) {
        const Value *keys = tree->keys[level];
        size_t start = at * FANOUT, low = start, high = start + FANOUT;
        if (high > tree->counts[level])
            high = tree->counts[level];
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (value_compare(keys[middle], key) < after)
                low = middle + 1;
            else
                high = middle;
        }
        at = low - (level > 0 && low > start); /* the last node that begins before */
    }
    return at;
}

/* The row after a place. */
const Value *btree_row(const Btree *tree, size_t place) {
    return tree->rows[place];
}

/* ---- set of tuples ---- */

static uint64_t hash_tuple(const Value *tuple, size_t width) {
    uint64_t hash = 0;
    for (size_t i = 0; i < width; i++)
        hash = value_hash(tuple[i], hash);
    return hash;
}

static bool same_tuple(const Value *a, const Value *b, size_t width) {
    for (size_t i = 0; i < width; i++) {
        if (value_compare(a[i], b[i]) != 0)
            return false;
    }
    return true;
}

/* The slot that holds the tuple, or the free one where it belongs. */
static uint32_t *find_tuple(const Set *set, const Value *tuple, uint64_t hash) {
    size_t mask = set->capacity - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        uint32_t slot = set->slots[i];
        if (slot == 0 ||
            (set->hashes[slot - 1] == hash &&
             same_tuple(&set->tuples[(slot - 1) * set->width], tuple, set->width)))
            return &set->slots[i];
    }
}

/* Doubles the slots when three quarters are taken. */
static void reserve_slot(Set *set) {
    if (set->count < set->capacity / 4 * 3)
        return;
    size_t capacity = set->capacity ? 2 * set->capacity : 16;
    if (capacity > UINT32_MAX)
        fail(set->arena->err, NULL, NO_PLACE, "too many different values");
    uint32_t *slots = arena_alloc(set->arena, capacity, sizeof *slots);
    memset(slots, 0, capacity * sizeof *slots);
    for (size_t n = 0; n < set->count; n++) {
        size_t i = (size_t)set->hashes[n] & (capacity - 1);
        while (slots[i])
            i = (i + 1) & (capacity - 1);
        slots[i] = (uint32_t)(n + 1);
    }
    set->slots = slots;
    set->capacity = capacity;
}

static void store_tuple(Set *set, const Value *tuple, uint64_t hash) {
    size_t n = set->count, width = set->width;
    set->hashes = arena_extend(set->arena, set->hashes, n, sizeof *set->hashes);
    set->tuples = arena_extend(set->arena, set->tuples, n, width * sizeof *tuple);
    set->hashes[n] = hash;
    for (size_t i = 0; i < width; i++)
        set->tuples[n * width + i] = value_keep(tuple[i], set->arena);
    set->count++;
}

/* Finds the number of a tuple; true: it is new, and was added. Tuples are equal if their
   values are, NULL to NULL and 1 to 1.0. */
bool set_add(Set *set, const Value *tuple, size_t *number) {
    reserve_slot(set);
    uint64_t hash = hash_tuple(tuple, set->width);
    uint32_t *slot = find_tuple(set, tuple, hash);
    bool added = *slot == 0;
    if (added) {
        store_tuple(set, tuple, hash);
        *slot = (uint32_t)set->count;
    }
    *number = *slot - 1;
    return added;
}
