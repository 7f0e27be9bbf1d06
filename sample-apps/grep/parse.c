/*
 * parse.c: POSIX extended regular expressions and lists of strings, as postfix tokens.
 *
 * Where POSIX leaves a choice, this is GNU grep -E: \w \W \s \S \b \B \< \> \` \' are
 * known; a `)` without a `(` and a `{` that begins no interval are ordinary; an operator
 * that has nothing to repeat is ignored.
 */
#include "grep.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    UNLIMITED = -1,
    REPEAT_MAX = 32767,   /* RE_DUP_MAX of GNU grep */
    TOKENS_MAX = 1 << 21, /* keeps the automata below 1 GB, most of it never touched */
};

/* Open parentheses, those of patterns and those that the parser sets itself. */
struct group {
    const uint8_t *opened; /* its place in the pattern, NULL for the parser's own */
    size_t start;          /* its first token */
    unsigned pending;      /* operands of the current branch not yet joined: 0, 1 or 2 */
    bool has_left;         /* there is a branch before the current one */
};

struct parser {
    struct regex *regex;
    unsigned flags;
    struct span pattern; /* the one being parsed */
    const uint8_t *at;
    struct group *groups;
    size_t depth, capacity;
    size_t operand; /* first token of what an operator would repeat */
    struct failure *why;
    bool failed;
};

bool byteset_has(const struct byteset *set, unsigned byte) {
    return set->bits[byte / 64] >> byte % 64 & 1;
}

void byteset_add(struct byteset *set, unsigned byte) {
    set->bits[byte / 64] |= (uint64_t)1 << byte % 64;
}

static void set_remove(struct byteset *set, unsigned byte) {
    set->bits[byte / 64] &= ~((uint64_t)1 << byte % 64);
}

static void set_invert(struct byteset *set) {
    for (size_t i = 0; i < BYTES / 64; i++)
        set->bits[i] = ~set->bits[i];
}

static bool is_word_byte(unsigned byte) {
    return isalnum((int)byte) || byte == '_';
}

static bool is_space_byte(unsigned byte) {
    return isspace((int)byte) != 0;
}

enum kind byte_kind(unsigned byte) {
    if (byte == NEWLINE)
        return KIND_EDGE;
    return is_word_byte(byte) ? KIND_WORD : KIND_OTHER;
}

/* The first failure counts: what follows it is a consequence. */
static void fail(struct parser *p, const char *reason) {
    if (!p->failed)
        snprintf(p->why->text, sizeof p->why->text, "%s", reason);
    p->failed = true;
}

static void fail_at(struct parser *p, const uint8_t *place, const char *reason) {
    size_t length = (size_t)(p->pattern.end - p->pattern.begin);
    if (!p->failed)
        snprintf(p->why->text, sizeof p->why->text, "%s, at byte %zu of '%.*s%s'", reason,
                 (size_t)(place - p->pattern.begin) + 1, (int)(length > 40 ? 40 : length),
                 (const char *)p->pattern.begin, length > 40 ? "..." : "");
    p->failed = true;
}

/* Makes room for one more item; without memory, the array is as before. */
static void *grown(struct parser *p, void *items, size_t count, size_t *capacity,
                   size_t item_bytes) {
    if (count < *capacity)
        return items;
    size_t wanted = *capacity ? *capacity * 2 : 32;
    void *larger =
        wanted <= SIZE_MAX / item_bytes ? realloc(items, wanted * item_bytes) : NULL;
    if (!larger)
        fail(p, "memory exhausted");
    else
        *capacity = wanted;
    return larger ? larger : items;
}

static void emit(struct parser *p, enum token_kind kind, uint32_t value) {
    struct regex *r = p->regex;
    if (r->token_count >= TOKENS_MAX)
        fail(p, "regular expression too big");
    if (!p->failed)
        r->tokens =
            grown(p, r->tokens, r->token_count, &r->token_capacity, sizeof *r->tokens);
    if (!p->failed)
        r->tokens[r->token_count++] = (struct token){kind, value};
}

static struct group *top(struct parser *p) {
    return &p->groups[p->depth - 1];
}

/* Joins what came before, as no operator can be applied to it any more. */
static void begin_operand(struct parser *p) {
    struct group *group = top(p);
    if (group->pending == 2)
        emit(p, TOKEN_CONCAT, 0);
    group->pending = group->pending ? 2 : 1;
    p->operand = p->regex->token_count;
}

