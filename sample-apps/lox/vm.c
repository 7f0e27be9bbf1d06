/* vm.c - the interpreter loop, and the life of a virtual machine. */
#include "vm.h"

#include <stdlib.h>
#include <time.h>

/* The place of the field that the cache knows of, NULL if it is about another class. */
static inline Value *cached_place(Value object, const Cache *cache) {
    if (!is_kind(object, OBJECT_INSTANCE))
        return NULL;
    Instance *instance = as_object(object);
    if (instance->class != cache->class || cache->slot >= instance->capacity)
        return NULL;
    return &instance->fields[cache->slot];
}

static inline Closure *cached_method(Value receiver, const Cache *cache) {
    if (!is_kind(receiver, OBJECT_INSTANCE))
        return NULL;
    return ((Instance *)as_object(receiver))->class == cache->class ? cache->method
                                                                    : NULL;
}

/* Replaces two values by their concatenation. */
static bool concatenate(Vm *vm) {
    if (!is_kind(vm->sp[-2], OBJECT_STRING) || !is_kind(vm->sp[-1], OBJECT_STRING))
        return runtime_error(vm, "Operands must be two numbers or two strings.");
    String *joined = string_join(vm, as_object(vm->sp[-2]), as_object(vm->sp[-1]));
    if (joined == NULL)
        return runtime_error(vm, "Out of memory.");
    vm->sp--;
    vm->sp[-1] = object_value(joined);
    return true;
}

#define DISTANCE() ((unsigned)ip[0] << 8 | ip[1])
#define NEXT()                                                                           \
    do {                                                                                 \
        goto *labels[*ip++];                                                             \
    } while (0)
#define SAVE(used) (frame->ip = ip + (used), vm->sp = sp)
#define RESUME()                                                                         \
    (frame = vm->frame_end - 1, ip = frame->ip, sp = vm->sp, base = frame->base,         \
     constants = frame->closure->function->constants)
#define NUMBERS_OR_ERROR()                                                               \
    do {                                                                                 \
        if (!is_number(sp[-2]) || !is_number(sp[-1]))                                    \
            goto not_numbers;                                                            \
    } while (0)
#define BINARY(make_value, operator)                                                     \
    do {                                                                                 \
        NUMBERS_OR_ERROR();                                                              \
        sp--;                                                                            \
        sp[-1] = make_value(as_number(sp[-1]) operator as_number(sp[0]));                \
    } while (0)
#define UNLESS(operator)                                                                 \
    do {                                                                                 \
        NUMBERS_OR_ERROR();                                                              \
        sp -= 2;                                                                         \
        ip += as_number(sp[0]) operator as_number(sp[1]) ? 2 : 2 + DISTANCE();           \
    } while (0)

/* Runs the newest frame until the first one returns; false after a runtime error.
   The top of the stack and the place in the code are in local variables: an instruction
   SAVEs them before it calls something that looks at the machine or changes it, after
   which RESUME reads them again; at `called` that is done if what was called is `done`.
   An error is on the line of the byte before the saved ip.

   Labels as values are an extension of C that compilers share. With a jump in every
   instruction instead of one for all, the processor learns for each what follows it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
static bool execute(Vm *vm) {
    /* In the order of Opcode. */
    static const void *const labels[] = {
        // clang-format off
        &&op_push_nil, &&op_push_false, &&op_push_true, &&op_push_const, &&op_drop,
        &&op_drop_captured, &&op_load_local, &&op_load_captured, &&op_load_global,
        &&op_load_field, &&op_load_own, &&op_load_super, &&op_store_local,
        &&op_store_captured, &&op_store_global, &&op_store_field, &&op_move_local,
        &&op_move_captured, &&op_move_global, &&op_move_field, &&op_define_global,
        &&op_add, &&op_subtract, &&op_multiply, &&op_divide, &&op_negate, &&op_not,
        &&op_equal, &&op_not_equal, &&op_less, &&op_less_equal, &&op_greater,
        &&op_greater_equal, &&op_jump, &&op_loop, &&op_unless, &&op_and, &&op_or,
        &&op_unless_equal, &&op_unless_not_equal, &&op_unless_less,
        &&op_unless_less_equal, &&op_unless_greater, &&op_unless_greater_equal,
        &&op_call, &&op_invoke, &&op_invoke_super, &&op_return, &&op_closure,
        &&op_class, &&op_inherit, &&op_method, &&op_print
        // clang-format on
    };
    _Static_assert(sizeof labels / sizeof *labels == OP_PRINT + 1, "one for each");
    Frame *frame;
    const uint8_t *ip;
    Value *sp;
    Value *base;
    Constant *constants;
    Value value;
    Value *place;
    Closure *method;
    uint32_t global;
    bool done;

    RESUME();
    NEXT();

op_push_nil:
    *sp++ = VALUE_NIL;
    NEXT();
op_push_false:
    *sp++ = VALUE_FALSE;
    NEXT();
