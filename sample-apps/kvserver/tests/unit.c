/* unit.c: what cannot be seen through a socket: the hash function, the dict, the
 * histogram. unit siphash SEED  prints the hash of each line of standard input unit scan
 * SEED     scans a dict that changes; fails if a key that stays is missed unit quantile Q
 * prints a quantile of the numbers on standard input unit corrected Q   the same,
 * corrected for coordinated omission */
#include "../kv.h"
#include "../load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STABLE = 200, PASSING = 3000, ROUNDS = 12 };

static int print_hashes(const char *seed) {
    char line[4096];
    hash_seed(strtoull(seed, NULL, 10));
    while (fgets(line, sizeof(line), stdin) != NULL)
        printf("%016llx\n",
               (unsigned long long)hash_of((struct slice){line, strcspn(line, "\n")}));
    return 0;
}

static struct histogram histogram;

static int print_quantile(const char *quantile) {
    printf("%llu\n",
           (unsigned long long)histogram_quantile(&histogram, strtod(quantile, NULL)));
    return 0;
}

static void read_values(void) {
    char line[64];
    while (fgets(line, sizeof(line), stdin) != NULL)
        histogram_add(&histogram, strtoull(line, NULL, 10), 1);
}

static int quantile_as_it_is(const char *quantile) {
    read_values();
    return print_quantile(quantile);
}

static int quantile_corrected(const char *quantile) {
    read_values();
    histogram_correct(&histogram, histogram_quantile(&histogram, 0.5));
    return print_quantile(quantile);
}

static struct slice name_of(char *name, size_t size, int number) {
    return (struct slice){name, (size_t)snprintf(name, size, "key:%d", number)};
}

static void add(struct dict *dict, int number) {
    char name[32];
    if (dict_find_or_add(dict, name_of(name, sizeof(name), number)) == NULL)
        abort();
}

static void drop(struct dict *dict, int number) {
    char name[32];
    struct entry *entry = dict_find(dict, name_of(name, sizeof(name), number));
    if (entry != NULL)
        dict_remove(dict, entry);
}

static void see(void *context, struct entry *entry) {
    bool *seen = context;
    struct slice key = entry_key(entry);
    int64_t number;
    if (!parse_integer((struct slice){key.bytes + 4, key.length - 4}, &number))
        abort();
    if (number < STABLE)
        seen[number] = true;
}

/* Adds or removes a burst of passing keys, so that the tables grow, shrink and are half
 * moved. */
static void change(struct dict *dict) {
    int first = rand() % PASSING, count = rand() % 2 ? rand() % 5 : rand() % PASSING;
    bool grow = rand() % 2;
    for (int i = 0; i < count; i++)
        (grow ? add : drop)(dict, STABLE + (first + i) % PASSING);
}

static int scan_round(struct dict *dict) {
    bool seen[STABLE] = {false};
    uint64_t cursor = 0;
    int missed = 0;
    do {
        for (int i = rand() % 8;
             i >= 0 && (cursor = dict_scan(dict, cursor, see, seen)) != 0; i--)
            continue;
        change(dict);
    } while (cursor != 0);
    for (int i = 0; i < STABLE; i++)
        missed += !seen[i];
    return missed;
}

static int scan_while_it_changes(const char *seed) {
    int missed = 0;
    srand((unsigned)strtoul(seed, NULL, 10));
    struct dict *dict = dict_new();
    for (int i = 0; i < STABLE; i++)
        add(dict, i);
    for (int i = 0; i < ROUNDS; i++)
        missed += scan_round(dict);
    dict_free(dict);
    printf("missed %d, memory left %zu\n", missed, memory_used());
    return missed > 0;
}

/* Looks a key up until a rehash has ended: how often that takes, and how many keys it
 * moved at most at a time. */
static int watch_rehash(const char *keys) {
    int64_t count;
    size_t lookups = 0, most = 0;
    struct dict *dict = dict_new();
    if (!parse_integer((struct slice){keys, strlen(keys)}, &count))
        return 2;
    for (int i = 0; i < count; i++)
        add(dict, i);
    for (; dict->tables[1].size > 0; lookups++) {
        size_t before = dict->tables[0].used;
        dict_find(dict, SLICE("none"));
        if (dict->tables[1].size > 0 && before - dict->tables[0].used > most)
            most = before - dict->tables[0].used;
    }
    dict_free(dict);
    printf("%zu lookups, at most %zu keys\n", lookups, most);
    return 0;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(const char *argument);
    } modes[] = {{"siphash", print_hashes},
                 {"scan", scan_while_it_changes},
                 {"rehash", watch_rehash},
                 {"quantile", quantile_as_it_is},
                 {"corrected", quantile_corrected}};
    for (size_t i = 0; argc == 3 && i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            return modes[i].run(argv[2]);
    return 2;
}