static void add_operand(struct parser *p, enum token_kind kind, uint32_t value) {
    begin_operand(p);
    emit(p, kind, value);
}

static void end_branch(struct parser *p) {
    struct group *group = top(p);
    if (group->pending == 0)
        emit(p, TOKEN_EMPTY, 0);
    if (group->pending == 2)
        emit(p, TOKEN_CONCAT, 0);
    if (group->has_left)
        emit(p, TOKEN_EITHER, 0);
    group->has_left = true;
    group->pending = 0;
}

static void push_group(struct parser *p, const uint8_t *opened) {
    if (p->depth >= TOKENS_MAX)
        fail(p, "regular expression too big");
    else
        p->groups = grown(p, p->groups, p->depth, &p->capacity, sizeof *p->groups);
    if (!p->failed)
        p->groups[p->depth++] = (struct group){opened, p->regex->token_count, 0, false};
}

static void open_group(struct parser *p, const uint8_t *opened) {
    begin_operand(p);
    push_group(p, opened);
}

static void close_group(struct parser *p) {
    end_branch(p);
    p->operand = top(p)->start;
    p->depth--;
}

static void add_byte(struct parser *p, unsigned byte) {
    add_operand(p, TOKEN_BYTE, p->regex->fold[byte]);
}

/* With FOLD_CASE the set is only asked about lower case. */
static void fold_set(const struct regex *r, struct byteset *set) {
    for (unsigned c = 0; c < BYTES; c++)
        if (byteset_has(set, c))
            byteset_add(set, r->fold[c]);
    for (unsigned c = 0; c < BYTES; c++)
        if (r->fold[c] != c)
            set_remove(set, c);
}

/* Takes over a set, and turns one of a single byte into that byte. */
static void add_set(struct parser *p, struct byteset set, bool inverted) {
    struct regex *r = p->regex;
    unsigned members = 0, last = 0;
    fold_set(r, &set);
    if (inverted)
        set_invert(&set);
    set_remove(&set, NEWLINE);
    for (unsigned c = 0; c < BYTES; c++)
        if (r->fold[c] == c && byteset_has(&set, c)) {
            members++;
            last = c;
        }
    if (members == 1) {
        add_byte(p, last);
        return;
    }
    r->sets = grown(p, r->sets, r->set_count, &r->set_capacity, sizeof *r->sets);
    if (!p->failed)
        r->sets[r->set_count++] = set;
    add_operand(p, TOKEN_SET, (uint32_t)r->set_count - 1);
}

static void add_class(struct parser *p, bool (*belongs)(unsigned), bool inverted) {
    struct byteset set = {{0}};
    for (unsigned c = 0; c < BYTES; c++)
        if (belongs(c))
            byteset_add(&set, c);
    add_set(p, set, inverted);
}

static bool next_is(const struct parser *p, const char *text) {
    size_t length = strlen(text);
    return (size_t)(p->pattern.end - p->at) >= length && memcmp(p->at, text, length) == 0;
}

/* The text between `[:` and `:]`, or the same with `.` or `=`. */
static struct span bracket_name(struct parser *p, const uint8_t *bracket) {
    const char close[] = {(char)p->at[1], ']', '\0'};
    struct span name = {p->at + 2, p->at + 2};
    p->at += 2;
    while (p->at < p->pattern.end && !next_is(p, close))
        p->at++;
    name.end = p->at;
    if (p->at == p->pattern.end)
        fail_at(p, bracket, "unmatched [");
    else
        p->at += 2;
    return name;
}

