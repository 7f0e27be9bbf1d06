/* lox.h - the interpreter's interface: run a script of the Lox language. */
#ifndef LOX_H
#define LOX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum { LOX_OK, LOX_COMPILE_ERROR, LOX_RUNTIME_ERROR } LoxResult;

typedef struct {
    FILE *out;          /* what the script prints, NULL: thrown away */
    FILE *err;          /* error messages, NULL: thrown away */
    size_t heap_max;    /* bytes that the script's objects may take */
    uint64_t steps_max; /* calls and loop iterations it may make, 0: any number */
} LoxOptions;

/* Compiles and runs a script in a virtual machine of its own. `source` has `length` bytes
   and a zero byte after them. Errors are reported on `err` before the call returns. */
LoxResult lox_run(const char *source, size_t length, const LoxOptions *options);

#endif
