/* fuzz.c -- libFuzzer target: arbitrary bytes are decoded, as DEFLATE data and as a gzip
   file, and are compressed and restored at the level that the first byte names. */
#include "../gzip.h"

#include <stdlib.h>
#include <string.h>

enum { DECODED_MAX = 1 << 20 };

/* Bytes that are read in pieces of at most `piece`, so that reads end anywhere. */
struct memory_source {
    const uint8_t *data;
    size_t size, piece;
};

struct memory_sink {
    uint8_t *data;
    size_t used, size;
};

static ptrdiff_t read_memory(void *context, uint8_t *data, size_t size) {
    struct memory_source *in = context;
    size_t part = in->size < in->piece ? in->size : in->piece;
    if (part > size)
        part = size;
    if (part > 0)
        memcpy(data, in->data, part);
    in->data += part;
    in->size -= part;
    return (ptrdiff_t)part;
}

static bool write_memory(void *context, const uint8_t *data, size_t size) {
    struct memory_sink *out = context;
    if (size > out->size - out->used)
        return false;
    if (size > 0)
        memcpy(out->data + out->used, data, size);
    out->used += size;
    return true;
}

static void *allocate(size_t size) {
    void *data = malloc(size);
    if (data == NULL)
        abort();
    return data;
}

static void require(bool holds) {
    if (!holds)
        abort();
}

static void decode(const uint8_t *data, size_t size, size_t piece) {
    struct memory_sink out = {allocate(DECODED_MAX), 0, DECODED_MAX};
    struct memory_source in = {data, size, piece};
    struct bit_reader *bits = allocate(sizeof *bits);
    bits_read_from(bits, (struct source){read_memory, &in});
    inflate(bits, (struct sink){write_memory, &out});
    require(bits_offset(bits) <= size);
    free(bits);

    in = (struct memory_source){data, size, piece};
    out.used = 0;
    uint64_t offset = 0;
    gzip_decompress((struct source){read_memory, &in}, (struct sink){write_memory, &out},
                    &offset);
    require(offset <= size);
    free(out.data);
}

static void round_trip(const uint8_t *data, size_t size, size_t piece, int level) {
    size_t bound = size + size / 1000 + 64;
    struct memory_sink packed = {allocate(bound), 0, bound};
    struct memory_sink restored = {allocate(size + 1), 0, size + 1};
    struct memory_source in = {data, size, piece};
    require(gzip_compress((struct source){read_memory, &in},
                          (struct sink){write_memory, &packed}, level) == STATUS_OK);

    uint64_t offset = 0;
    in = (struct memory_source){packed.data, packed.used, piece};
    require(gzip_decompress((struct source){read_memory, &in},
                            (struct sink){write_memory, &restored},
                            &offset) == STATUS_OK);
    require(offset == packed.used && restored.used == size);
    require(size == 0 || memcmp(restored.data, data, size) == 0);
    free(packed.data);
    free(restored.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    int level = 1 + data[0] % 9;
    size_t piece = 1 + (size_t)(data[0] / 9) * 37;
    decode(data + 1, size - 1, piece);
    round_trip(data + 1, size - 1, piece, level);
    return 0;
}