static void add_named_class(struct parser *p, struct byteset *set, struct span name) {
    static const struct {
        const char *name;
        int (*belongs)(int);
    } classes[] = {
        {"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
        {"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
        {"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
    };
    size_t length = (size_t)(name.end - name.begin);
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strlen(classes[i].name) != length ||
            memcmp(classes[i].name, name.begin, length) != 0)
            continue;
        for (int c = 0; c < BYTES; c++)
            if (classes[i].belongs(c))
                byteset_add(set, (unsigned)c);
        return;
    }
    fail_at(p, name.begin, "unknown character class");
}

/* One end of a range: a byte or `[.x.]`. */
static unsigned bracket_byte(struct parser *p, const uint8_t *bracket) {
    if (!next_is(p, "[.") && !next_is(p, "[="))
        return *p->at++;
    struct span name = bracket_name(p, bracket);
    if (name.end - name.begin != 1)
        fail_at(p, name.begin, "unknown collating element");
    return p->failed ? 0 : *name.begin;
}

/* Whether a `-` comes next that is not the last of its bracket expression. */
static bool next_is_range(const struct parser *p) {
    return next_is(p, "-") && p->at + 1 < p->pattern.end && p->at[1] != ']';
}

static void bracket_element(struct parser *p, struct byteset *set,
                            const uint8_t *bracket) {
    const uint8_t *place = p->at;
    bool is_class = next_is(p, "[:"), is_equivalence = next_is(p, "[=");
    unsigned low = 0, high;
    if (is_class)
        add_named_class(p, set, bracket_name(p, bracket));
    else
        low = bracket_byte(p, bracket);
    if ((is_class || is_equivalence) && next_is_range(p))
        fail_at(p, place, "invalid range");
    if (is_class || p->failed)
        return;
    high = low;
    if (next_is_range(p)) {
        p->at++;
        if (next_is(p, "[:") || next_is(p, "[="))
            fail_at(p, place, "invalid range");
        else
            high = bracket_byte(p, bracket);
    }
    if (low > high)
        fail_at(p, place, "invalid range");
    for (unsigned c = low; c <= high && !p->failed; c++)
        byteset_add(set, c);
}

static void parse_bracket(struct parser *p) {
    const uint8_t *bracket = p->at - 1;
    struct byteset set = {{0}};
    bool inverted = next_is(p, "^");
    p->at += inverted;
    const uint8_t *first = p->at;
    while (!p->failed && (p->at == first || !next_is(p, "]"))) {
        if (p->at == p->pattern.end)
            fail_at(p, bracket, "unmatched [");
        else if (p->at != first && next_is_range(p))
            fail_at(p, p->at, "invalid range");
        else
            bracket_element(p, &set, bracket);
    }
    if (!p->failed && p->at - first > 2 && *first == ':' && p->at[-1] == ':')
        fail_at(p, bracket, "a character class is written [[:name:]], not [:name:]");
    p->at++;
    add_set(p, set, inverted);
}

static int parse_number(struct parser *p) {
    int number = 0;
    while (p->at < p->pattern.end && isdigit(*p->at)) {
        number = number * 10 + (*p->at++ - '0');
        if (number > REPEAT_MAX)
            number = REPEAT_MAX + 1;
    }
    return number;
}

/* Reads what follows a `{`. Returns false, with nothing read, if that is no interval. */
static bool parse_interval(struct parser *p, int *min, int *max) {
    const uint8_t *begin = p->at;
    *min = *max = parse_number(p);
    bool valid = p->at != begin;
    if (next_is(p, ",")) {
        valid = true;
        const uint8_t *second = ++p->at;
        *max = parse_number(p);
        if (p->at == second)
            *max = UNLIMITED;
    }
    valid = valid && next_is(p, "}");
    p->at = valid ? p->at + 1 : begin;
    return valid;
}

/* Appends the operand again, whose tokens are `count` from `first`. */
static void copy_operand(struct parser *p, size_t first, size_t count) {
    for (size_t i = 0; i < count && !p->failed; i++) {
        struct token token = p->regex->tokens[first + i];
        emit(p, token.kind, token.value);
    }
}

/*
 * Writes x{min,max} as xxx(x(x(x)?)?)? and x{min,} as xxx+. The nesting keeps it cheap:
 * every copy is followed by one other and the end, not by all that are left.
 */
static void repeat_operand(struct parser *p, int min, int max) {
    size_t first = p->operand, count = p->regex->token_count - first;
    int optional = max == UNLIMITED ? 0 : max - min;
    for (int i = 1; i <= min && !p->failed; i++) {
        if (i > 1)
            copy_operand(p, first, count);
        if (i == min && max == UNLIMITED)
            emit(p, TOKEN_PLUS, 0);
        if (i > 1)
            emit(p, TOKEN_CONCAT, 0);
    }
    for (int i = min ? 0 : 1; i < optional && !p->failed; i++)
        copy_operand(p, first, count);
    for (int i = 0; i < optional && !p->failed; i++) {
        if (i > 0)
            emit(p, TOKEN_CONCAT, 0);
        emit(p, TOKEN_OPTION, 0);
    }
    if (min && optional)
        emit(p, TOKEN_CONCAT, 0);
}

static void parse_repetition(struct parser *p, int min, int max) {
    if (top(p)->pending == 0)
        return;
    if (max == 0) {
        p->regex->token_count = p->operand;
        emit(p, TOKEN_EMPTY, 0);
    } else if (min == 0 && max == UNLIMITED) {
        emit(p, TOKEN_STAR, 0);
    } else {
        repeat_operand(p, min, max);
    }
}

static void parse_brace(struct parser *p) {
    const uint8_t *brace = p->at - 1;
    int min, max;
    if (!parse_interval(p, &min, &max))
        add_byte(p, '{');
    else if (min > REPEAT_MAX || max > REPEAT_MAX)
        fail_at(p, brace, "repetition above 32767");
    else if (max != UNLIMITED && min > max)
        fail_at(p, brace, "interval with its ends exchanged");
    else
        parse_repetition(p, min, max);
}

static void parse_close(struct parser *p) {
    if (top(p)->opened)
        close_group(p);
    else
        add_byte(p, ')');
}

static bool parse_assertion(struct parser *p, unsigned letter) {
    static const struct {
        char letter;
        uint16_t places;
    } assertions[] = {
        {'b', AT_WORD_EDGE}, {'B', AT_NO_WORD_EDGE}, {'<', AT_WORD_BEGIN},
        {'>', AT_WORD_END},  {'`', AT_LINE_BEGIN},   {'\'', AT_LINE_END},
    };
    for (size_t i = 0; i < sizeof assertions / sizeof *assertions; i++) {
        if (assertions[i].letter != (char)letter)
            continue;
        add_operand(p, TOKEN_ASSERT, assertions[i].places);
        return true;
    }
    return false;
}

static void parse_escape(struct parser *p) {
    const uint8_t *backslash = p->at - 1;
    if (p->at == p->pattern.end) {
        fail_at(p, backslash, "trailing backslash");
        return;
    }
    unsigned c = *p->at++;
    if (c == 'w' || c == 'W')
        add_class(p, is_word_byte, c == 'W');
    else if (c == 's' || c == 'S')
        add_class(p, is_space_byte, c == 'S');
    else if (c >= '1' && c <= '9')
        fail_at(p, backslash, "back-references are not supported");
    else if (!parse_assertion(p, c))
        add_byte(p, c);
}

static void parse_item(struct parser *p) {
    unsigned c = *p->at++;
    switch (c) {
    case '(':
        open_group(p, p->at - 1);
        break;
    case ')':
        parse_close(p);
        break;
    case '|':
        end_branch(p);
        break;
    case '*':
        parse_repetition(p, 0, UNLIMITED);
        break;
    case '+':
        parse_repetition(p, 1, UNLIMITED);
        break;
    case '?':
        parse_repetition(p, 0, 1);
        break;
    case '{':
        parse_brace(p);
        break;
    case '.':
        add_set(p, (struct byteset){{0}}, true);
        break;
    case '[':
        parse_bracket(p);
        break;
    case '^':
        add_operand(p, TOKEN_ASSERT, AT_LINE_BEGIN);
        break;
    case '$':
        add_operand(p, TOKEN_ASSERT, AT_LINE_END);
        break;
    case '\\':
        parse_escape(p);
        break;
    default:
        add_byte(p, c);
    }
}

static struct span take_pattern(struct span *patterns) {
    struct span line = take_line(patterns);
    return (struct span){line.begin, line.end - 1};
}

static void parse_expressions(struct parser *p, struct span patterns) {
    for (bool first = true; patterns.begin < patterns.end && !p->failed; first = false) {
        if (!first)
            end_branch(p);
        p->pattern = take_pattern(&patterns);
        p->at = p->pattern.begin;
        while (p->at < p->pattern.end && !p->failed)
            parse_item(p);
        if (!p->failed && top(p)->opened)
            fail_at(p, top(p)->opened, "unmatched (");
    }
}

static int compare_spans(const void *a, const void *b) {
    const struct span *x = a, *y = b;
    size_t x_length = (size_t)(x->end - x->begin), y_length = (size_t)(y->end - y->begin);
    int order = memcmp(x->begin, y->begin, x_length < y_length ? x_length : y_length);
    return order ? order : (x_length > y_length) - (x_length < y_length);
}

static size_t common_prefix(struct span a, struct span b) {
    size_t i = 0;
    while (a.begin + i < a.end && b.begin + i < b.end && a.begin[i] == b.begin[i])
        i++;
    return i;
}

/*
 * Writes sorted strings as a trie: ab, abc, d become a(b(|c()))|d(). Thus a set of states
 * grows with what the strings have in common, not with how many there are.
 */
static void add_trie(struct parser *p, const struct span *strings, size_t count) {
    size_t root = p->depth;
    struct span previous = {NULL, NULL};
    for (size_t i = 0; i < count && !p->failed; i++) {
        size_t shared = common_prefix(previous, strings[i]);
        while (p->depth > root + shared)
            close_group(p);
        if (i > 0)
            end_branch(p);
        for (const uint8_t *s = strings[i].begin + shared;
             s < strings[i].end && !p->failed; s++) {
            add_byte(p, *s);
            open_group(p, NULL);
        }
        previous = strings[i];
    }
    while (p->depth > root && !p->failed)
        close_group(p);
}

static void reverse(uint8_t *bytes, size_t count) {
    for (size_t i = 0, j = count; i + 1 < j; i++) {
        uint8_t byte = bytes[i];
        bytes[i] = bytes[--j];
        bytes[j] = byte;
    }
}

/* Folds the bytes of strings, each ended by a newline, and reverses them if need be. */
static void prepare_strings(const struct parser *p, uint8_t *bytes, size_t length) {
    size_t begin = 0;
    for (size_t i = 0; i < length; i++) {
        bytes[i] = p->regex->fold[bytes[i]];
        if (bytes[i] == NEWLINE && p->flags & BACKWARDS)
            reverse(bytes + begin, i - begin);
        if (bytes[i] == NEWLINE)
            begin = i + 1;
    }
}

static void parse_strings(struct parser *p, struct span patterns) {
    size_t count = 0, length = (size_t)(patterns.end - patterns.begin);
    for (size_t i = 0; i < length; i++)
        count += patterns.begin[i] == NEWLINE;
    uint8_t *bytes = malloc(length);
    struct span *strings = calloc(count, sizeof *strings);
    if (!bytes || !strings) {
        fail(p, "memory exhausted");
    } else {
        memcpy(bytes, patterns.begin, length);
        prepare_strings(p, bytes, length);
        struct span rest = {bytes, bytes + length};
        for (size_t i = 0; i < count; i++)
            strings[i] = take_pattern(&rest);
        qsort(strings, count, sizeof *strings, compare_spans);
        add_trie(p, strings, count);
    }
    free(bytes);
    free(strings);
}

static void parse_patterns(struct parser *p, struct span patterns) {
    if (patterns.begin == patterns.end)
        add_set(p, (struct byteset){{0}}, false);
    else if (p->flags & FIXED_STRINGS)
        parse_strings(p, patterns);
    else
        parse_expressions(p, patterns);
}

static size_t stack_depth(const struct regex *regex) {
    size_t depth = 0, deepest = 0;
    for (size_t i = 0; i < regex->token_count; i++) {
        enum token_kind kind = regex->tokens[i].kind;
        if (kind <= TOKEN_EMPTY)
            depth++;
        else if (kind == TOKEN_CONCAT || kind == TOKEN_EITHER)
            depth--;
        if (depth > deepest)
            deepest = depth;
    }
    return deepest;
}

bool regex_parse(struct regex *regex, struct span patterns, unsigned flags,
                 struct failure *why) {
    struct parser p = {.regex = regex, .flags = flags, .why = why};
    *regex = (struct regex){0};
    for (int c = 0; c < BYTES; c++)
        regex->fold[c] = (uint8_t)(flags & FOLD_CASE ? tolower(c) : c);
    push_group(&p, NULL);
    if (!p.failed && flags & WHOLE_WORDS) {
        add_operand(&p, TOKEN_ASSERT, AFTER_NO_WORD);
        open_group(&p, NULL);
    }
    if (!p.failed)
        parse_patterns(&p, patterns);
    if (!p.failed && flags & WHOLE_WORDS) {
        close_group(&p);
        add_operand(&p, TOKEN_ASSERT, BEFORE_NO_WORD);
    }
    if (!p.failed)
        end_branch(&p);
    free(p.groups);
    regex->depth = stack_depth(regex);
    return !p.failed;
}

void regex_free(struct regex *regex) {
    free(regex->tokens);
    free(regex->sets);
    *regex = (struct regex){0};
}