op_push_true:
    *sp++ = VALUE_TRUE;
    NEXT();
op_push_const:
    *sp++ = constants[*ip++].as.value;
    NEXT();
op_drop:
    sp--;
    NEXT();
op_drop_captured:
    close_captures(vm, --sp);
    NEXT();

op_load_local:
    *sp++ = base[*ip++];
    NEXT();
op_load_captured:
    *sp++ = *frame->closure->captures[*ip++]->place;
    NEXT();
op_load_global:
    value = vm->globals[constants[*ip].as.global].value;
    if (value == VALUE_ABSENT)
        goto no_global;
    *sp++ = value;
    ip++;
    NEXT();
op_load_own: /* the next one, of `this` */
    *sp++ = base[0];
op_load_field:
    place = cached_place(sp[-1], &constants[*ip].cache);
    if (place != NULL && *place != VALUE_ABSENT) {
        sp[-1] = *place;
        ip++;
        NEXT();
    }
    SAVE(1);
    done = load_field(vm, &constants[*ip]);
    goto called;
op_load_super:
    SAVE(1);
    done = load_super(vm, constants[*ip].as.name);
    goto called;

op_store_local:
    base[*ip++] = sp[-1];
    NEXT();
op_store_captured:
    *frame->closure->captures[*ip++]->place = sp[-1];
    NEXT();
op_store_global:
    if (vm->globals[constants[*ip].as.global].value == VALUE_ABSENT)
        goto no_global;
    vm->globals[constants[*ip++].as.global].value = sp[-1];
    NEXT();
op_store_field:
    SAVE(1);
    done = store_field(vm, &constants[*ip]);
    goto called;
op_move_local:
    base[*ip++] = *--sp;
    NEXT();
op_move_captured:
    *frame->closure->captures[*ip++]->place = *--sp;
    NEXT();
op_move_global:
    if (vm->globals[constants[*ip].as.global].value == VALUE_ABSENT)
        goto no_global;
    vm->globals[constants[*ip++].as.global].value = *--sp;
    NEXT();
op_move_field:
    place = cached_place(sp[-2], &constants[*ip].cache);
    if (place != NULL) {
        *place = sp[-1];
        sp -= 2;
        ip++;
        NEXT();
    }
    SAVE(1);
    done = store_field(vm, &constants[*ip]);
    vm->sp--;
    goto called;
op_define_global:
    global = table_find(&vm->global_index, constants[*ip++].as.name)->index;
    vm->globals[global].value = *--sp;
    NEXT();

op_add:
    if (is_number(sp[-2]) && is_number(sp[-1])) {
        sp--;
        sp[-1] = number_value(as_number(sp[-1]) + as_number(sp[0]));
        NEXT();
    }
    SAVE(0);
    done = concatenate(vm);
    goto called;
op_subtract:
    BINARY(number_value, -);
    NEXT();
op_multiply:
    BINARY(number_value, *);
    NEXT();
op_divide:
    BINARY(number_value, /);
    NEXT();
op_negate:
    if (!is_number(sp[-1]))
        goto not_number;
    sp[-1] = number_value(-as_number(sp[-1]));
    NEXT();
op_not:
    sp[-1] = bool_value(is_falsey(sp[-1]));
    NEXT();
op_equal:
    sp--;
    sp[-1] = bool_value(values_equal(sp[-1], sp[0]));
    NEXT();
op_not_equal:
    sp--;
    sp[-1] = bool_value(!values_equal(sp[-1], sp[0]));
    NEXT();
op_less:
    BINARY(bool_value, <);
    NEXT();
op_less_equal:
    BINARY(bool_value, <=);
    NEXT();
op_greater:
    BINARY(bool_value, >);
    NEXT();
op_greater_equal:
    BINARY(bool_value, >=);
    NEXT();

op_jump:
    ip += 2 + DISTANCE();
    NEXT();
op_loop:
    if (vm->steps_left-- == 0)
        goto no_steps;
    ip += 2 - (int)DISTANCE();
    NEXT();
op_unless:
    ip += is_falsey(*--sp) ? 2 + DISTANCE() : 2;
    NEXT();
op_and:
    if (is_falsey(sp[-1])) {
        ip += 2 + DISTANCE();
    } else {
        sp--;
        ip += 2;
    }
    NEXT();
op_or:
    if (is_falsey(sp[-1])) {
        sp--;
        ip += 2;
    } else {
        ip += 2 + DISTANCE();
    }
    NEXT();
op_unless_equal:
    sp -= 2;
    ip += values_equal(sp[0], sp[1]) ? 2 : 2 + DISTANCE();
    NEXT();
op_unless_not_equal:
    sp -= 2;
    ip += values_equal(sp[0], sp[1]) ? 2 + DISTANCE() : 2;
    NEXT();
op_unless_less:
    UNLESS(<);
    NEXT();
op_unless_less_equal:
    UNLESS(<=);
    NEXT();
op_unless_greater:
    UNLESS(>);
    NEXT();
