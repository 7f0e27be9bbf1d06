/* matcher.c -- a sliding window over the input, with hash chains of earlier positions. */
#include "gzip.h"

#include <string.h>

void matcher_init(struct matcher *matcher, struct source source,
                  struct match_effort effort) {
    matcher->position = matcher->end = 1;
    matcher->source = source;
    matcher->effort = effort;
}

static void move_positions(uint16_t *positions, size_t count) {
    for (size_t i = 0; i < count; i++)
        positions[i] =
            positions[i] > WINDOW_SIZE ? (uint16_t)(positions[i] - WINDOW_SIZE) : 0;
}

static void move_window(struct matcher *matcher) {
    memmove(matcher->window, matcher->window + WINDOW_SIZE, matcher->end - WINDOW_SIZE);
    matcher->position -= WINDOW_SIZE;
    matcher->end -= WINDOW_SIZE;
    matcher->moved += WINDOW_SIZE;
    move_positions(matcher->head, sizeof matcher->head / sizeof *matcher->head);
    move_positions(matcher->previous, WINDOW_SIZE);
}

static void read_more(struct matcher *matcher) {
    ptrdiff_t size =
        matcher->source.read(matcher->source.context, matcher->window + matcher->end,
                             2 * WINDOW_SIZE - matcher->end);
    matcher->ended = size <= 0;
    matcher->failed = size < 0;
    matcher->end += size > 0 ? (size_t)size : 0;
}

size_t matcher_fill(struct matcher *matcher) {
    while (matcher->end - matcher->position < LOOKAHEAD_MIN && !matcher->ended) {
        if (matcher->position >= WINDOW_SIZE + MATCH_DISTANCE_MAX)
            move_window(matcher);
        read_more(matcher);
    }
    return matcher->end - matcher->position;
}

/* The multiplier is 2^32 divided by the golden ratio: the product's top bits depend on
   all bits of the three bytes. */
static uint32_t hash(const uint8_t *data) {
    return (load_le32(data) & 0xFFFFFF) * UINT32_C(0x9E3779B1) >> (32 - HASH_BITS);
}

size_t matcher_insert(struct matcher *matcher) {
    if (matcher->end - matcher->position < MATCH_MIN)
        return 0;
    uint16_t *head = &matcher->head[hash(matcher->window + matcher->position)];
    uint16_t candidate = *head;
    matcher->previous[matcher->position % WINDOW_SIZE] = candidate;
    *head = (uint16_t)matcher->position;
    return candidate;
}

void matcher_skip(struct matcher *matcher, size_t count) {
    for (; count > 1; count--) {
        matcher->position++;
        matcher_insert(matcher);
    }
    matcher->position++;
}

static uint32_t match_length(const uint8_t *a, const uint8_t *b, uint32_t limit) {
    for (uint32_t length = 0; length < limit; length += 8) {
        uint64_t difference = load_le64(a + length) ^ load_le64(b + length);
        if (difference != 0) {
            length += (uint32_t)__builtin_ctzll(difference) / 8;
            return length < limit ? length : limit;
        }
    }
    return limit;
}

/* The last two bytes of a longer match than `length`. */
static uint16_t tail(const uint8_t *data, uint32_t length) {
    return (uint16_t)(data[length - 1] | data[length] << 8);
}

struct match matcher_longest(const struct matcher *matcher, size_t candidate,
                             uint32_t beat) {
    const uint8_t *here = matcher->window + matcher->position;
    size_t ahead = matcher->end - matcher->position;
    uint32_t limit = ahead < MATCH_MAX ? (uint32_t)ahead : MATCH_MAX;
    uint32_t nice = matcher->effort.nice < limit ? matcher->effort.nice : limit;
    size_t too_far = matcher->position > MATCH_DISTANCE_MAX
                         ? matcher->position - MATCH_DISTANCE_MAX - 1
                         : 0;
    unsigned chain = matcher->effort.chain >> (beat >= matcher->effort.good ? 2 : 0);
    struct match best = {beat, 0};

    uint16_t wanted = tail(here, best.length);
    for (; candidate > too_far && chain > 0; chain--) {
        const uint8_t *there = matcher->window + candidate;
        if (tail(there, best.length) == wanted) {
            uint32_t length = match_length(there, here, limit);
            if (length > best.length) {
                best = (struct match){length, (uint32_t)(matcher->position - candidate)};
                if (length >= nice)
                    break;
                wanted = tail(here, length);
            }
        }
        candidate = matcher->previous[candidate % WINDOW_SIZE];
    }
    return best;
}
