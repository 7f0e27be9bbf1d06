/*
 * dfa.c: a deterministic automaton whose states are made when the text asks for them.
 *
 * A state is a set of NFA nodes. Assertions look at the byte on either side, so a match
 * is only known with the byte after it: it is noted on the move that consumes that byte.
 * The table of moves is bounded; when it is full, it is emptied and grows again from the
 * current state.
 */
#include "grep.h"

#include <stdlib.h>
#include <string.h>

/*
 * A move is the row of the state it leads to, plus what a loop must stop at. The flags
 * are above every row, so that one comparison tells an ordinary move.
 */
#define MATCHED (UINT32_C(1) << 31) /* a match ends before the byte consumed */
#define DEAD (UINT32_C(1) << 30)    /* no match can follow before the next line */
#define UNKNOWN (UINT32_C(1) << 29)
#define ROW (UNKNOWN - 1)
#define GIVE_UP UINT32_MAX

enum {
    STATES_MIN = 4,
    STATES_MAX = 1 << 15,
    SORTED_MAX = 64,
    NODES_PER_STATE = 16,  /* room in the pool, on average */
    SCANNED_PER_STATE = 8, /* bytes; with fewer, making states costs more than it saves */
};

struct state {
    uint32_t first, count; /* its nodes in the pool */
    uint32_t next_in_bucket;
    uint8_t before; /* kind of the byte before, KIND_OTHER if `pending` is false */
    bool pending;   /* it has assertions that wait for the byte after */
};

struct dfa {
    const struct nfa *nfa;
    enum dfa_mode mode;
    bool empty_is_dead;      /* what the empty set leads to is the empty set */
    uint8_t class_of[BYTES]; /* two bytes of a class lead everywhere to the same state */
    uint32_t class_count;
    uint32_t *rows;       /* of class_count moves, one row for every state */
    struct state *states; /* the first is the empty set */
    uint32_t state_count, state_limit;
    uint32_t *pool;
    size_t pool_used, pool_limit;
    uint32_t *buckets; /* state numbers by hash, 0: none */
    uint32_t bucket_mask;
    uint32_t starts[3]; /* rows by the kind of the byte before */
    size_t epoch;       /* changes when all rows become invalid */
    size_t scanned;     /* bytes, since then */
    struct nodeset here, next;
};

/* Splits every class into the bytes that are in the set and those that are not. */
static void split_classes(struct dfa *d, const struct byteset *set) {
    uint16_t renumbered[BYTES][2];
    memset(renumbered, 0xff, sizeof renumbered);
    d->class_count = 0;
    for (unsigned c = 0; c < BYTES; c++) {
        uint16_t *number = &renumbered[d->class_of[c]][byteset_has(set, c)];
        if (*number == UINT16_MAX)
            *number = (uint16_t)d->class_count++;
        d->class_of[c] = (uint8_t)*number;
    }
}

static void split_off_byte(struct dfa *d, unsigned byte) {
    struct byteset set = {{0}};
    byteset_add(&set, byte);
    split_classes(d, &set);
}

static void split_off_words(struct dfa *d) {
    struct byteset set = {{0}};
    for (unsigned c = 0; c < BYTES; c++)
        if (byte_kind(c) == KIND_WORD)
            byteset_add(&set, c);
    split_classes(d, &set);
}

static void make_classes(struct dfa *d) {
    const struct regex *regex = d->nfa->regex;
    bool bytes[BYTES] = {[NEWLINE] = true}, asserts = false;
    for (size_t i = 0; i < regex->token_count; i++) {
        if (regex->tokens[i].kind == TOKEN_BYTE)
            bytes[regex->tokens[i].value] = true;
        asserts = asserts || regex->tokens[i].kind == TOKEN_ASSERT;
    }
    for (unsigned c = 0; c < BYTES; c++)
        if (bytes[c])
            split_off_byte(d, c);
    for (size_t i = 0; i < regex->set_count; i++)
        split_classes(d, &regex->sets[i]);
    if (asserts)
        split_off_words(d);
    for (unsigned c = 0; c < BYTES; c++)
        d->class_of[c] = d->class_of[regex->fold[c]];
}

static uint32_t places_after(enum kind before) {
    return 7U << 3 * before;
}

static void add_row(struct dfa *d) {
    uint32_t *row = &d->rows[(size_t)d->state_count * d->class_count];
    for (uint32_t i = 0; i < d->class_count; i++)
        row[i] = UNKNOWN;
    d->state_count++;
}

static void forget_states(struct dfa *d) {
    memset(d->buckets, 0, ((size_t)d->bucket_mask + 1) * sizeof *d->buckets);
    for (int i = 0; i < 3; i++)
        d->starts[i] = UNKNOWN;
    d->pool_used = 0;
    d->scanned = 0;
    d->epoch++;
    d->states[0] = (struct state){.before = KIND_OTHER};
    d->state_count = 0;
    add_row(d);
}