op_unless_greater_equal:
    UNLESS(>=);
    NEXT();

op_call:
    SAVE(1);
    if (!call_value(vm, sp[-1 - *ip], *ip))
        return false;
    RESUME();
    NEXT();
op_invoke:
    method = cached_method(sp[-1 - ip[1]], &constants[*ip].cache);
    SAVE(2);
    if (!(method != NULL ? call_closure(vm, method, ip[1])
                         : invoke(vm, &constants[*ip], ip[1])))
        return false;
    RESUME();
    NEXT();
op_invoke_super:
    SAVE(2);
    done = invoke_super(vm, constants[*ip].as.name, ip[1]);
    goto called;
op_return:
    if (vm->open_captures != NULL)
        close_captures(vm, base);
    if (--vm->frame_end == vm->frames)
        return true;
    *base = sp[-1];
    vm->sp = base + 1;
    RESUME();
    NEXT();
op_closure:
    SAVE(1);
    done = make_closure(vm, constants[*ip].as.function);
    goto called;
op_class:
    SAVE(1);
    done = push_class(vm, constants[*ip].as.name);
    goto called;
op_inherit:
    SAVE(0);
    done = inherit(vm);
    goto called;
op_method:
    SAVE(1);
    done = define_method(vm, constants[*ip].as.name);
    goto called;
op_print:
    sp--;
    if (vm->out != NULL) {
        value_print(vm->out, *sp);
        fputc('\n', vm->out);
    }
    NEXT();

called:
    if (!done)
        return false;
    RESUME();
    NEXT();

no_global:
    SAVE(0);
    return undefined_error(vm, "variable", vm->globals[constants[*ip].as.global].name);
not_number:
    SAVE(0);
    return runtime_error(vm, "Operand must be a number.");
not_numbers:
    SAVE(0);
    return runtime_error(vm, "Operands must be numbers.");
no_steps:
    SAVE(0);
    return runtime_error(vm, "Too many steps.");
}
#pragma GCC diagnostic pop

bool global_declare(Vm *vm, const String *name, uint32_t *index) {
    const Item *item = table_find(&vm->global_index, name);

    *index = item != NULL ? item->index : vm->global_count;
    if (item != NULL)
        return true;
    Global *globals =
        array_extend(vm->globals, *index, &vm->global_capacity, sizeof *globals);
    if (globals == NULL)
        return false;
    vm->globals = globals;
    if (!table_put(vm, &vm->global_index, name, (Item){.index = *index}))
        return false;
    vm->globals[vm->global_count++] = (Global){.name = name, .value = VALUE_ABSENT};
    return true;
}

/* Seconds of processor time that the program has used. */
static Value native_clock(void) {
    return number_value((double)clock() / CLOCKS_PER_SEC);
}

static bool define_native(Vm *vm, const char *text, NativeFn function) {
    const String *name = symbol_get(vm, text, strlen(text));
    uint32_t index;

    if (name == NULL || !global_declare(vm, name, &index))
        return false;
    Native *native = object_new(vm, OBJECT_NATIVE, sizeof *native);
    if (native == NULL)
        return false;
    native->function = function;
    vm->globals[index].value = object_value(native);
    return true;
}

static bool vm_setup(Vm *vm, const LoxOptions *options) {
    memset(vm, 0, offsetof(Vm, frames));
    vm->frame_end = vm->frames;
    vm->sp = vm->stack;
    vm->steps_left = options->steps_max == 0 ? UINT64_MAX : options->steps_max;
    vm->heap.max = options->heap_max;
    vm->out = options->out;
    vm->err = options->err;
    vm->init = symbol_get(vm, "init", 4);
    return vm->init != NULL && define_native(vm, "clock", native_clock);
}

/* Calls the script as a function without parameters. */
static bool run_script(Vm *vm, Function *script) {
    Closure *closure = closure_new(vm, script, NULL);

    if (closure == NULL)
        return runtime_error(vm, "Out of memory.");
    *vm->sp++ = object_value(closure);
    return call_closure(vm, closure, 0) && execute(vm);
}

static void vm_free(Vm *vm) {
    heap_free(vm);
    table_free(vm, &vm->global_index);
    symbols_free(vm);
    while (vm->functions != NULL) {
        Function *function = vm->functions;
        vm->functions = function->next;
        free(function);
    }
    free(vm->globals);
    free(vm);
}

LoxResult lox_run(const char *source, size_t length, const LoxOptions *options) {
    LoxResult result = LOX_RUNTIME_ERROR;
    Vm *vm = malloc(sizeof *vm);

    if (vm != NULL && vm_setup(vm, options)) {
        Function *script = compile(vm, source, length);
        if (script == NULL)
            result = LOX_COMPILE_ERROR;
        else if (run_script(vm, script))
            result = LOX_OK;
    } else if (options->err != NULL) {
        fputs("Out of memory.\n", options->err);
    }
    if (vm != NULL)
        vm_free(vm);
    return result;
}
