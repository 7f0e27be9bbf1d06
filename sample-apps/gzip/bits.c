/* bits.c -- bit streams over byte sources and sinks. */
#include "gzip.h"

#include <string.h>

void bits_read_from(struct bit_reader *in, struct source source) {
    in->bits = 0;
    in->count = 0;
    in->next = in->end = in->buffer;
    in->source = source;
    in->loaded = 0;
    in->ended = in->failed = false;
}

static bool load_buffer(struct bit_reader *in) {
    if (in->ended)
        return false;
    ptrdiff_t size = in->source.read(in->source.context, in->buffer, sizeof in->buffer);
    in->ended = size <= 0;
    in->failed = size < 0;
    if (size <= 0)
        return false;
    in->loaded += (uint64_t)size;
    in->next = in->buffer;
    in->end = in->buffer + size;
    return true;
}

static void refill_bytewise(struct bit_reader *in) {
    while (in->count < BITS_REFILLED && (in->next < in->end || load_buffer(in))) {
        in->bits |= (uint64_t)*in->next++ << in->count;
        in->count += 8;
    }
}

/* Loads eight bytes and goes on by those that fit in whole. What there is in `bits` of
   the next one comes to lie in the same place again. */
void bits_refill(struct bit_reader *in) {
    if (in->end - in->next < 8) {
        refill_bytewise(in);
        return;
    }
    in->bits |= load_le64(in->next) << in->count;
    in->next += (63 - in->count) / 8;
    in->count |= BITS_REFILLED;
}

uint32_t bits_take(struct bit_reader *in, unsigned count) {
    uint32_t value = (uint32_t)(in->bits & ((UINT64_C(1) << count) - 1));
    in->bits >>= count;
    in->count -= (int)count;
    return value;
}

void bits_align_read(struct bit_reader *in) {
    bits_take(in, (unsigned)in->count % 8);
}

bool bits_at_end(struct bit_reader *in) {
    bits_refill(in);
    return in->count <= 0;
}

size_t bits_copy(struct bit_reader *in, uint8_t *data, size_t size) {
    size_t copied = 0;
    for (; copied < size && in->count > 0; copied++)
        data[copied] = (uint8_t)bits_take(in, 8);
    if (copied == size)
        return copied;
    in->bits = 0;
    while (copied < size && (in->next < in->end || load_buffer(in))) {
        size_t part = (size_t)(in->end - in->next);
        if (part > size - copied)
            part = size - copied;
        memcpy(data + copied, in->next, part);
        in->next += part;
        copied += part;
    }
    return copied;
}

uint64_t bits_offset(const struct bit_reader *in) {
    uint64_t ready = in->count > 0 ? (uint64_t)in->count / 8 : 0;
    return in->loaded - (uint64_t)(in->end - in->next) - ready;
}

void bits_write_to(struct bit_writer *out, struct sink sink) {
    out->bits = 0;
    out->count = 0;
    out->used = 0;
    out->sink = sink;
    out->failed = false;
}

bool bits_flush(struct bit_writer *out) {
    if (!out->failed)
        out->failed = !out->sink.write(out->sink.context, out->buffer, out->used);
    out->used = 0;
    return !out->failed;
}

static void store_le64(uint8_t *p, uint64_t value) {
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

void bits_put(struct bit_writer *out, uint64_t bits, unsigned count) {
    out->bits |= bits << out->count;
    out->count += count;
    if (out->used > sizeof out->buffer - 8)
        bits_flush(out);
    store_le64(out->buffer + out->used, out->bits);
    out->used += out->count / 8;
    out->bits >>= out->count / 8 * 8;
    out->count %= 8;
}

void bits_align_write(struct bit_writer *out) {
    bits_put(out, 0, (8 - out->count) % 8);
}

void bits_put_bytes(struct bit_writer *out, const uint8_t *data, size_t size) {
    while (size > 0) {
        size_t part = sizeof out->buffer - out->used;
        if (part == 0)
            bits_flush(out);
        if (part > size)
            part = size;
        memcpy(out->buffer + out->used, data, part);
        out->used += part;
        data += part;
        size -= part;
    }
}
