/*
 * matcher.c: which lines match, and where in a line. Literal search first, then the DFA;
 * the simulation finishes what the DFA gives up.
 */
#include "grep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_line_automata(struct matcher *m, size_t cache_bytes) {
    if (!literal_init(&m->literal, &m->regex) || !nfa_compile(&m->lines, &m->regex, 0))
        return false;
    m->line_sim = sim_new(&m->lines);
    m->search = dfa_new(&m->lines, DFA_SEARCH, cache_bytes);
    return m->line_sim && m->search;
}

static bool compile_mirror(struct matcher *m) {
    if (m->backwards.token_count > 0)
        return nfa_compile(&m->mirror, &m->backwards, NFA_NOT_EMPTY);
    return nfa_compile(&m->mirror, &m->regex, NFA_NOT_EMPTY | NFA_REVERSE);
}

static bool make_span_automata(struct matcher *m, size_t cache_bytes) {
    if (!nfa_compile(&m->spans, &m->regex, NFA_NOT_EMPTY) || !compile_mirror(m))
        return false;
    m->span_sim = sim_new(&m->spans);
    m->starts = dfa_new(&m->mirror, DFA_STARTS, cache_bytes);
    m->longest = dfa_new(&m->spans, DFA_LONGEST, cache_bytes);
    return m->span_sim && m->starts && m->longest;
}

/* A trie shares nothing when it is mirrored, so that strings are parsed once more. */
static bool parse(struct matcher *m, struct span patterns, unsigned flags, bool spans,
                  struct failure *why) {
    return regex_parse(&m->regex, patterns, flags, why) &&
           (!spans || !(flags & FIXED_STRINGS) ||
            regex_parse(&m->backwards, patterns, flags | BACKWARDS, why));
}

bool matcher_init(struct matcher *m, struct span patterns, unsigned flags, bool spans,
                  size_t cache_bytes, struct failure *why) {
    *m = (struct matcher){0};
    if (!parse(m, patterns, flags, spans, why))
        return false;
    if (make_line_automata(m, cache_bytes) &&
        (!spans || make_span_automata(m, cache_bytes)))
        return true;
    snprintf(why->text, sizeof why->text, "memory exhausted");
    return false;
}

void matcher_free(struct matcher *m) {
    dfa_free(m->search);
    dfa_free(m->starts);
    dfa_free(m->longest);
    sim_free(m->line_sim);
    sim_free(m->span_sim);
    nfa_free(&m->lines);
    nfa_free(&m->spans);
    nfa_free(&m->mirror);
    regex_free(&m->regex);
    regex_free(&m->backwards);
    free(m->marks);
    *m = (struct matcher){0};
}

static struct span line_around(struct span lines, const uint8_t *at) {
    struct span line = {at, memchr(at, NEWLINE, (size_t)(lines.end - at))};
    while (line.begin > lines.begin && line.begin[-1] != NEWLINE)
        line.begin--;
    line.end++;
    return line;
}

static bool sim_matches(struct matcher *m, struct span line) {
    struct span text = {line.begin, line.end - 1}, match;
    return sim_find(m->line_sim, text, text.begin, true, &match);
}

bool matcher_next_line(struct matcher *m, struct span lines, struct span *line) {
    while (lines.begin < lines.end) {
        struct span part = lines;
        if (m->literal.length) {
            const uint8_t *hit = literal_find(&m->literal, lines);
            if (!hit)
                return false;
            part = *line = line_around(lines, hit);
            if (m->literal.whole)
                return true;
        }
        const uint8_t *at;
        enum dfa_result result = dfa_search(m->search, part, &at);
        if (result != DFA_NO)
            *line = line_around(part, at);
        if (result == DFA_YES || (result == DFA_GAVE_UP && sim_matches(m, *line)))
            return true;
        lines.begin = result == DFA_NO ? part.end : line->end;
    }
    return false;
}

static bool reserve_marks(struct matcher *m, size_t count) {
    if (count <= m->marks_capacity)
        return true;
    uint8_t *larger = count <= SIZE_MAX / 2 ? realloc(m->marks, 2 * count) : NULL;
    if (!larger)
        return false;
    m->marks = larger;
    m->marks_capacity = 2 * count;
    return true;
}

void matcher_enter_line(struct matcher *m, struct span line) {
    m->line = line;
    m->marked = !m->literal.whole &&
                reserve_marks(m, (size_t)(line.end - line.begin) + 1) &&
                dfa_starts(m->starts, line, m->marks) == DFA_YES;
}

static bool next_literal(struct matcher *m, const uint8_t *from, struct span *match) {
    match->begin = literal_find(&m->literal, (struct span){from, m->line.end});
    if (match->begin)
        match->end = match->begin + m->literal.length;
    return match->begin != NULL;
}

bool matcher_next_span(struct matcher *m, const uint8_t *from, struct span *match) {
    if (m->literal.whole)
        return next_literal(m, from, match);
    if (m->marked) {
        const uint8_t *mark = m->marks + (from - m->line.begin);
        const uint8_t *next = memchr(mark, true, (size_t)(m->line.end - from));
        if (!next)
            return false;
        match->begin = from + (next - mark);
        m->marked =
            dfa_longest(m->longest, m->line, match->begin, &match->end) == DFA_YES;
    }
    return m->marked || sim_find(m->span_sim, m->line, from, false, match);
}
