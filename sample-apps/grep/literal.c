/*
 * literal.c: text that every match must contain, and Horspool's search for it.
 */
#include "grep.h"

#include <stdlib.h>
#include <string.h>

enum { WORTHWHILE = 3 }; /* bytes; below, the automaton is as fast as the search */

struct text {
    uint8_t length;
    uint8_t bytes[LITERAL_MAX];
};

/*
 * What is known of the matches of a subexpression: what all begin with, end with, and
 * contain (the longest that is known). If `exact`, each of the three is the only match.
 */
struct facts {
    bool exact;
    struct text prefix, suffix, inner;
};

static struct text longest(struct text a, struct text b) {
    return b.length > a.length ? b : a;
}

/* The first LITERAL_MAX bytes of a and b together. */
static struct text join_front(struct text a, struct text b) {
    for (uint8_t i = 0; i < b.length && a.length < LITERAL_MAX; i++)
        a.bytes[a.length++] = b.bytes[i];
    return a;
}

/* The last LITERAL_MAX bytes of a and b together. */
static struct text join_back(struct text a, struct text b) {
    size_t excess = (size_t)a.length + b.length;
    excess = excess > LITERAL_MAX ? excess - LITERAL_MAX : 0;
    memmove(a.bytes, a.bytes + excess, a.length - excess);
    a.length = (uint8_t)(a.length - excess);
    return join_front(a, b);
}

static struct text common_front(struct text a, struct text b) {
    uint8_t i = 0;
    while (i < a.length && i < b.length && a.bytes[i] == b.bytes[i])
        i++;
    a.length = i;
    return a;
}

static struct text common_back(struct text a, struct text b) {
    uint8_t i = 0;
    while (i < a.length && i < b.length &&
           a.bytes[a.length - 1 - i] == b.bytes[b.length - 1 - i])
        i++;
    memmove(a.bytes, a.bytes + a.length - i, i);
    a.length = i;
    return a;
}

static struct facts concatenation(const struct facts *a, const struct facts *b) {
    struct facts f;
    f.exact = a->exact && b->exact && a->prefix.length + b->prefix.length <= LITERAL_MAX;
    f.prefix = a->exact ? join_front(a->prefix, b->prefix) : a->prefix;
    f.suffix = b->exact ? join_back(a->suffix, b->suffix) : b->suffix;
    f.inner = longest(longest(a->inner, b->inner), join_front(a->suffix, b->prefix));
    f.inner = longest(f.inner, longest(f.prefix, f.suffix));
    return f;
}

static struct facts alternation(const struct facts *a, const struct facts *b) {
    struct facts f;
    f.exact = a->exact && b->exact && a->prefix.length == b->prefix.length &&
              memcmp(a->prefix.bytes, b->prefix.bytes, a->prefix.length) == 0;
    f.prefix = common_front(a->prefix, b->prefix);
    f.suffix = common_back(a->suffix, b->suffix);
    f.inner = longest(f.prefix, f.suffix);
    return f;
}

static struct facts leaf(struct token token) {
    struct facts f = {.exact = token.kind != TOKEN_SET};
    if (token.kind == TOKEN_BYTE)
        f.prefix = f.suffix = f.inner = (struct text){1, {(uint8_t)token.value}};
    return f;
}

/* Applies a token to the top of the stack, and returns the new height. */
static size_t evaluate(struct facts *stack, size_t depth, struct token token) {
    switch (token.kind) {
    case TOKEN_CONCAT:
        depth--;
        stack[depth - 1] = concatenation(&stack[depth - 1], &stack[depth]);
        break;
    case TOKEN_EITHER:
        depth--;
        stack[depth - 1] = alternation(&stack[depth - 1], &stack[depth]);
        break;
    case TOKEN_STAR:
    case TOKEN_OPTION:
        stack[depth - 1] = (struct facts){0};
        break;
    case TOKEN_PLUS:
        stack[depth - 1].exact = false;
        break;
    default:
        stack[depth++] = leaf(token);
    }
    return depth;
}

static void make_skips(struct literal *literal) {
    size_t length = literal->length;
    uint8_t last = literal->bytes[length - 1];
    memset(literal->skip, (int)length, sizeof literal->skip);
    literal->skip_last = (uint8_t)length;
    for (size_t i = 0; i + 1 < length; i++) {
        uint8_t skip = (uint8_t)(length - 1 - i);
        literal->skip[literal->bytes[i]] = skip;
        if (literal->bytes[i] == last)
            literal->skip_last = skip;
    }
    literal->skip[last] = 0;
    for (size_t c = 0; c < BYTES; c++)
        literal->skip[c] = literal->skip[literal->fold[c]];
}

bool literal_init(struct literal *literal, const struct regex *regex) {
    bool asserts = false;
    struct facts *stack = malloc(regex->depth * sizeof *stack);
    *literal = (struct literal){.fold = regex->fold};
    if (!stack)
        return false;
    for (size_t i = 0, depth = 0; i < regex->token_count; i++) {
        asserts = asserts || regex->tokens[i].kind == TOKEN_ASSERT;
        depth = evaluate(stack, depth, regex->tokens[i]);
    }
    if (stack->inner.length >= WORTHWHILE) {
        literal->length = stack->inner.length;
        memcpy(literal->bytes, stack->inner.bytes, literal->length);
        literal->whole = stack->exact && !asserts;
        make_skips(literal);
    }
    free(stack);
    return true;
}

static bool matches_at(const struct literal *literal, const uint8_t *text) {
    for (size_t i = 0; i < literal->length; i++)
        if (literal->fold[text[i]] != literal->bytes[i])
            return false;
    return true;
}

const uint8_t *literal_find(const struct literal *literal, struct span text) {
    size_t last = literal->length - 1;
    size_t length = (size_t)(text.end - text.begin);
    for (size_t i = last; i < length;) {
        uint8_t skip = literal->skip[text.begin[i]];
        if (skip == 0) {
            if (matches_at(literal, text.begin + i - last))
                return text.begin + i - last;
            skip = literal->skip_last;
        }
        i += skip;
    }
    return NULL;
}
