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

static void set_table(Table *t, const char *name, const void *data, size_t size,
                      Error *err) {
    *t = (Table){.file = "input",
                 .name = {name, strlen(name)},
                 .text = {.err = err},
                 .indexes = {.err = err}};
    buffer_append(&t->text, data, size);
    buffer_append(&t->text, "", 1);
    t->text.size = size;
    table_parse(t);
    if (t->nrows > MOST_ROWS)
        t->nrows = MOST_ROWS;
}

/* All that may fail, which leaves things to be freed. */
static void run(const uint8_t *data, size_t size, Tables *tables, Arena *arena,
                Arena *scratch, Buffer *out) {
    Error *err = arena->err;
    const uint8_t *end = size ? memchr(data, '\0', size) : NULL;
    size_t length = end ? (size_t)(end - data) : size;
    if (setjmp(err->trap))
        return;
    set_table(&tables->items[tables->count++], "t", fixed, sizeof fixed - 1, err);
    if (end)
        set_table(&tables->items[tables->count++], "u", end + 1, size - length - 1, err);
    run_script((Text){(const char *)data, length}, tables, true, arena, scratch, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Error err;
    Table items[2] = {{0}, {0}};
    Tables tables = {items, 0};
    Arena arena = {.err = &err}, scratch = {.err = &err};
    Buffer out = {.err = &err};
    run(data, size, &tables, &arena, &scratch, &out);
    table_free(&items[0]);
    table_free(&items[1]);
    arena_free(&arena);
    arena_free(&scratch);
    free(out.data);
    return 0;
}
