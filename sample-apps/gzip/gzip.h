/* gzip.h -- what the modules share.

   Compression:    source -> matcher -> deflate -> bit_writer -> sink
   Decompression:  source -> bit_reader -> inflate -> sink
   container.c frames both as gzip members (RFC 1952) around DEFLATE data (RFC 1951). */
#ifndef GZIP_H
#define GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum status {
    STATUS_OK,
    STATUS_TRAILING_GARBAGE, /* a warning: all members before it are intact */
    STATUS_READ_FAILED,      /* errno says why, here and in the next one */
    STATUS_WRITE_FAILED,
    STATUS_NO_MEMORY,
    STATUS_TRUNCATED,
    STATUS_NOT_GZIP,
    STATUS_BAD_METHOD,
    STATUS_BAD_FLAGS,
    STATUS_BAD_HEADER_CRC,
    STATUS_BAD_BLOCK_TYPE,
    STATUS_BAD_STORED_LENGTH,
    STATUS_BAD_CODE_LENGTHS,
    STATUS_BAD_CODE,
    STATUS_BAD_DISTANCE,
    STATUS_BAD_CRC,
    STATUS_BAD_LENGTH
};

/* read: puts up to `size` bytes at `data`; returns how many, 0 at the end, -1 on failure.
   write: takes all of `size` bytes or returns false. */
struct source {
    ptrdiff_t (*read)(void *context, uint8_t *data, size_t size);
    void *context;
};

struct sink {
    bool (*write)(void *context, const uint8_t *data, size_t size);
    void *context;
};

static inline uint32_t load_le32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static inline uint64_t load_le64(const uint8_t *p) {
    return load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}

/* container.c */

/* Compresses all of `source` into one gzip member. Level: 1 (fast) to 9 (small). */
enum status gzip_compress(struct source source, struct sink sink, int level);

/* Decompresses all members of `source`. `*offset` becomes the place there, in bytes, that
   the status speaks of. What could be decoded before an error has been written. */
enum status gzip_decompress(struct source source, struct sink sink, uint64_t *offset);

const char *status_text(enum status status);

/* crc32.c */

/* The CRC-32 of RFC 1952 of what `crc` covers followed by `data`; begin with 0. */
uint32_t crc32_update(uint32_t crc, const uint8_t *data, size_t size);

/* bits.c: bits are packed from the least significant bit of each byte up. */

enum { BUFFER_SIZE = 1 << 16 };

/* The lowest `count` bits of `bits` are next in line. Those above them are 0 at the end
   of the input, so that a decoder may look ahead freely; taking them is an overrun, which
   shows as a negative count. */
struct bit_reader {
    uint64_t bits;
    int count;
    const uint8_t *next, *end;
    struct source source;
    uint64_t loaded; /* bytes read from the source */
    bool ended, failed;
    uint8_t buffer[BUFFER_SIZE];
};

enum { BITS_REFILLED = 56 };

static inline bool bits_overrun(const struct bit_reader *in) {
    return in->count < 0;
}

void bits_read_from(struct bit_reader *in, struct source source);
/* Makes BITS_REFILLED bits ready, or all that are left. */
void bits_refill(struct bit_reader *in);
/* Takes `count` <= 32 bits. */
uint32_t bits_take(struct bit_reader *in, unsigned count);
/* Skips to a byte boundary, which the next two need. */
void bits_align_read(struct bit_reader *in);
bool bits_at_end(struct bit_reader *in);
/* Takes `size` bytes, or as many as there are; returns how many. */
size_t bits_copy(struct bit_reader *in, uint8_t *data, size_t size);
/* How many bytes of the source have been taken, at least in part. */
uint64_t bits_offset(const struct bit_reader *in);

struct bit_writer {
    uint64_t bits;
    unsigned count; /* < 8 between calls */
    size_t used;
    struct sink sink;
    bool failed; /* the sink did; what is put afterwards is lost */
    uint8_t buffer[BUFFER_SIZE];
};

enum { BITS_PUT_MAX = 56 };

void bits_write_to(struct bit_writer *out, struct sink sink);
/* Appends the `count` <= BITS_PUT_MAX low bits of `bits`; those above must be 0. */
void bits_put(struct bit_writer *out, uint64_t bits, unsigned count);
/* Pads with zero bits to a byte boundary, which bits_put_bytes needs. */
void bits_align_write(struct bit_writer *out);
void bits_put_bytes(struct bit_writer *out, const uint8_t *data, size_t size);
/* Hands all whole bytes to the sink; false if that ever failed. */
bool bits_flush(struct bit_writer *out);

/* huffman.c: canonical codes of at most CODE_BITS_MAX bits, and DEFLATE's alphabets. */

enum {
    CODE_BITS_MAX = 15,
    END_OF_BLOCK = 256,
    FIRST_LENGTH = 257,
    LITERAL_SYMBOLS = 286,
    DISTANCE_SYMBOLS = 30,
    LENGTH_SYMBOLS = 19, /* of the code in which code lengths are sent */
    LENGTH_CODE_BITS_MAX = 7,
    FIRST_REPEAT = 16,
    REPEAT_PREVIOUS = FIRST_REPEAT,
    FIXED_DISTANCE_BITS = 5,
    FIXED_DISTANCE_SYMBOLS = 32,
    SYMBOLS_MAX = 288 /* of the fixed code; its last two stand for nothing */
};

