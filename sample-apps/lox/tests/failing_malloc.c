/* failing_malloc.c - stands in for malloc, calloc and realloc (linker option --wrap): the
   FAIL_AT-th call finds no memory, and with FAIL_ON set none after it does either. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

static bool fails(void) {
    static long calls;
    const char *text = getenv("FAIL_AT");
    long at = text == NULL ? 0 : strtol(text, NULL, 10);

    calls++;
    if (calls != at && (at == 0 || calls < at || getenv("FAIL_ON") == NULL))
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size) {
    return fails() ? NULL : __real_realloc(block, size);
}
