/* mix.c: the requests of one connection, chosen at random from templates. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARES = 8, WORD_SIZE = 512 };

/*
 * A request is a template's words, and 1 to `most` times those that are repeated. In a
 * word
 *   @k  is a number below `keys`, the low ones being the popular ones, and the
 * connection's
 *   @v  a text of a random length
 *   @f  one of sixteen names of fields
 *   @n  a number below 1000
 */
struct share {
    uint32_t weight; /* of 100 */
    const char *words, *repeated;
    uint32_t most;
};

struct mix {
    const char *name;
    uint32_t keys, value_min, value_max;
    struct share shares[MAX_SHARES];
};

/* Connections have no key in common, so that replies do not depend on how they
 * interleave. */
static const struct mix mixes[] = {
    {"cache",
     512,
     8,
     64,
     {{70, "GET page:@k", "", 0},
      {18, "SET page:@k @v", "", 0},
      {3, "SET page:@k @v EX 3600", "", 0},
      {5, "MGET", "page:@k", 24},
      {2, "MSET", "page:@k @v", 24},
      {2, "DEL page:@k", "", 0}}},
    {"counters",
     256,
     6,
     24,
     {{45, "INCR stats:c@k", "", 0},
      {10, "INCRBY stats:c@k @n", "", 0},
      {10, "GET stats:c@k", "", 0},
      {10, "LPUSH stats:l@k", "@v", 4},
      {15, "RPOP stats:l@k", "", 0},
      {7, "LRANGE stats:l@k 0 20", "", 0},
      {3, "LLEN stats:l@k", "", 0}}},
    {"hashes",
     128,
     4,
     40,
     {{52, "HGET user:@k @f", "", 0},
      {27, "HSET user:@k", "@f @v", 4},
      {6, "HGETALL user:@k", "", 0},
      {5, "HDEL user:@k @f", "", 0},
      {5, "EXPIRE user:@k 3600", "", 0},
      {5, "HLEN user:@k", "", 0}}},
    {"sessions",
     256,
     10,
     32,
     {{40, "HGET session:@k @f", "", 0},
      {22, "HSET session:@k", "@f @v", 6},
      {20, "EXPIRE session:@k 7200", "", 0},
      {9, "HGETALL session:@k", "", 0},
      {7, "DEL session:@k", "", 0},
      {2, "EXISTS session:@k", "", 0}}},
    {"queues",
     32,
     20,
     120,
     {{25, "RPUSH jobs:@k", "@v", 3},
      {50, "LPOP jobs:@k", "", 0},
      {8, "LRANGE jobs:@k 0 9", "", 0},
      {5, "LLEN jobs:@k", "", 0},
      {12, "DECR pending:@k", "", 0}}},
    {"bulk",
     1024,
     40,
     160,
     {{54, "MGET", "item:@k", 24},
      {30, "MSET", "item:@k @v", 24},
      {8, "EXISTS", "item:@k", 8},
      {8, "DEL", "item:@k", 4}}},
};

const struct mix *mix_find(const char *name) {
    for (size_t i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++)
        if (strcmp(mixes[i].name, name) == 0)
            return &mixes[i];
    return NULL;
}

const char *mix_names(void) {
    return "cache counters hashes sessions queues bulk";
}

struct maker {
    const struct mix *mix;
    size_t connection;
    uint64_t random;
};

/* SplitMix64 (Steele, Lea and Flood: Fast splittable pseudorandom number generators,
 * 2014) */
static uint32_t next_random(struct maker *maker) {
    uint64_t x = maker->random += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (uint32_t)(x >> 32);
}

static uint32_t below(struct maker *maker, uint32_t bound) {
    return (uint32_t)((uint64_t)next_random(maker) * bound >> 32);
}

/* Half of the picks are among the first quarter. */
static uint32_t popular(struct maker *maker, uint32_t bound) {
    uint64_t r = next_random(maker);
    return (uint32_t)((r * r >> 32) * bound >> 32);
}

