/* deflate.c -- chooses matches, divides them into blocks and writes these (RFC 1951). */
#include "gzip.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_TOKENS = 2048, /* a block is made of whole chunks */
    BLOCK_TOKENS = 12 * CHUNK_TOKENS,
    SHORT_MATCH_DISTANCE_MAX = 4096, /* a farther match of MATCH_MIN is no gain */
    STORED_SIZE_MAX = 65535,
    SPLIT_BITS = 600, /* what another block must save to be worth its code lengths */
    BLOCK_HEADER_BITS = 3,
    LEVEL_LAZY = 4
};

struct histogram {
    uint32_t literals[LITERAL_SYMBOLS];
    uint32_t distances[DISTANCE_SYMBOLS];
};

/* A literal (distance 0) or a match: distance << 16 | literal or length. */
typedef uint32_t token;

/* Tokens are divided into `block`, which is to be written, and `chunk`, which may yet be
   put into another one; `block_size` and `chunk_size` are the bytes they stand for. */
struct deflate {
    struct matcher matcher;
    struct bit_writer *out;
    uint64_t written; /* bytes of the input in blocks that are out */
    uint64_t block_size, chunk_size;
    unsigned block_tokens, chunk_tokens;
    struct histogram block, chunk;
    token tokens[BLOCK_TOKENS];
};

struct codes {
    uint8_t literal_lengths[SYMBOLS_MAX], distance_lengths[DISTANCE_SYMBOLS];
    uint16_t literals[SYMBOLS_MAX], distances[DISTANCE_SYMBOLS];
};

/* The code lengths of a block as they are sent: symbol | repeat count << 8. */
struct sent_lengths {
    unsigned literals, distances, ordered; /* how many lengths are sent of each code */
    unsigned size;                         /* of `symbols` */
    uint16_t symbols[LITERAL_SYMBOLS + DISTANCE_SYMBOLS];
    uint8_t lengths[LENGTH_SYMBOLS];
    uint16_t codes[LENGTH_SYMBOLS];
};

/* Below LEVEL_LAZY a match is taken as it comes, and its positions are entered if it is
   at most `lazy` long; from there on a match shorter than `lazy` waits for a longer one
   at the next position. The numbers are gzip's, so that a level means what it means
   there. */
static const struct match_effort efforts[10] = {
    {0, 0, 0, 0},         {4, 4, 8, 4},        {4, 5, 16, 8},     {4, 6, 32, 32},
    {4, 4, 16, 16},       {8, 16, 32, 32},     {8, 16, 128, 128}, {8, 32, 128, 256},
    {32, 128, 258, 1024}, {32, 258, 258, 4096}};

static const struct match no_match = {MATCH_MIN - 1, 0};

static unsigned floor_log2(uint32_t value) {
    return 31 - (unsigned)__builtin_clz(value);
}

static unsigned length_symbol(uint32_t length) {
    uint32_t value = length - MATCH_MIN;
    if (value < 8)
        return FIRST_LENGTH + value;
    if (length == MATCH_MAX)
        return LITERAL_SYMBOLS - 1;
    unsigned log = floor_log2(value);
    return FIRST_LENGTH + 4 * (log - 1) + (value >> (log - 2) & 3);
}

static unsigned distance_symbol(uint32_t distance) {
    uint32_t value = distance - 1;
    if (value < 2)
        return value;
    unsigned log = floor_log2(value);
    return 2 * log + (value >> (log - 1) & 1);
}

/* log2(value) << 16, with an error below 0.01: for x < 1, log2(1 + x) is close to
   x + 0.344 x (1 - x). */
static uint64_t fixed_log2(uint32_t value) {
    unsigned log = floor_log2(value);
    uint64_t x = ((uint64_t)value << 16 >> log) - 65536;
    return ((uint64_t)log << 16) + x + (x * (65536 - x) >> 16) * 11 / 32;
}

/* How many bits an ideal code would take. */
static uint64_t entropy_bits(const uint32_t *counts, unsigned symbols) {
    uint64_t total = 0, sum = 0;
    for (unsigned i = 0; i < symbols; i++)
        if (counts[i] > 0) {
            total += counts[i];
            sum += counts[i] * fixed_log2(counts[i]);
        }
    return total == 0 ? 0 : (total * fixed_log2((uint32_t)total) - sum) >> 16;
}

static uint64_t histogram_bits(const struct histogram *histogram) {
    return entropy_bits(histogram->literals, LITERAL_SYMBOLS) +
           entropy_bits(histogram->distances, DISTANCE_SYMBOLS);
}

