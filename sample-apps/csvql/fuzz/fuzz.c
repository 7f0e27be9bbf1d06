/* Fuzz target: an input is a script, then, after a NUL byte, a CSV file. The script runs
   over the file as table `u` and a small fixed table `t`. */
#include "../csvql.h"

#include <stdlib.h>
#include <string.h>

static const char fixed[] = "id,name,price,code\n"
                            "1,ann,2.5,10\n"
                            "2,\"b, \"\"q\"\"\",-0.125,x7\n"
                            "3,,,\n";

/* Joins of many tables over many rows only take long. */
enum { MOST_ROWS = 4 };

static bool parse(Table *t, const char *name, const void *data, size_t size) {
    Error err;
    char *text = malloc(size + 1);
    if (!text)
        return false;
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    *t = (Table){.file = "input", .name = {name, strlen(name)}};
    bool ok = table_parse(t, text, size, &err);
    if (t->nrows > MOST_ROWS)
        t->nrows = MOST_ROWS;
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = size ? memchr(data, '\0', size) : NULL;
    size_t length = end ? (size_t)(end - data) : size;
    Text sql = {(const char *)data, length};
    Table items[2] = {{0}, {0}};
    Tables tables = {items, 1};
    Buffer out = {0};
    Error err;
    bool ok = parse(&items[0], "t", fixed, sizeof fixed - 1);
    if (end && parse(&items[1], "u", end + 1, size - length - 1))
        tables.count = 2;
    if (ok)
        run_script(sql, &tables, true, &out, &err);
    table_free(&items[0]);
    table_free(&items[1]);
    free(out.data);
    return 0;
}
