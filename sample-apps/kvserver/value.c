/* value.c: the memory of the data set, byte strings, and what a key or a field stands
 * for. */
#include "kv.h"

#include <stdlib.h>
#include <string.h>

enum { GRAIN = 16 }; /* of what malloc hands out */

static size_t used;
static size_t limit = SIZE_MAX;

void memory_limit(size_t bytes) {
    limit = bytes;
}

size_t memory_used(void) {
    return used;
}

static void *counted(void *block, size_t size) {
    if (block != NULL)
        used += size;
    return block;
}

static bool fits(size_t size) {
    return used <= limit && size <= limit - used;
}

void *memory_take(size_t size) {
    return fits(size) ? counted(malloc(size), size) : NULL;
}

void *memory_take_zeroed(size_t count, size_t size) {
    if (count > SIZE_MAX / size || !fits(count * size))
        return NULL;
    return counted(calloc(count, size), count * size);
}

void memory_give(void *block, size_t size) {
    if (block != NULL)
        used -= size;
    free(block);
}

/* Lengths come from requests: this does not overflow. */
static size_t block_size(size_t length) {
    size_t size = offsetof(struct string, bytes) + length;
    return (size + GRAIN - 1) & ~(size_t)(GRAIN - 1);
}

static void fill(struct string *string, struct slice bytes) {
    string->length = (uint32_t)bytes.length;
    memcpy(string->bytes, bytes.bytes, bytes.length);
}

struct string *string_new(struct slice bytes) {
    struct string *string = memory_take(block_size(bytes.length));
    if (string != NULL)
        fill(string, bytes);
    return string;
}

void string_free(struct string *string) {
    memory_give(string, block_size(string->length));
}

void value_clear(struct value *value) {
    switch (value->kind) {
    case KIND_NONE:
        break;
    case KIND_STRING:
        string_free(value->string);
        break;
    case KIND_LIST:
        list_free(value->list);
        break;
    case KIND_HASH:
        dict_free(value->hash);
        break;
    }
    value->kind = KIND_NONE;
}

/* In place if the block would be of the same size. */
bool value_store(struct value *value, struct slice bytes) {
    if (value->kind == KIND_STRING &&
        block_size(value->string->length) == block_size(bytes.length)) {
        fill(value->string, bytes);
        return true;
    }
    struct string *string = string_new(bytes);
    if (string == NULL)
        return false;
    value_clear(value);
    *value = (struct value){.kind = KIND_STRING, .string = string};
    return true;
}
