/* container.c -- the gzip file format (RFC 1952): headers, data and trailers. */
#include "gzip.h"

#include <stdlib.h>

enum {
    MAGIC = 0x8B1F,
    METHOD_DEFLATE = 8,
    FLAG_HEADER_CRC = 1 << 1,
    FLAG_EXTRA = 1 << 2,
    FLAG_NAME = 1 << 3,
    FLAG_COMMENT = 1 << 4,
    FLAGS_RESERVED = 0xE0,
    FIXED_HEADER_SIZE = 10,
    BEST_COMPRESSION = 2, /* in the header's XFL field, as is the next one */
    FASTEST_COMPRESSION = 4,
    SYSTEM_UNKNOWN = 255
};

/* What the trailer of a member is to say. */
struct check {
    uint32_t crc;
    uint32_t size; /* modulo 2^32 */
};

struct checked_source {
    struct source source;
    struct check check;
};

struct checked_sink {
    struct sink sink;
    struct check check;
};

static void update_check(struct check *check, const uint8_t *data, size_t size) {
    check->crc = crc32_update(check->crc, data, size);
    check->size += (uint32_t)size;
}

static ptrdiff_t read_checked(void *context, uint8_t *data, size_t size) {
    struct checked_source *in = context;
    ptrdiff_t got = in->source.read(in->source.context, data, size);
    if (got > 0)
        update_check(&in->check, data, (size_t)got);
    return got;
}

static bool write_checked(void *context, const uint8_t *data, size_t size) {
    struct checked_sink *out = context;
    update_check(&out->check, data, size);
    return out->sink.write(out->sink.context, data, size);
}

static unsigned effort_of(int level) {
    if (level == 9)
        return BEST_COMPRESSION;
    return level == 1 ? FASTEST_COMPRESSION : 0;
}

/* There is no name, time or system in it, so that equal data gives equal files. */
static void write_header(struct bit_writer *out, int level) {
    bits_put(out, MAGIC, 16);
    bits_put(out, METHOD_DEFLATE, 8);
    bits_put(out, 0, 8);  /* flags */
    bits_put(out, 0, 32); /* modification time */
    bits_put(out, effort_of(level), 8);
    bits_put(out, SYSTEM_UNKNOWN, 8);
}

static enum status write_member(struct source source, struct bit_writer *out, int level) {
    struct checked_source in = {source, {0, 0}};
    write_header(out, level);
    enum status status = deflate((struct source){read_checked, &in}, out, level);
    if (status != STATUS_OK)
        return status;
    bits_align_write(out);
    bits_put(out, in.check.crc, 32);
    bits_put(out, in.check.size, 32);
    return bits_flush(out) ? STATUS_OK : STATUS_WRITE_FAILED;
}

enum status gzip_compress(struct source source, struct sink sink, int level) {
    struct bit_writer *out = malloc(sizeof *out);
    if (out == NULL)
        return STATUS_NO_MEMORY;
    bits_write_to(out, sink);
    enum status status = write_member(source, out, level);
    free(out);
    return status;
}

/* Returns 0 after the end of the input, which ends every loop that looks for a 0. */
static uint8_t header_byte(struct bit_reader *in, uint32_t *crc) {
    bits_refill(in);
    uint8_t byte = (uint8_t)bits_take(in, 8);
    *crc = crc32_update(*crc, &byte, 1);
    return byte;
}

static unsigned header_short(struct bit_reader *in, uint32_t *crc) {
    unsigned low = header_byte(in, crc);
    return low | (unsigned)header_byte(in, crc) << 8;
}

static void skip_string(struct bit_reader *in, uint32_t *crc) {
    while (header_byte(in, crc) != 0)
        continue;
}

static void skip_optional_fields(struct bit_reader *in, unsigned flags, uint32_t *crc) {
    if (flags & FLAG_EXTRA)
        for (unsigned size = header_short(in, crc); size > 0; size--)
            header_byte(in, crc);
    if (flags & FLAG_NAME)
        skip_string(in, crc);
    if (flags & FLAG_COMMENT)
        skip_string(in, crc);
}

