/* Finding values: by order with a B+tree, by hash with a set of tuples. */
#include "csvql.h"

#include <stdlib.h>
#include <string.h>

/* ---- B+tree ---- */

/* An index holds every row of a column. Rows make entries distinct, so that equal keys
   stay in row order. In an inner node links[i] leads to the entries before entries[i],
   links[i + 1] to those from it on. A leaf is linked to the ones before and after. */
enum { FANOUT = 64, PREVIOUS = 0, NEXT = 1 };

typedef struct Entry {
    Value key;
    uint32_t row;
} Entry;

typedef struct Node {
    size_t count;
    bool leaf;
    Entry entries[FANOUT];
    struct Node *links[];
} Node;

struct Btree {
    Arena memory;
    Node *root;
};

static Node *new_node(Btree *tree, bool leaf) {
    size_t links = leaf ? 2 : FANOUT + 1;
    Node *n = arena_alloc(&tree->memory, 1, sizeof *n + links * sizeof(Node *));
    if (n) {
        n->count = 0;
        n->leaf = leaf;
        n->links[PREVIOUS] = n->links[NEXT] = NULL;
    }
    return n;
}

static int compare_entries(const Entry *a, const Entry *b) {
    int order = value_compare(a->key, b->key);
    return order ? order : (a->row > b->row) - (a->row < b->row);
}

/* The number of entries before `e`, counting one that equals it only in inner nodes: the
   slot of `e` in a leaf, the link that leads to it in an inner node. */