/* A symbol that stands for `base` plus a number of `extra` bits that follows it. */
struct range {
    uint16_t base;
    uint8_t extra;
};

extern const struct range length_ranges[LITERAL_SYMBOLS - FIRST_LENGTH];
extern const struct range distance_ranges[DISTANCE_SYMBOLS];
extern const struct range repeat_ranges[LENGTH_SYMBOLS - FIRST_REPEAT];
extern const uint8_t length_code_order[LENGTH_SYMBOLS];

/* Fills in the code lengths of the fixed code for literals and lengths; the one for
   distances has FIXED_DISTANCE_SYMBOLS codes of FIXED_DISTANCE_BITS. */
void huffman_fixed_lengths(uint8_t lengths[SYMBOLS_MAX]);

/* Code lengths that minimize the sum of count times length; where some would exceed
   `limit`, lengths within it that come near. Unused symbols get 0, but two symbols at
   least get a length, so that every code is complete. Counts are below 2^16, 2 <=
   symbols. */
void huffman_lengths(const uint32_t *counts, unsigned symbols, unsigned limit,
                     uint8_t *lengths);

/* The codes that belong to complete code lengths, first bit lowest. */
void huffman_codes(const uint8_t *lengths, unsigned symbols, uint16_t *codes);

enum { LOOKUP_BITS = 10 };

/* lookup: for every next LOOKUP_BITS bits, symbol << 4 | length of a code that is no
   longer, or 0. The codes of each length are consecutive numbers from `first`, and their
   symbols are consecutive in `sorted` from `start`. */
struct huffman_decoder {
    uint16_t lookup[1 << LOOKUP_BITS];
    uint16_t first[CODE_BITS_MAX + 1], used[CODE_BITS_MAX + 1], start[CODE_BITS_MAX + 1];
    uint16_t sorted[SYMBOLS_MAX];
};

/* False if the lengths are no code, or leave bit strings without a symbol. As an
   exception a code may have no symbols, or a single one with a length of 1. */
bool huffman_decoder_init(struct huffman_decoder *decoder, const uint8_t *lengths,
                          unsigned symbols);
/* Takes one symbol; CODE_BITS_MAX bits must be ready. Returns -1 for what is no code. */
int huffman_decode(const struct huffman_decoder *decoder, struct bit_reader *in);

/* matcher.c: finds earlier occurrences of what comes next, in a sliding window. */

enum {
    WINDOW_SIZE = 1 << 15,
    MATCH_MIN = 3,
    MATCH_MAX = 258,
    LOOKAHEAD_MIN = MATCH_MAX + MATCH_MIN + 1,
    MATCH_DISTANCE_MAX = WINDOW_SIZE - LOOKAHEAD_MIN,
    HASH_BITS = 15
};

struct match {
    uint32_t length, distance;
};

struct match_effort {
    uint16_t good;  /* a match of this length to beat shortens the search to a quarter */
    uint16_t lazy;  /* for the caller */
    uint16_t nice;  /* a match of this length ends the search */
    uint16_t chain; /* how many places are searched at most */
};

/* Positions are indices into `window`, from 1 on; 0 ends a chain. `previous` has, for
   each position modulo WINDOW_SIZE, the one before it with the same hash. Moving the
   window down adds to `moved`. */
struct matcher {
    size_t position, end;
    struct match_effort effort;
    uint64_t moved;
    struct source source;
    bool ended, failed;
    uint16_t previous[WINDOW_SIZE];
    uint16_t head[1 << HASH_BITS];
    uint8_t window[2 * WINDOW_SIZE + 8]; /* 8: comparisons may read beyond `end` */
};

/* `*matcher` must be all zeros. */
void matcher_init(struct matcher *matcher, struct source source,
                  struct match_effort effort);
/* Reads on if needed; returns how many bytes lie ahead: fewer than LOOKAHEAD_MIN only
   near the end of the input, 0 at its end or if reading failed. */
size_t matcher_fill(struct matcher *matcher);
/* Enters the position; returns the latest one before with the same hash, or 0. */
size_t matcher_insert(struct matcher *matcher);
/* The longest match, in the chain from `candidate`, that is longer than `beat`, which is
   at least MATCH_MIN - 1; distance 0 if there is none. */
struct match matcher_longest(const struct matcher *matcher, size_t candidate,
                             uint32_t beat);
/* Goes on by `count` bytes and enters the positions in between. */
void matcher_skip(struct matcher *matcher, size_t count);

/* deflate.c and inflate.c: data as a sequence of blocks. */

enum block_type { BLOCK_STORED, BLOCK_FIXED, BLOCK_DYNAMIC };

/* Ends within a byte, wherever the last block does; so does the next one. */
enum status deflate(struct source in, struct bit_writer *out, int level);
enum status inflate(struct bit_reader *in, struct sink out);

#endif
