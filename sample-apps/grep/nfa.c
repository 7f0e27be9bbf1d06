/*
 * nfa.c: Thompson's automaton of an expression, and its simulation.
 */
#include "grep.h"

#include <stdlib.h>
#include <string.h>

/* A slot is one `to` of a node: 2 * node + index. Those that lead nowhere yet form a
 * list, each holding the next. */
struct fragment {
    uint32_t start;
    uint32_t first, last;
};

struct builder {
    struct nfa *nfa;
    struct fragment *stack;
    size_t depth;
    bool reverse;
};

static uint32_t *slot(const struct nfa *nfa, uint32_t number) {
    return &nfa->nodes[number / 2].to[number % 2];
}

static void patch(const struct nfa *nfa, struct fragment fragment, uint32_t target) {
    uint32_t next;
    for (uint32_t s = fragment.first; s != NO_NODE; s = next) {
        next = *slot(nfa, s);
        *slot(nfa, s) = target;
    }
}

static uint32_t add_node(struct nfa *nfa, enum node_kind kind, uint32_t value) {
    nfa->nodes[nfa->count] = (struct node){kind, value, {NO_NODE, NO_NODE}};
    return nfa->count++;
}

/* What an assertion demands when text is read backwards. */
static uint32_t mirrored(uint32_t places) {
    uint32_t mirror = 0;
    for (unsigned before = 0; before < 3; before++)
        for (unsigned after = 0; after < 3; after++)
            if (places >> (3 * before + after) & 1)
                mirror |= 1U << (3 * after + before);
    return mirror;
}

static void push_leaf(struct builder *b, enum node_kind kind, uint32_t value) {
    uint32_t node = add_node(b->nfa, kind, value);
    b->stack[b->depth++] = (struct fragment){node, 2 * node, 2 * node};
}

static void join_operands(struct builder *b) {
    struct fragment right = b->stack[--b->depth], *left = &b->stack[b->depth - 1];
    struct fragment first = b->reverse ? right : *left,
                    second = b->reverse ? *left : right;
    patch(b->nfa, first, second.start);
    *left = (struct fragment){first.start, second.first, second.last};
}

static void choose_operand(struct builder *b) {
    struct fragment right = b->stack[--b->depth], *left = &b->stack[b->depth - 1];
    uint32_t fork = add_node(b->nfa, NODE_EMPTY, 0);
    b->nfa->nodes[fork].to[0] = left->start;
    b->nfa->nodes[fork].to[1] = right.start;
    *slot(b->nfa, left->last) = right.first;
    *left = (struct fragment){fork, left->first, right.last};
}

static void loop_operand(struct builder *b, bool may_skip) {
    struct fragment *operand = &b->stack[b->depth - 1];
    uint32_t fork = add_node(b->nfa, NODE_EMPTY, 0);
    b->nfa->nodes[fork].to[0] = operand->start;
    patch(b->nfa, *operand, fork);
    *operand =
        (struct fragment){may_skip ? fork : operand->start, 2 * fork + 1, 2 * fork + 1};
}

static void skip_operand(struct builder *b) {
    struct fragment *operand = &b->stack[b->depth - 1];
    uint32_t fork = add_node(b->nfa, NODE_EMPTY, 0);
    b->nfa->nodes[fork].to[0] = operand->start;
    *slot(b->nfa, operand->last) = 2 * fork + 1;
    *operand = (struct fragment){fork, operand->first, 2 * fork + 1};
}

static void add_token(struct builder *b, struct token token) {
    switch (token.kind) {
    case TOKEN_BYTE:
        push_leaf(b, NODE_BYTE, token.value);
        break;
    case TOKEN_SET:
        push_leaf(b, NODE_SET, token.value);
        break;
    case TOKEN_ASSERT:
        push_leaf(b, NODE_ASSERT, b->reverse ? mirrored(token.value) : token.value);
        break;
    case TOKEN_EMPTY:
        push_leaf(b, NODE_EMPTY, 0);
        break;
    case TOKEN_CONCAT:
        join_operands(b);
        break;
    case TOKEN_EITHER:
        choose_operand(b);
        break;
    case TOKEN_STAR:
        loop_operand(b, true);
        break;
    case TOKEN_PLUS:
        loop_operand(b, false);
        break;
    case TOKEN_OPTION:
        skip_operand(b);
        break;
    default: /* there is no other kind */
        break;
    }
}

/* Makes a second automaton that is entered by the first byte consumed in the first one,
 * which cannot match any more. */
static void forbid_empty_match(struct nfa *nfa) {
    uint32_t count = nfa->count;
    for (uint32_t i = 0; i < count; i++) {
        struct node *first = &nfa->nodes[i], *second = first + count;
        *second = *first;
        for (int j = 0; j < 2; j++)
            if (second->to[j] != NO_NODE)
                second->to[j] += count;
        if (first->kind == NODE_BYTE || first->kind == NODE_SET)
            first->to[0] += count;
        if (first->kind == NODE_MATCH)
            first->kind = NODE_EMPTY;
    }
    nfa->count *= 2;
}

bool nfa_compile(struct nfa *nfa, const struct regex *regex, unsigned flags) {
    size_t nodes = regex->token_count + 1;
    struct builder b = {nfa, calloc(regex->depth, sizeof *b.stack), 0,
                        flags & NFA_REVERSE};
    *nfa = (struct nfa){.regex = regex};
    nfa->nodes = calloc(flags & NFA_NOT_EMPTY ? 2 * nodes : nodes, sizeof *nfa->nodes);
    bool ready = nfa->nodes && b.stack;
    if (ready) {
        for (size_t i = 0; i < regex->token_count; i++)
            add_token(&b, regex->tokens[i]);
        patch(nfa, b.stack[0], add_node(nfa, NODE_MATCH, 0));
        nfa->start = b.stack[0].start;
    }
    if (ready && flags & NFA_NOT_EMPTY)
        forbid_empty_match(nfa);
    free(b.stack);
    return ready;
}