/* FNV-1a over whole node numbers. */
static uint32_t hash_set(const struct nodeset *set, enum kind before) {
    uint32_t hash = 2166136261U ^ before;
    for (uint32_t i = 0; i < set->count; i++)
        hash = (hash ^ set->ids[i]) * 16777619U;
    return hash ^ hash >> 15;
}

static bool state_is(const struct dfa *d, const struct state *s,
                     const struct nodeset *set, enum kind before) {
    return s->count == set->count && s->before == before && s->pending == set->pending &&
           memcmp(&d->pool[s->first], set->ids, set->count * sizeof *set->ids) == 0;
}

/* One set is one state whatever the order in which its nodes were reached. Large sets are
 * left alone: they are rare, and a state too many does no harm. */
static void sort_ids(struct nodeset *set) {
    for (uint32_t i = 1; i < set->count && set->count <= SORTED_MAX; i++) {
        uint32_t id = set->ids[i], j = i;
        for (; j > 0 && set->ids[j - 1] > id; j--)
            set->ids[j] = set->ids[j - 1];
        set->ids[j] = id;
    }
}

/* The row of this set's state, after a byte of that kind; GIVE_UP without room. */
static uint32_t intern(struct dfa *d, struct nodeset *set, enum kind before) {
    if (set->count == 0)
        return d->empty_is_dead ? DEAD : 0;
    if (!set->pending)
        before = KIND_OTHER;
    sort_ids(set);
    uint32_t *bucket = &d->buckets[hash_set(set, before) & d->bucket_mask];
    for (uint32_t i = *bucket; i != 0; i = d->states[i].next_in_bucket)
        if (state_is(d, &d->states[i], set, before))
            return i * d->class_count;
    if (d->state_count == d->state_limit || set->count > d->pool_limit - d->pool_used)
        return GIVE_UP;
    memcpy(&d->pool[d->pool_used], set->ids, set->count * sizeof *set->ids);
    d->states[d->state_count] = (struct state){(uint32_t)d->pool_used, set->count,
                                               *bucket, (uint8_t)before, set->pending};
    d->pool_used += set->count;
    *bucket = d->state_count;
    add_row(d);
    return *bucket * d->class_count;
}

/* Passes the assertions that wait in a state, now that the byte after is known. */
static void resolve(struct dfa *d, const struct state *s, enum kind after) {
    uint32_t place = 1U << (3U * s->before + after);
    nodeset_clear(&d->here);
    for (uint32_t i = 0; i < s->count; i++)
        nodeset_reach(&d->here, d->pool[s->first + i], place);
}

/* Fills d->next with what a byte leads to. Returns whether a match ends before it. */
static bool consume(struct dfa *d, const uint32_t *ids, uint32_t count, unsigned byte) {
    uint32_t places = places_after(byte_kind(byte));
    unsigned folded = d->nfa->regex->fold[byte];
    bool matched = false;
    nodeset_clear(&d->next);
    for (uint32_t i = 0; i < count; i++) {
        const struct node *n = &d->nfa->nodes[ids[i]];
        matched = matched || n->kind == NODE_MATCH;
        if (nfa_accepts(d->nfa, n, folded))
            nodeset_reach(&d->next, n->to[0], places);
    }
    if (d->mode != DFA_LONGEST)
        nodeset_reach(&d->next, d->nfa->start, places);
    return matched;
}

static uint32_t intern_or_flush(struct dfa *d, enum kind before) {
    uint32_t row = intern(d, &d->next, before);
    if (row != GIVE_UP)
        return row;
    bool worthwhile = d->scanned >= (size_t)d->state_count * SCANNED_PER_STATE;
    forget_states(d);
    return worthwhile ? intern(d, &d->next, before) : GIVE_UP;
}

/* Finds where a state goes with a byte, `scanned` bytes after the last time it had to. */
static uint32_t make_move(struct dfa *d, uint32_t row, unsigned byte, size_t scanned) {
    const struct state *s = &d->states[row / d->class_count];
    const uint32_t *ids = &d->pool[s->first];
    uint32_t count = s->count, move = MATCHED;
    size_t epoch = d->epoch;
    d->scanned += scanned;
    if (s->pending) {
        resolve(d, s, byte_kind(byte));
        ids = d->here.ids;
        count = d->here.count;
    }
    bool matched = consume(d, ids, count, byte);
    if (!matched || d->mode != DFA_SEARCH) {
        move = intern_or_flush(d, byte_kind(byte));
        if (matched)
            move |= MATCHED;
    }
    if (epoch == d->epoch)
        d->rows[row + d->class_of[byte]] = move;
    return move;
}

/* Fills d->next with what can begin after a byte of that kind, and returns its size. */
static uint32_t begin_after(struct dfa *d, enum kind before) {
    nodeset_clear(&d->next);
    nodeset_reach(&d->next, d->nfa->start, places_after(before));
    return d->next.count;
}

/* A full table is simply emptied here: only a scan gives up. */
static uint32_t start_row(struct dfa *d, enum kind before) {
    if (d->starts[before] == UNKNOWN) {
        begin_after(d, before);
        uint32_t row = intern(d, &d->next, before);
        if (row == GIVE_UP) {
            forget_states(d);
            row = intern(d, &d->next, before);
        }
        d->starts[before] = row & ROW;
    }
    return d->starts[before];
}

