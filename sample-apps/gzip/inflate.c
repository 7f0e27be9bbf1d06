/* inflate.c -- decodes DEFLATE data (RFC 1951). */
#include "gzip.h"

#include <stdlib.h>
#include <string.h>

enum {
    OUTPUT_SIZE = 4 * WINDOW_SIZE,
    COPY_STEP = 8,
    MATCH_BITS_MAX = 48 /* 15 + 5 for the length, 15 + 13 for the distance */
};

/* output[0..position) is the last of what was decoded, at least WINDOW_SIZE bytes of it
   or all; from `unwritten` on the sink does not have it. */
struct inflate {
    struct bit_reader *in;
    struct sink out;
    size_t position, unwritten;
    struct huffman_decoder literals, distances;
    uint8_t output[OUTPUT_SIZE + COPY_STEP]; /* a copy may write that much too far */
};

static enum status write_output(struct inflate *s) {
    size_t size = s->position - s->unwritten;
    if (!s->out.write(s->out.context, s->output + s->unwritten, size))
        return STATUS_WRITE_FAILED;
    s->unwritten = s->position;
    return STATUS_OK;
}

/* Makes room for a match; for when there is none. */
static enum status make_room(struct inflate *s) {
    enum status status = write_output(s);
    memcpy(s->output, s->output + s->position - WINDOW_SIZE, WINDOW_SIZE);
    s->position = s->unwritten = WINDOW_SIZE;
    return status;
}

static enum status copy_stored(struct inflate *s, size_t size) {
    while (size > 0) {
        if (s->position == OUTPUT_SIZE && make_room(s) != STATUS_OK)
            return STATUS_WRITE_FAILED;
        size_t room = OUTPUT_SIZE - s->position, part = size < room ? size : room;
        size_t copied = bits_copy(s->in, s->output + s->position, part);
        s->position += copied;
        size -= copied;
        if (copied < part)
            return STATUS_TRUNCATED;
    }
    return STATUS_OK;
}

static enum status inflate_stored(struct inflate *s) {
    bits_align_read(s->in);
    bits_refill(s->in);
    uint32_t size = bits_take(s->in, 16), complement = bits_take(s->in, 16);
    if (bits_overrun(s->in))
        return STATUS_TRUNCATED;
    return (size ^ complement) == 0xFFFF ? copy_stored(s, size)
                                         : STATUS_BAD_STORED_LENGTH;
}

/* What overlaps itself has the period `distance`, and thus every multiple of it too. */
static void copy_match(uint8_t *to, size_t distance, size_t length) {
    const uint8_t *from = to - distance;
    while (distance < COPY_STEP && length > 0) {
        size_t part = distance < length ? distance : length;
        for (size_t i = 0; i < part; i++)
            to[i] = from[i];
        to += part;
        length -= part;
        distance += part;
    }
    for (size_t i = 0; i < length; i += COPY_STEP)
        memcpy(to + i, from + i, COPY_STEP);
}

static enum status inflate_match(struct inflate *s, unsigned symbol) {
    if (symbol >= LITERAL_SYMBOLS)
        return STATUS_BAD_CODE;
    const struct range *range = &length_ranges[symbol - FIRST_LENGTH];
    uint32_t length = range->base + bits_take(s->in, range->extra);
    int code = huffman_decode(&s->distances, s->in);
    if (code < 0 || code >= DISTANCE_SYMBOLS)
        return STATUS_BAD_CODE;
    range = &distance_ranges[code];
    uint32_t distance = range->base + bits_take(s->in, range->extra);
    if (bits_overrun(s->in))
        return STATUS_TRUNCATED;
    if (distance > s->position)
        return STATUS_BAD_DISTANCE;
    copy_match(s->output + s->position, distance, length);
    s->position += length;
    return STATUS_OK;
}

static enum status inflate_symbols(struct inflate *s) {
    for (;;) {
        if (s->position > OUTPUT_SIZE - MATCH_MAX && make_room(s) != STATUS_OK)
            return STATUS_WRITE_FAILED;
        if (s->in->count < MATCH_BITS_MAX)
            bits_refill(s->in);
        int symbol = huffman_decode(&s->literals, s->in);
        if (bits_overrun(s->in))
            return STATUS_TRUNCATED;
        if (symbol < 0)
            return STATUS_BAD_CODE;
        if (symbol < END_OF_BLOCK) {
            s->output[s->position++] = (uint8_t)symbol;
        } else if (symbol == END_OF_BLOCK) {
            return STATUS_OK;
        } else {
            enum status status = inflate_match(s, (unsigned)symbol);
            if (status != STATUS_OK)
                return status;
        }
    }
}