void nfa_free(struct nfa *nfa) {
    free(nfa->nodes);
    *nfa = (struct nfa){0};
}

bool nfa_accepts(const struct nfa *nfa, const struct node *node, unsigned folded_byte) {
    if (node->kind == NODE_BYTE)
        return node->value == folded_byte;
    return node->kind == NODE_SET &&
           byteset_has(&nfa->regex->sets[node->value], folded_byte);
}

bool nodeset_init(struct nodeset *set, const struct nfa *nfa) {
    *set = (struct nodeset){.nfa = nfa, .ids = calloc(nfa->count, 3 * sizeof *set->ids)};
    if (set->ids) {
        set->seen = set->ids + nfa->count;
        set->stack = set->seen + nfa->count;
    }
    return set->ids != NULL;
}

void nodeset_free(struct nodeset *set) {
    free(set->ids);
    *set = (struct nodeset){0};
}

void nodeset_clear(struct nodeset *set) {
    set->count = 0;
    set->pending = false;
    if (++set->round == 0) {
        memset(set->seen, 0, set->nfa->count * sizeof *set->seen);
        set->round = 1;
    }
}

static size_t push_unseen(struct nodeset *set, size_t depth, uint32_t node) {
    if (node == NO_NODE || set->seen[node] == set->round)
        return depth;
    set->seen[node] = set->round;
    set->stack[depth] = node;
    return depth + 1;
}

void nodeset_reach(struct nodeset *set, uint32_t node, uint32_t places) {
    size_t depth = push_unseen(set, 0, node);
    while (depth > 0) {
        uint32_t id = set->stack[--depth];
        const struct node *n = &set->nfa->nodes[id];
        if (n->kind == NODE_EMPTY) {
            depth = push_unseen(set, depth, n->to[1]);
            depth = push_unseen(set, depth, n->to[0]);
        } else if (n->kind != NODE_ASSERT) {
            set->ids[set->count++] = id;
        } else if ((n->value & places) == places) {
            depth = push_unseen(set, depth, n->to[0]);
        } else if (n->value & places) {
            set->ids[set->count++] = id;
            set->pending = true;
        }
    }
}

/*
 * The ways through the automaton that are still possible, all advanced together over the
 * text. Of two at one node only the one that began first is kept, as both have the same
 * future. The nodes are in the order of where their ways began: older ones are advanced
 * before a new one is added.
 */
struct threads {
    struct nodeset nodes;
    const uint8_t **begins;
};

struct sim {
    const struct nfa *nfa;
    struct threads now, next;
};

static bool threads_init(struct threads *threads, const struct nfa *nfa) {
    threads->begins = malloc(nfa->count * sizeof *threads->begins);
    return nodeset_init(&threads->nodes, nfa) && threads->begins;
}

struct sim *sim_new(const struct nfa *nfa) {
    struct sim *sim = calloc(1, sizeof *sim);
    if (!sim)
        return NULL;
    sim->nfa = nfa;
    if (threads_init(&sim->now, nfa) && threads_init(&sim->next, nfa))
        return sim;
    sim_free(sim);
    return NULL;
}

void sim_free(struct sim *sim) {
    if (!sim)
        return;
    nodeset_free(&sim->now.nodes);
    nodeset_free(&sim->next.nodes);
    free(sim->now.begins);
    free(sim->next.begins);
    free(sim);
}

static void add_threads(struct threads *threads, uint32_t node, const uint8_t *begin,
                        const uint8_t *at) {
    uint32_t place = 1U << (3 * byte_kind(at[-1]) + byte_kind(*at));
    uint32_t first = threads->nodes.count;
    nodeset_reach(&threads->nodes, node, place);
    for (uint32_t i = first; i < threads->nodes.count; i++)
        threads->begins[i] = begin;
}

/* Makes the threads at `at` from those one byte before. Without `older`, adds one that
 * begins here; else keeps only those that began no later than that. */
static void advance(struct sim *sim, const uint8_t *at, const uint8_t *older) {
    struct threads from = sim->now;
    unsigned byte = sim->nfa->regex->fold[at[-1]];
    sim->now = sim->next;
    sim->next = from;
    nodeset_clear(&sim->now.nodes);
    for (uint32_t i = 0; i < from.nodes.count; i++) {
        const struct node *n = &sim->nfa->nodes[from.nodes.ids[i]];
        if ((!older || from.begins[i] <= older) && nfa_accepts(sim->nfa, n, byte))
            add_threads(&sim->now, n->to[0], from.begins[i], at);
    }
    if (!older)
        add_threads(&sim->now, sim->nfa->start, at, at);
}

/* Where the oldest thread began that has matched, or NULL. */
static const uint8_t *matched_begin(const struct sim *sim) {
    for (uint32_t i = 0; i < sim->now.nodes.count; i++)
        if (sim->nfa->nodes[sim->now.nodes.ids[i]].kind == NODE_MATCH)
            return sim->now.begins[i];
    return NULL;
}

bool sim_find(struct sim *sim, struct span line, const uint8_t *from, bool any,
              struct span *match) {
    struct span best = {NULL, NULL};
    nodeset_clear(&sim->now.nodes);
    for (const uint8_t *at = from; at <= line.end; at++) {
        advance(sim, at, best.begin);
        const uint8_t *begin = matched_begin(sim);
        if (begin && (!best.begin || begin <= best.begin))
            best = (struct span){begin, at};
        if (best.begin && (any || sim->now.nodes.count == 0))
            break;
    }
    *match = best;
    return best.begin != NULL;
}