static size_t put_value(struct maker *maker, char *out) {
    static const char letters[] = "etaoin shrdlucmfwypvbgkqjxz-0123";
    const struct mix *mix = maker->mix;
    size_t length = mix->value_min + below(maker, mix->value_max - mix->value_min + 1);
    for (size_t i = 0; i < length; i++)
        out[i] = letters[below(maker, sizeof(letters) - 1)];
    return length;
}

/* Writes what an @ and this letter stand for; there is room for it. */
static size_t put_random(struct maker *maker, char letter, char *out) {
    static const char fields[16][10] = {
        "user", "token", "created", "visited", "address", "agent", "locale", "theme",
        "cart", "total", "coupon",  "step",    "score",   "level", "flags",  "referrer",
    };
    switch (letter) {
    case 'k':
        return (size_t)snprintf(out, 48, "%zu:%u", maker->connection,
                                100000 + popular(maker, maker->mix->keys));
    case 'v':
        return put_value(maker, out);
    case 'f':
        return (size_t)snprintf(out, 16, "%s", fields[below(maker, 16)]);
    default:
        return (size_t)snprintf(out, 16, "%u", below(maker, 1000));
    }
}

static bool append(struct plan *plan, const char *bytes, size_t length) {
    if (plan->size - plan->length < length) {
        size_t size = 2 * plan->size + length + WORD_SIZE;
        char *grown = realloc(plan->bytes, size);
        if (grown == NULL)
            return false;
        plan->bytes = grown;
        plan->size = size;
    }
    memcpy(plan->bytes + plan->length, bytes, length);
    plan->length += length;
    return true;
}

/* Appends "*3\r\n" or "$3\r\n". */
static bool append_header(struct plan *plan, char type, size_t number) {
    char header[32];
    int length = snprintf(header, sizeof(header), "%c%zu\r\n", type, number);
    return append(plan, header, (size_t)length);
}

/* Appends the first word as an argument; *words is what follows it. */
static bool append_word(struct plan *plan, struct maker *maker, const char **words) {
    char word[WORD_SIZE];
    size_t length = 0;
    const char *at = *words;
    for (; *at != '\0' && *at != ' '; at++) {
        if (*at == '@')
            length += put_random(maker, *++at, word + length);
        else
            word[length++] = *at;
    }
    *words = at + (*at == ' ');
    return append_header(plan, '$', length) && append(plan, word, length) &&
           append(plan, "\r\n", 2);
}

static bool append_words(struct plan *plan, struct maker *maker, const char *words) {
    bool appended = true;
    while (appended && *words != '\0')
        appended = append_word(plan, maker, &words);
    return appended;
}

static size_t count_words(const char *words) {
    size_t count = *words != '\0';
    for (; *words != '\0'; words++)
        count += *words == ' ';
    return count;
}

static bool append_request(struct plan *plan, struct maker *maker) {
    const struct share *share = maker->mix->shares;
    for (uint32_t rest = below(maker, 100); rest >= share->weight; share++)
        rest -= share->weight;
    size_t times = share->most == 0 ? 0 : 1 + below(maker, share->most);
    size_t words = count_words(share->words) + times * count_words(share->repeated);
    bool appended =
        append_header(plan, '*', words) && append_words(plan, maker, share->words);
    for (; appended && times > 0; times--)
        appended = append_words(plan, maker, share->repeated);
    return appended;
}

bool plan_make(struct plan *plan, const struct mix *mix, uint64_t seed, size_t connection,
               size_t count) {
    struct maker maker = {mix, connection, seed};
    maker.random = ((uint64_t)next_random(&maker) << 32) + connection;
    plan->ends = calloc(count, sizeof(*plan->ends));
    bool made = plan->ends != NULL;
    for (size_t i = 0; made && i < count; i++) {
        made = append_request(plan, &maker);
        plan->ends[i] = plan->length;
    }
    return made;
}

void plan_free(struct plan *plan) {
    free(plan->bytes);
    free(plan->ends);
}