static void add_histogram(struct histogram *to, const struct histogram *from) {
    for (unsigned i = 0; i < LITERAL_SYMBOLS; i++)
        to->literals[i] += from->literals[i];
    for (unsigned i = 0; i < DISTANCE_SYMBOLS; i++)
        to->distances[i] += from->distances[i];
}

static void send_length(struct sent_lengths *sent, unsigned symbol, unsigned repeat) {
    sent->symbols[sent->size++] = (uint16_t)(repeat << 8 | symbol);
}

static void send_run(struct sent_lengths *sent, unsigned length, unsigned run) {
    if (length != 0) {
        send_length(sent, length, 0);
        run--;
    }
    while (run >= 3) {
        unsigned longest = length != 0 ? 6 : 138;
        unsigned part = run < longest ? run : longest;
        unsigned symbol = length != 0 ? 16 : part <= 10 ? 17 : 18;
        send_length(sent, symbol, part);
        run -= part;
    }
    while (run-- > 0)
        send_length(sent, length, 0);
}

static unsigned used_symbols(const uint8_t *lengths, unsigned symbols) {
    while (lengths[symbols - 1] == 0)
        symbols--;
    return symbols;
}

static void plan_sending(struct sent_lengths *sent, const struct codes *codes) {
    uint8_t lengths[LITERAL_SYMBOLS + DISTANCE_SYMBOLS];
    sent->literals = used_symbols(codes->literal_lengths, LITERAL_SYMBOLS);
    sent->distances = used_symbols(codes->distance_lengths, DISTANCE_SYMBOLS);
    unsigned size = sent->literals + sent->distances;
    memcpy(lengths, codes->literal_lengths, sent->literals);
    memcpy(lengths + sent->literals, codes->distance_lengths, sent->distances);
    sent->size = 0;
    for (unsigned i = 0, run = 1; i < size; i += run, run = 1) {
        while (i + run < size && lengths[i + run] == lengths[i])
            run++;
        send_run(sent, lengths[i], run);
    }
}

static void make_sending_code(struct sent_lengths *sent) {
    uint32_t counts[LENGTH_SYMBOLS] = {0};
    for (unsigned i = 0; i < sent->size; i++)
        counts[sent->symbols[i] & 255]++;
    huffman_lengths(counts, LENGTH_SYMBOLS, LENGTH_CODE_BITS_MAX, sent->lengths);
    huffman_codes(sent->lengths, LENGTH_SYMBOLS, sent->codes);
    sent->ordered = LENGTH_SYMBOLS;
    while (sent->ordered > 4 && sent->lengths[length_code_order[sent->ordered - 1]] == 0)
        sent->ordered--;
}

static uint64_t sending_bits(const struct sent_lengths *sent) {
    uint64_t bits = 5 + 5 + 4 + 3 * sent->ordered;
    for (unsigned i = 0; i < sent->size; i++) {
        unsigned symbol = sent->symbols[i] & 255;
        bits += sent->lengths[symbol];
        if (symbol >= FIRST_REPEAT)
            bits += repeat_ranges[symbol - FIRST_REPEAT].extra;
    }
    return bits;
}

static void write_lengths(struct bit_writer *out, const struct sent_lengths *sent) {
    bits_put(out, sent->literals - FIRST_LENGTH, 5);
    bits_put(out, sent->distances - 1, 5);
    bits_put(out, sent->ordered - 4, 4);
    for (unsigned i = 0; i < sent->ordered; i++)
        bits_put(out, sent->lengths[length_code_order[i]], 3);
    for (unsigned i = 0; i < sent->size; i++) {
        unsigned symbol = sent->symbols[i] & 255, repeat = sent->symbols[i] >> 8;
        bits_put(out, sent->codes[symbol], sent->lengths[symbol]);
        if (symbol >= FIRST_REPEAT) {
            const struct range *range = &repeat_ranges[symbol - FIRST_REPEAT];
            bits_put(out, repeat - range->base, range->extra);
        }
    }
}

static void make_fixed_codes(struct codes *codes) {
    huffman_fixed_lengths(codes->literal_lengths);
    memset(codes->distance_lengths, FIXED_DISTANCE_BITS, sizeof codes->distance_lengths);
    huffman_codes(codes->literal_lengths, SYMBOLS_MAX, codes->literals);
    huffman_codes(codes->distance_lengths, DISTANCE_SYMBOLS, codes->distances);
}