static void set_limits(struct dfa *d, size_t cache_bytes) {
    size_t row_bytes = d->class_count * sizeof *d->rows;
    size_t state_bytes =
        row_bytes + sizeof *d->states + NODES_PER_STATE * sizeof *d->pool;
    size_t states = cache_bytes / state_bytes;
    if (states < STATES_MIN)
        states = STATES_MIN;
    if (states > STATES_MAX)
        states = STATES_MAX;
    d->state_limit = (uint32_t)states;
    d->pool_limit = states * NODES_PER_STATE;
    if (d->pool_limit < (size_t)STATES_MIN * d->nfa->count)
        d->pool_limit = (size_t)STATES_MIN * d->nfa->count;
    d->bucket_mask = 1;
    while (d->bucket_mask < d->state_limit)
        d->bucket_mask = d->bucket_mask * 2 + 1;
}

static bool allocate(struct dfa *d) {
    d->rows = malloc((size_t)d->state_limit * d->class_count * sizeof *d->rows);
    d->states = malloc(d->state_limit * sizeof *d->states);
    d->pool = malloc(d->pool_limit * sizeof *d->pool);
    d->buckets = malloc(((size_t)d->bucket_mask + 1) * sizeof *d->buckets);
    return nodeset_init(&d->here, d->nfa) && nodeset_init(&d->next, d->nfa) && d->rows &&
           d->states && d->pool && d->buckets;
}

struct dfa *dfa_new(const struct nfa *nfa, enum dfa_mode mode, size_t cache_bytes) {
    struct dfa *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->nfa = nfa;
    d->mode = mode;
    make_classes(d);
    set_limits(d, cache_bytes);
    if (!allocate(d)) {
        dfa_free(d);
        return NULL;
    }
    d->empty_is_dead = mode == DFA_LONGEST ||
                       begin_after(d, KIND_OTHER) + begin_after(d, KIND_WORD) == 0;
    forget_states(d);
    return d;
}

void dfa_free(struct dfa *d) {
    if (!d)
        return;
    free(d->rows);
    free(d->states);
    free(d->pool);
    free(d->buckets);
    nodeset_free(&d->here);
    nodeset_free(&d->next);
    free(d);
}

/*
 * The loops below spend their time waiting for one move after the other, so that nothing
 * that is not needed comes between two of them: the class is added to the table first,
 * and an ordinary move is a row without being masked.
 */
enum dfa_result dfa_search(struct dfa *d, struct span lines, const uint8_t **at) {
    const uint8_t *p = lines.begin, *counted = p;
    uint32_t row = start_row(d, KIND_EDGE);
    while (p < lines.end) {
        uint32_t move = (d->rows + d->class_of[*p])[row];
        if (move < UNKNOWN) {
            row = move;
            p++;
            continue;
        }
        if (move == UNKNOWN) {
            move = make_move(d, row, *p, (size_t)(p - counted));
            counted = p;
        }
        *at = p;
        if (move == GIVE_UP)
            return DFA_GAVE_UP;
        if (move & MATCHED)
            return DFA_YES;
        row = move & ROW;
        if (move & DEAD && *p != NEWLINE)
            p = memchr(p, NEWLINE, (size_t)(lines.end - p));
        else
            p++;
    }
    d->scanned += (size_t)(p - counted);
    return DFA_NO;
}

enum dfa_result dfa_starts(struct dfa *d, struct span line, uint8_t *marks) {
    const uint8_t *p = line.end, *counted = p;
    uint32_t row = start_row(d, KIND_EDGE);
    for (;; p--) {
        uint32_t move = (d->rows + d->class_of[p[-1]])[row];
        if (move == UNKNOWN) {
            move = make_move(d, row, p[-1], (size_t)(counted - p));
            counted = p;
            if (move == GIVE_UP)
                return DFA_GAVE_UP;
        }
        marks[p - line.begin] = (move & MATCHED) != 0;
        if (p == line.begin)
            break;
        row = move & ROW;
    }
    d->scanned += (size_t)(counted - p);
    return DFA_YES;
}

enum dfa_result dfa_longest(struct dfa *d, struct span line, const uint8_t *from,
                            const uint8_t **end) {
    const uint8_t *p = from, *counted = p;
    enum dfa_result result = DFA_NO;
    uint32_t row = start_row(d, byte_kind(from[-1]));
    for (; p <= line.end; p++) {
        uint32_t move = (d->rows + d->class_of[*p])[row];
        if (move < UNKNOWN) {
            row = move;
            continue;
        }
        if (move == UNKNOWN) {
            move = make_move(d, row, *p, (size_t)(p - counted));
            counted = p;
        }
        if (move == GIVE_UP)
            return DFA_GAVE_UP;
        if (move & MATCHED) {
            *end = p;
            result = DFA_YES;
        }
        if (move & DEAD)
            break;
        row = move & ROW;
    }
    d->scanned += (size_t)(p - counted);
    return result;
}