static size_t find_slot(const Node *n, const Entry *e) {
    size_t low = 0, high = n->count;
    int before = n->leaf ? -1 : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_entries(&n->entries[middle], e) <= before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert_entry(Node *n, size_t slot, const Entry *e) {
    memmove(&n->entries[slot + 1], &n->entries[slot],
            (n->count - slot) * sizeof n->entries[0]);
    n->entries[slot] = *e;
    n->count++;
}

/* Puts a new child to the right of links[slot], parted from it by `e`. */
static void insert_child(Node *n, size_t slot, const Entry *e, Node *child) {
    memmove(&n->links[slot + 2], &n->links[slot + 1],
            (n->count - slot) * sizeof n->links[0]);
    n->links[slot + 1] = child;
    insert_entry(n, slot, e);
}

static void link_leaf(Node *left, Node *right) {
    right->links[PREVIOUS] = left;
    right->links[NEXT] = left->links[NEXT];
    if (right->links[NEXT])
        right->links[NEXT]->links[PREVIOUS] = right;
    left->links[NEXT] = right;
}

/* Splits the full child links[slot] of a node that is not full. */
static bool split_child(Btree *tree, Node *parent, size_t slot) {
    Node *left = parent->links[slot];
    Node *right = new_node(tree, left->leaf);
    if (!right)
        return false;
    size_t keep = FANOUT / 2;
    Entry middle = left->entries[keep];
    size_t from =
        left->leaf ? keep : keep + 1; /* an inner node's middle entry moves up */
    right->count = FANOUT - from;
    memcpy(right->entries, left->entries + from, right->count * sizeof middle);
    if (left->leaf)
        link_leaf(left, right);
    else
        memcpy(right->links, left->links + from,
               (right->count + 1) * sizeof right->links[0]);
    left->count = keep;
    insert_child(parent, slot, &middle, right);
    return true;
}

static bool split_root(Btree *tree) {
    Node *root = new_node(tree, false);
    if (!root)
        return false;
    root->links[0] = tree->root;
    if (!split_child(tree, root, 0))
        return false;
    tree->root = root;
    return true;
}

/* Splits full nodes on the way down, so that there is always room above. */
static bool insert(Btree *tree, const Entry *e) {
    if (tree->root->count == FANOUT && !split_root(tree))
        return false;
    Node *n = tree->root;
    while (!n->leaf) {
        size_t slot = find_slot(n, e);
        if (n->links[slot]->count == FANOUT) {
            if (!split_child(tree, n, slot))
                return false;
            slot += compare_entries(&n->entries[slot], e) <= 0;
        }
        n = n->links[slot];
    }
    insert_entry(n, find_slot(n, e), e);
    return true;
}

void btree_free(Btree *tree) {
    if (tree)
        arena_free(&tree->memory);
    free(tree);
}

/* An index of `count` keys that lie `stride` values apart; NULL without memory. The tree
   copies the values, but not their text. */
Btree *btree_build(const Value *keys, size_t stride, size_t count) {
    Btree *tree = calloc(1, sizeof *tree);
    bool ok = tree && (tree->root = new_node(tree, true));
    for (size_t row = 0; ok && row < count; row++)
        ok = insert(tree, &(Entry){keys[row * stride], (uint32_t)row});
    if (ok)
        return tree;
    btree_free(tree);
    return NULL;
}

/* A cursor at the end of a leaf that has a next one stands at the start of that. */
static Cursor normal(const Node *leaf, size_t slot) {
    if (slot == leaf->count && leaf->links[NEXT])
        return (Cursor){leaf->links[NEXT], 0};
    return (Cursor){leaf, slot};
}

Cursor btree_begin(const Btree *tree) {
    const Node *n = tree->root;
    while (!n->leaf)
        n = n->links[0];
    return normal(n, 0);
}

Cursor btree_end(const Btree *tree) {
    const Node *n = tree->root;
    while (!n->leaf)
        n = n->links[n->count];
    return normal(n, n->count);
}

/* The place before the first entry with `key`, or after the last one. */
Cursor btree_seek(const Btree *tree, Value key, bool after) {
    Entry e = {key, after ? UINT32_MAX : 0};
    const Node *n = tree->root;
    while (!n->leaf)
        n = n->links[find_slot(n, &e)];
    return normal(n, find_slot(n, &e));
}

bool cursor_same(Cursor a, Cursor b) {
    return a.leaf == b.leaf && a.slot == b.slot;
}

/* The row of the entry at a cursor that is not at the end; passes it. */
uint32_t cursor_row(Cursor *c) {
    uint32_t row = c->leaf->entries[c->slot].row;
    *c = normal(c->leaf, c->slot + 1);
    return row;
}

/* The key of the entry before a cursor that is not at the beginning. */
Value cursor_key_before(Cursor c) {
    if (c.slot > 0)
        return c.leaf->entries[c.slot - 1].key;
    const Node *previous = c.leaf->links[PREVIOUS];
    return previous->entries[previous->count - 1].key;
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
static bool reserve_slot(Set *set) {
    if (set->count < set->capacity / 4 * 3)
        return true;
    size_t capacity = set->capacity ? 2 * set->capacity : 16;
    uint32_t *slots = arena_alloc(set->arena, capacity, sizeof *slots);
    if (!slots || capacity > UINT32_MAX)
        return false;
    memset(slots, 0, capacity * sizeof *slots);
    for (size_t n = 0; n < set->count; n++) {
        size_t i = (size_t)set->hashes[n] & (capacity - 1);
        while (slots[i])
            i = (i + 1) & (capacity - 1);
        slots[i] = (uint32_t)(n + 1);
    }
    set->slots = slots;
    set->capacity = capacity;
    return true;
}

static bool store_tuple(Set *set, const Value *tuple, uint64_t hash) {
    Arena *arena = set->arena;
    size_t n = set->count, width = set->width;
    uint64_t *hashes = arena_extend(arena, set->hashes, n, sizeof *hashes);
    Value *tuples = arena_extend(arena, set->tuples, n, width * sizeof *tuples);
    if (!hashes || !tuples)
        return false;
    set->hashes = hashes;
    set->tuples = tuples;
    hashes[n] = hash;
    for (size_t i = 0; i < width; i++) {
        tuples[n * width + i] = tuple[i];
        if (!value_keep(&tuples[n * width + i], arena))
            return false;
    }
    set->count++;
    return true;
}

/* Finds the number of a tuple, adding it if it is new; false if there is no memory.
   Tuples are equal if their values are, NULL to NULL and 1 to 1.0. */
bool set_add(Set *set, const Value *tuple, size_t *number, bool *added) {
    if (!reserve_slot(set))
        return false;
    uint64_t hash = hash_tuple(tuple, set->width);
    uint32_t *slot = find_tuple(set, tuple, hash);
    *added = *slot == 0;
    if (*added) {
        if (!store_tuple(set, tuple, hash))
            return false;
        *slot = (uint32_t)set->count;
    }
    *number = *slot - 1;
    return true;
}
