/* fuzz.c - libFuzzer target: compiles any input, and runs what compiles for a while. */
#include "../lox.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const LoxOptions options = {.heap_max = 1 << 20, .steps_max = 2000};
    char *source = malloc(size + 1);

    if (source == NULL)
        return 0;
    if (size > 0)
        memcpy(source, data, size);
    source[size] = '\0';
    lox_run(source, size, &options);
    free(source);
    return 0;
}