static enum status read_header(struct bit_reader *in) {
    uint32_t crc = 0;
    if (header_short(in, &crc) != MAGIC)
        return STATUS_NOT_GZIP;
    if (header_byte(in, &crc) != METHOD_DEFLATE)
        return STATUS_BAD_METHOD;
    unsigned flags = header_byte(in, &crc);
    if (flags & FLAGS_RESERVED)
        return STATUS_BAD_FLAGS;
    for (int i = 4; i < FIXED_HEADER_SIZE; i++)
        header_byte(in, &crc); /* time, effort and system make no difference */
    skip_optional_fields(in, flags, &crc);
    if (flags & FLAG_HEADER_CRC) {
        unsigned expected = crc & 0xFFFF;
        if (header_short(in, &crc) != expected)
            return STATUS_BAD_HEADER_CRC;
    }
    return STATUS_OK;
}

static enum status read_trailer(struct bit_reader *in, const struct check *expected) {
    bits_align_read(in);
    bits_refill(in);
    if (bits_take(in, 32) != expected->crc)
        return STATUS_BAD_CRC;
    bits_refill(in);
    return bits_take(in, 32) == expected->size ? STATUS_OK : STATUS_BAD_LENGTH;
}

static enum status read_member(struct bit_reader *in, struct sink sink) {
    struct checked_sink out = {sink, {0, 0}};
    enum status status = read_header(in);
    if (status == STATUS_OK && !bits_overrun(in))
        status = inflate(in, (struct sink){write_checked, &out});
    if (status == STATUS_OK && !bits_overrun(in))
        status = read_trailer(in, &out.check);
    if (bits_overrun(in) && status != STATUS_WRITE_FAILED)
        status = STATUS_TRUNCATED;
    return status == STATUS_TRUNCATED && in->failed ? STATUS_READ_FAILED : status;
}

static bool begins_member(struct bit_reader *in) {
    bits_refill(in);
    return in->count >= 24 && (in->bits & 0xFFFFFF) == (METHOD_DEFLATE << 16 | MAGIC);
}

/* Zero bytes may follow the last member, as on a tape. */
static enum status skip_padding(struct bit_reader *in) {
    while (!bits_at_end(in) && (in->bits & 255) == 0)
        bits_take(in, 8);
    if (in->failed)
        return STATUS_READ_FAILED;
    return bits_at_end(in) ? STATUS_OK : STATUS_TRAILING_GARBAGE;
}

static enum status read_members(struct bit_reader *in, struct sink sink) {
    enum status status;
    do
        status = read_member(in, sink);
    while (status == STATUS_OK && begins_member(in));
    return status == STATUS_OK ? skip_padding(in) : status;
}

enum status gzip_decompress(struct source source, struct sink sink, uint64_t *offset) {
    struct bit_reader *in = malloc(sizeof *in);
    if (in == NULL)
        return STATUS_NO_MEMORY;
    bits_read_from(in, source);
    enum status status = read_members(in, sink);
    *offset = bits_offset(in);
    free(in);
    return status;
}

const char *status_text(enum status status) {
    static const char *const texts[] = {
        [STATUS_OK] = "no error",
        [STATUS_TRAILING_GARBAGE] = "trailing garbage ignored",
        [STATUS_READ_FAILED] = "cannot read",
        [STATUS_WRITE_FAILED] = "cannot write",
        [STATUS_NO_MEMORY] = "out of memory",
        [STATUS_TRUNCATED] = "unexpected end of file",
        [STATUS_NOT_GZIP] = "not in gzip format",
        [STATUS_BAD_METHOD] = "unknown compression method",
        [STATUS_BAD_FLAGS] = "reserved header flags set",
        [STATUS_BAD_HEADER_CRC] = "header CRC does not match",
        [STATUS_BAD_BLOCK_TYPE] = "invalid block type",
        [STATUS_BAD_STORED_LENGTH] =
            "stored block's length does not match its complement",
        [STATUS_BAD_CODE_LENGTHS] = "invalid code lengths",
        [STATUS_BAD_CODE] = "invalid code",
        [STATUS_BAD_DISTANCE] = "distance reaches back before the beginning",
        [STATUS_BAD_CRC] = "CRC does not match",
        [STATUS_BAD_LENGTH] = "length does not match",
    };
    return texts[status];
}