static void make_best_codes(struct codes *codes, const struct histogram *histogram) {
    huffman_lengths(histogram->literals, LITERAL_SYMBOLS, CODE_BITS_MAX,
                    codes->literal_lengths);
    huffman_lengths(histogram->distances, DISTANCE_SYMBOLS, CODE_BITS_MAX,
                    codes->distance_lengths);
    huffman_codes(codes->literal_lengths, LITERAL_SYMBOLS, codes->literals);
    huffman_codes(codes->distance_lengths, DISTANCE_SYMBOLS, codes->distances);
}

static uint64_t coded_bits(const struct histogram *histogram, const struct codes *codes) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < LITERAL_SYMBOLS; i++) {
        unsigned extra = i < FIRST_LENGTH ? 0 : length_ranges[i - FIRST_LENGTH].extra;
        bits += (uint64_t)histogram->literals[i] * (codes->literal_lengths[i] + extra);
    }
    for (unsigned i = 0; i < DISTANCE_SYMBOLS; i++) {
        unsigned extra = distance_ranges[i].extra;
        bits += (uint64_t)histogram->distances[i] * (codes->distance_lengths[i] + extra);
    }
    return bits;
}

static void write_match(struct bit_writer *out, const struct codes *codes,
                        uint32_t length, uint32_t distance) {
    unsigned symbol = length_symbol(length);
    const struct range *range = &length_ranges[symbol - FIRST_LENGTH];
    uint64_t bits = codes->literals[symbol];
    unsigned count = codes->literal_lengths[symbol];
    bits |= (uint64_t)(length - range->base) << count;
    count += range->extra;

    symbol = distance_symbol(distance);
    range = &distance_ranges[symbol];
    bits |= (uint64_t)codes->distances[symbol] << count;
    count += codes->distance_lengths[symbol];
    bits |= (uint64_t)(distance - range->base) << count;
    count += range->extra;
    bits_put(out, bits, count);
}

static void write_tokens(const struct deflate *d, const struct codes *codes) {
    for (unsigned i = 0; i < d->block_tokens; i++) {
        uint32_t value = d->tokens[i] & 0xFFFF, distance = d->tokens[i] >> 16;
        if (distance > 0)
            write_match(d->out, codes, value, distance);
        else
            bits_put(d->out, codes->literals[value], codes->literal_lengths[value]);
    }
    bits_put(d->out, codes->literals[END_OF_BLOCK], codes->literal_lengths[END_OF_BLOCK]);
}

static void write_stored(struct bit_writer *out, const uint8_t *data, size_t size,
                         bool last) {
    do {
        size_t part = size < STORED_SIZE_MAX ? size : STORED_SIZE_MAX;
        size -= part;
        bits_put(out, BLOCK_STORED << 1 | (last && size == 0), BLOCK_HEADER_BITS);
        bits_align_write(out);
        bits_put(out, part | (part ^ 0xFFFF) << 16, 32);
        bits_put_bytes(out, data, part);
        data += part;
    } while (size > 0);
}

static uint64_t stored_bits(const struct deflate *d) {
    uint64_t parts = d->block_size / STORED_SIZE_MAX + 1;
    return 8 * d->block_size + parts * (BLOCK_HEADER_BITS + 7 + 32);
}

/* The bytes that the block stands for, or NULL if they have left the window. */
static const uint8_t *block_data(const struct deflate *d) {
    uint64_t position = d->written + 1, moved = d->matcher.moved;
    return position < moved ? NULL : d->matcher.window + (position - moved);
}

static void write_block(struct deflate *d, bool last) {
    struct codes best, fixed;
    struct sent_lengths sent;
    d->block.literals[END_OF_BLOCK] = 1;
    make_fixed_codes(&fixed);
    make_best_codes(&best, &d->block);
    plan_sending(&sent, &best);
    make_sending_code(&sent);

    uint64_t best_bits = sending_bits(&sent) + coded_bits(&d->block, &best);
    uint64_t fixed_bits = coded_bits(&d->block, &fixed);
    uint64_t least = best_bits < fixed_bits ? best_bits : fixed_bits;
    if (block_data(d) != NULL && stored_bits(d) <= BLOCK_HEADER_BITS + least) {
        write_stored(d->out, block_data(d), (size_t)d->block_size, last);
    } else if (fixed_bits <= best_bits) {
        bits_put(d->out, BLOCK_FIXED << 1 | last, BLOCK_HEADER_BITS);
        write_tokens(d, &fixed);
    } else {
        bits_put(d->out, BLOCK_DYNAMIC << 1 | last, BLOCK_HEADER_BITS);
        write_lengths(d->out, &sent);
        write_tokens(d, &best);
    }
}

