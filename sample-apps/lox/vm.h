/* vm.h - the virtual machine: its state, its heap and its parts' interfaces. */
#ifndef LOX_VM_H
#define LOX_VM_H

#include "code.h"
#include "lox.h"
#include "value.h"

enum {
    FRAMES_MAX = 64,
    STACK_MAX = FRAMES_MAX * 256,
    CELL_GRAIN = 16, /* objects take multiples of it */
#ifdef LOX_GC_STRESS
    GC_STRESS = 1, /* collect before every allocation */
    CELL_MAX = 0,  /* give every object an allocation of its own, for a sanitizer */
    GRAY_MAX = 16
#else
    GC_STRESS = 0,
    CELL_MAX = 512, /* larger objects are not kept in blocks */
    GRAY_MAX = 1 << 28
#endif
};

typedef struct {
    Closure *closure;
    const uint8_t *ip; /* of a function that waits for a call: where it goes on */
    Value *base;       /* slot 0: the callee, or `this` in a method */
} Frame;

typedef struct {
    const String *name;
    Value value; /* VALUE_ABSENT until its declaration has run */
} Global;

/* Memory of the script's objects: gc.c. */
typedef struct {
    struct FreeCell *free[CELL_MAX / CELL_GRAIN + 1]; /* by size in grains */
    struct Block *blocks;
    struct Large *large;
    size_t bytes;     /* of live objects and the arrays they own, and of garbage */
    size_t threshold; /* collect before bytes get beyond it */
    size_t max;
    Object **gray; /* objects marked but not scanned */
    size_t gray_count;
    size_t gray_capacity;
    bool gray_lost; /* there are more of them, for which `gray` had no room */
} Heap;

struct Vm {
    Frame *frame_end; /* after the frame of the running function */
    Value *sp;        /* after the topmost value */
    Capture *open_captures;
    uint64_t steps_left;
    Global *globals;
    uint32_t global_count;
    size_t global_capacity;
    Table global_index;
    String **symbols; /* hash set */
    size_t symbol_count;
    size_t symbol_capacity;
    const String *init; /* the symbol "init" */
    Function *functions;
    Heap heap;
    FILE *out;
    FILE *err;
    Frame frames[FRAMES_MAX];
    Value stack[STACK_MAX];
};

/* gc.c. An allocation collects garbage when it is time to, so that whatever must live has
   to be within the machine's reach by then. */
void *object_new(Vm *vm, ObjectKind kind, size_t size);
void *array_resize(Vm *vm, void *array, size_t old_size, size_t new_size);
void forget_cached(Vm *vm);
void heap_free(Vm *vm);

/* compile.c: the script as a function, NULL after reporting what is wrong with it. */
Function *compile(Vm *vm, const char *source, size_t length);

/* call.c: they work on the stack at vm->sp, and return false after a runtime error. What
   takes a Constant reads a name from it and may fill its cache. */
bool runtime_error(Vm *vm, const char *format, ...);
bool undefined_error(Vm *vm, const char *what, const String *name);
bool call_closure(Vm *vm, Closure *callee, unsigned argc);
bool call_value(Vm *vm, Value callee, unsigned argc);
bool make_closure(Vm *vm, Function *function);
void close_captures(Vm *vm, const Value *from);

bool load_field(Vm *vm, Constant *name);
bool load_super(Vm *vm, const String *name);
bool store_field(Vm *vm, Constant *name);
bool invoke(Vm *vm, Constant *name, unsigned argc);
bool invoke_super(Vm *vm, const String *name, unsigned argc);
bool push_class(Vm *vm, const String *name);
bool inherit(Vm *vm);
bool define_method(Vm *vm, const String *name);

/* vm.c: the index of a global, which is made if there is none of that name. */
bool global_declare(Vm *vm, const String *name, uint32_t *index);

#endif