static enum status inflate_coded(struct inflate *s, const uint8_t *lengths,
                                 unsigned literals, unsigned distances) {
    if (!huffman_decoder_init(&s->literals, lengths, literals) ||
        !huffman_decoder_init(&s->distances, lengths + literals, distances))
        return STATUS_BAD_CODE_LENGTHS;
    return inflate_symbols(s);
}

static enum status inflate_fixed(struct inflate *s) {
    uint8_t lengths[SYMBOLS_MAX + FIXED_DISTANCE_SYMBOLS];
    huffman_fixed_lengths(lengths);
    memset(lengths + SYMBOLS_MAX, FIXED_DISTANCE_BITS, FIXED_DISTANCE_SYMBOLS);
    return inflate_coded(s, lengths, SYMBOLS_MAX, FIXED_DISTANCE_SYMBOLS);
}

/* Sets up the code in which the code lengths of a block are sent. */
static bool read_length_code(struct bit_reader *in, unsigned size,
                             struct huffman_decoder *decoder) {
    uint8_t lengths[LENGTH_SYMBOLS] = {0};
    for (unsigned i = 0; i < size; i++) {
        bits_refill(in);
        lengths[length_code_order[i]] = (uint8_t)bits_take(in, 3);
    }
    return huffman_decoder_init(decoder, lengths, LENGTH_SYMBOLS);
}

static bool read_lengths(struct bit_reader *in, const struct huffman_decoder *decoder,
                         uint8_t *lengths, unsigned size) {
    for (unsigned i = 0; i < size;) {
        bits_refill(in);
        int symbol = huffman_decode(decoder, in);
        if (symbol < 0 || (symbol == REPEAT_PREVIOUS && i == 0))
            return false;
        if (symbol < FIRST_REPEAT) {
            lengths[i++] = (uint8_t)symbol;
            continue;
        }
        const struct range *range = &repeat_ranges[symbol - FIRST_REPEAT];
        unsigned repeat = range->base + bits_take(in, range->extra);
        if (repeat > size - i)
            return false;
        memset(lengths + i, symbol == REPEAT_PREVIOUS ? lengths[i - 1] : 0, repeat);
        i += repeat;
    }
    return lengths[END_OF_BLOCK] != 0;
}

static enum status inflate_dynamic(struct inflate *s) {
    uint8_t lengths[LITERAL_SYMBOLS + DISTANCE_SYMBOLS];
    bits_refill(s->in);
    unsigned literals = FIRST_LENGTH + bits_take(s->in, 5);
    unsigned distances = 1 + bits_take(s->in, 5);
    unsigned ordered = 4 + bits_take(s->in, 4);
    if (literals > LITERAL_SYMBOLS || distances > DISTANCE_SYMBOLS ||
        !read_length_code(s->in, ordered, &s->literals) ||
        !read_lengths(s->in, &s->literals, lengths, literals + distances))
        return STATUS_BAD_CODE_LENGTHS;
    return inflate_coded(s, lengths, literals, distances);
}

static enum status inflate_block(struct inflate *s, unsigned type) {
    switch (type) {
    case BLOCK_STORED:
        return inflate_stored(s);
    case BLOCK_FIXED:
        return inflate_fixed(s);
    case BLOCK_DYNAMIC:
        return inflate_dynamic(s);
    default:
        return STATUS_BAD_BLOCK_TYPE;
    }
}

static enum status inflate_blocks(struct inflate *s) {
    enum status status = STATUS_OK;
    bool last = false;
    while (status == STATUS_OK && !last) {
        bits_refill(s->in);
        last = bits_take(s->in, 1);
        status = inflate_block(s, bits_take(s->in, 2));
    }
    return status;
}

enum status inflate(struct bit_reader *in, struct sink out) {
    struct inflate *s = malloc(sizeof *s);
    if (s == NULL)
        return STATUS_NO_MEMORY;
    s->in = in;
    s->out = out;
    s->position = s->unwritten = 0;
    enum status status = inflate_blocks(s);
    if (status != STATUS_WRITE_FAILED && write_output(s) != STATUS_OK)
        status = STATUS_WRITE_FAILED;
    free(s);
    return status;
}