static void finish_block(struct deflate *d, bool last) {
    write_block(d, last);
    memmove(d->tokens, d->tokens + d->block_tokens, d->chunk_tokens * sizeof *d->tokens);
    memset(&d->block, 0, sizeof d->block);
    d->written += d->block_size;
    d->block_size = 0;
    d->block_tokens = 0;
}

static bool chunk_differs(const struct deflate *d) {
    struct histogram both = d->block;
    add_histogram(&both, &d->chunk);
    return histogram_bits(&d->block) + histogram_bits(&d->chunk) + SPLIT_BITS <
           histogram_bits(&both);
}

static void finish_chunk(struct deflate *d) {
    if (d->block_tokens > 0 && chunk_differs(d))
        finish_block(d, false);
    add_histogram(&d->block, &d->chunk);
    memset(&d->chunk, 0, sizeof d->chunk);
    d->block_tokens += d->chunk_tokens;
    d->block_size += d->chunk_size;
    d->chunk_tokens = 0;
    d->chunk_size = 0;
    if (d->block_tokens > BLOCK_TOKENS - CHUNK_TOKENS)
        finish_block(d, false);
}

static void add_token(struct deflate *d, token added, uint32_t size) {
    d->tokens[d->block_tokens + d->chunk_tokens++] = added;
    d->chunk_size += size;
    if (d->chunk_tokens == CHUNK_TOKENS)
        finish_chunk(d);
}

static void add_literal(struct deflate *d, uint8_t byte) {
    d->chunk.literals[byte]++;
    add_token(d, byte, 1);
}

static void add_match(struct deflate *d, struct match match) {
    d->chunk.literals[length_symbol(match.length)]++;
    d->chunk.distances[distance_symbol(match.distance)]++;
    add_token(d, match.distance << 16 | match.length, match.length);
}

static void parse_greedy(struct deflate *d) {
    struct matcher *m = &d->matcher;
    while (matcher_fill(m) > 0 && !d->out->failed) {
        struct match match = matcher_longest(m, matcher_insert(m), no_match.length);
        if (match.distance == 0) {
            add_literal(d, m->window[m->position++]);
            continue;
        }
        add_match(d, match);
        if (match.length <= m->effort.lazy)
            matcher_skip(m, match.length);
        else
            m->position += match.length;
    }
}

static struct match find_longer(const struct matcher *m, size_t candidate,
                                uint32_t beat) {
    if (beat >= m->effort.lazy)
        return no_match;
    struct match match = matcher_longest(m, candidate, beat);
    bool is_gain = match.length > MATCH_MIN || match.distance <= SHORT_MATCH_DISTANCE_MAX;
    return is_gain ? match : no_match;
}

/* `held` is the match found at the byte before; `waiting` says that this byte is not in a
   token yet. */
static void parse_lazy(struct deflate *d) {
    struct matcher *m = &d->matcher;
    struct match held = no_match;
    bool waiting = false;
    while (matcher_fill(m) > 0 && !d->out->failed) {
        struct match here = find_longer(m, matcher_insert(m), held.length);
        if (held.distance > 0 && here.distance == 0) {
            add_match(d, held);
            matcher_skip(m, held.length - 1);
            held = no_match;
            waiting = false;
        } else {
            if (waiting)
                add_literal(d, m->window[m->position - 1]);
            held = here;
            waiting = true;
            m->position++;
        }
    }
    if (waiting)
        add_literal(d, m->window[m->position - 1]);
}

static enum status deflate_result(const struct deflate *d) {
    if (d->matcher.failed)
        return STATUS_READ_FAILED;
    return d->out->failed ? STATUS_WRITE_FAILED : STATUS_OK;
}

enum status deflate(struct source in, struct bit_writer *out, int level) {
    struct deflate *d = calloc(1, sizeof *d);
    if (d == NULL)
        return STATUS_NO_MEMORY;
    matcher_init(&d->matcher, in, efforts[level]);
    d->out = out;
    if (level < LEVEL_LAZY)
        parse_greedy(d);
    else
        parse_lazy(d);
    if (d->chunk_tokens > 0)
        finish_chunk(d);
    finish_block(d, true);
    enum status status = deflate_result(d);
    free(d);
    return status;
}
