/*
 * fuzz.c: libFuzzer target: what the matcher finds, with a cache that is always too
 * small, must be what the simulation finds alone.
 *
 * Input: a byte of flags, its upper bits the size of the cache; the length of the
 * patterns; the patterns; the text.
 */
#include "../grep.h"

#include <stdlib.h>
#include <string.h>

enum {
    FLAGS = 7,
    CACHE_STEP = 64, /* bytes */
    NODES_MAX = 4096 /* the simulation takes too long with more */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition)
        abort();
}

static struct span without_newline(struct span line) {
    return (struct span){line.begin, line.end - 1};
}

static void check_spans(struct matcher *m, struct span line) {
    const uint8_t *from = line.begin;
    matcher_enter_line(m, line);
    for (bool more = true; more;) {
        struct span found, expected;
        more = sim_find(m->span_sim, line, from, false, &expected);
        require(matcher_next_span(m, from, &found) == more);
        if (more)
            require(found.begin == expected.begin && found.end == expected.end);
        from = expected.end;
    }
}

static void check_line(struct matcher *m, struct span line, bool selected) {
    struct span text = without_newline(line), match;
    require(sim_find(m->line_sim, text, text.begin, true, &match) == selected);
    check_spans(m, text);
}

static void check_lines(struct matcher *m, struct span lines) {
    while (lines.begin < lines.end) {
        struct span hit;
        bool found = matcher_next_line(m, lines, &hit);
        const uint8_t *end = found ? hit.begin : lines.end;
        while (lines.begin < end)
            check_line(m, take_line(&lines), false);
        if (found)
            check_line(m, take_line(&lines), true);
    }
}

/* A copy with a newline before and after. */
static uint8_t *as_lines(const uint8_t *bytes, size_t count) {
    uint8_t *copy = malloc(count + 2);
    require(copy != NULL);
    copy[0] = copy[count + 1] = NEWLINE;
    memcpy(copy + 1, bytes, count);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    size_t pattern_length = data[1] < size - 2 ? data[1] : size - 2;
    size_t text_length = size - 2 - pattern_length;
    uint8_t *patterns = as_lines(data + 2, pattern_length);
    uint8_t *text = as_lines(data + 2 + pattern_length, text_length);
    struct matcher matcher;
    struct failure why;
    if (matcher_init(&matcher, (struct span){patterns + 1, patterns + pattern_length + 2},
                     data[0] & FLAGS, true, (size_t)(data[0] / 8) * CACHE_STEP, &why) &&
        matcher.spans.count <= NODES_MAX)
        check_lines(&matcher, (struct span){text + 1, text + text_length + 2});
    matcher_free(&matcher);
    free(patterns);
    free(text);
    return 0;
}
