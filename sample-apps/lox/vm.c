/* vm.c - the interpreter loop, and the life of a virtual machine. */
#include "vm.h"

#include <stdlib.h>
#include <time.h>

/* The field that the cache knows of, VALUE_ABSENT if it is about another class. */
static inline Value cached_field(Value object, const Cache *cache) {
    if (!is_kind(object, OBJECT_INSTANCE))
        return VALUE_ABSENT;
    const Instance *instance = as_object(object);
    if (instance->class != cache->class || cache->slot >= instance->capacity)
        return VALUE_ABSENT;
    return instance->fields[cache->slot];
}

/* Sets the field that the cache knows of; false if it is about another class. */
static inline bool cached_store(Value object, const Cache *cache, Value value) {
    if (!is_kind(object, OBJECT_INSTANCE))
        return false;
    Instance *instance = as_object(object);
    if (instance->class != cache->class || cache->slot >= instance->capacity)
        return false;
    instance->fields[cache->slot] = value;
    return true;
}

static inline Closure *cached_method(Value receiver, const Cache *cache) {
    if (!is_kind(receiver, OBJECT_INSTANCE))
        return NULL;
    return ((Instance *)as_object(receiver))->class == cache->class ? cache->method
                                                                    : NULL;
}

static bool undefined_variable(Vm *vm, const String *name) {
    return runtime_error(vm, "Undefined variable '%.*s'.", (int)name->length, name->text);
}

static void define_global(Vm *vm, const String *name, Value value) {
    vm->globals[table_find(&vm->global_index, name)->index].value = value;
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

static void print(FILE *out, Value value) {
    if (out == NULL)
        return;
    value_print(out, value);
    fputc('\n', out);
}

#define DISTANCE() ((unsigned)ip[0] << 8 | ip[1])
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
   which RESUME reads them again. To `break` from the switch is to do the latter if what
   was called is `done`. An error is on the line of the byte before the saved ip. */
static bool execute(Vm *vm) {
    Frame *frame;
    const uint8_t *ip;
    Value *sp;
    Value *base;
    Constant *constants;
    Value value;
    bool done;

    RESUME();
    for (;;) {
        switch ((Opcode)*ip++) {
        case OP_PUSH_NIL:
            *sp++ = VALUE_NIL;
            continue;
        case OP_PUSH_FALSE:
            *sp++ = VALUE_FALSE;
            continue;
        case OP_PUSH_TRUE:
            *sp++ = VALUE_TRUE;
            continue;
        case OP_PUSH_CONST:
            *sp++ = constants[*ip++].as.value;
            continue;
        case OP_DROP:
            sp--;
            continue;
        case OP_DROP_CAPTURED:
            close_captures(vm, --sp);
            continue;

        case OP_LOAD_LOCAL:
            *sp++ = base[*ip++];
            continue;
        case OP_LOAD_CAPTURED:
            *sp++ = *frame->closure->captures[*ip++]->place;
            continue;
        case OP_LOAD_GLOBAL:
            value = vm->globals[constants[*ip].as.global].value;
            if (value == VALUE_ABSENT)
                goto no_global;
            *sp++ = value;
            ip++;
            continue;
        case OP_LOAD_FIELD:
            value = cached_field(sp[-1], &constants[*ip].cache);
            if (value != VALUE_ABSENT) {
                sp[-1] = value;
                ip++;
                continue;
            }
            SAVE(1);
            done = load_field(vm, &constants[*ip]);
            break;
        case OP_LOAD_OWN:
            value = cached_field(base[0], &constants[*ip].cache);
            if (value != VALUE_ABSENT) {
                *sp++ = value;
                ip++;
                continue;
            }
            *sp++ = base[0];
            SAVE(1);
            done = load_field(vm, &constants[*ip]);
            break;
        case OP_LOAD_SUPER:
            SAVE(1);
            done = load_super(vm, constants[*ip].as.name);
            break;

        case OP_STORE_LOCAL:
            base[*ip++] = sp[-1];
            continue;
        case OP_STORE_CAPTURED:
            *frame->closure->captures[*ip++]->place = sp[-1];
            continue;
        case OP_STORE_GLOBAL:
            if (vm->globals[constants[*ip].as.global].value == VALUE_ABSENT)
                goto no_global;
            vm->globals[constants[*ip++].as.global].value = sp[-1];
            continue;
        case OP_STORE_FIELD:
            SAVE(1);
            done = store_field(vm, &constants[*ip]);
            break;
        case OP_MOVE_LOCAL:
            base[*ip++] = *--sp;
            continue;
        case OP_MOVE_CAPTURED:
            *frame->closure->captures[*ip++]->place = *--sp;
            continue;
        case OP_MOVE_GLOBAL:
            if (vm->globals[constants[*ip].as.global].value == VALUE_ABSENT)
                goto no_global;
            vm->globals[constants[*ip++].as.global].value = *--sp;
            continue;
        case OP_MOVE_FIELD:
            if (cached_store(sp[-2], &constants[*ip].cache, sp[-1])) {
                sp -= 2;
                ip++;
                continue;
            }
            SAVE(1);
            done = store_field(vm, &constants[*ip]);
            vm->sp--;
            break;
        case OP_DEFINE_GLOBAL:
            define_global(vm, constants[*ip++].as.name, *--sp);
            continue;

        case OP_ADD:
            if (is_number(sp[-2]) && is_number(sp[-1])) {
                sp--;
                sp[-1] = number_value(as_number(sp[-1]) + as_number(sp[0]));
                continue;
            }
            SAVE(0);
            done = concatenate(vm);
            break;
        case OP_SUBTRACT:
            BINARY(number_value, -);
            continue;
        case OP_MULTIPLY:
            BINARY(number_value, *);
            continue;
        case OP_DIVIDE:
            BINARY(number_value, /);
            continue;
        case OP_NEGATE:
            if (!is_number(sp[-1]))
                goto not_number;
            sp[-1] = number_value(-as_number(sp[-1]));
            continue;
        case OP_NOT:
            sp[-1] = bool_value(is_falsey(sp[-1]));
            continue;
        case OP_EQUAL:
            sp--;
            sp[-1] = bool_value(values_equal(sp[-1], sp[0]));
            continue;
        case OP_NOT_EQUAL:
            sp--;
            sp[-1] = bool_value(!values_equal(sp[-1], sp[0]));
            continue;
        case OP_LESS:
            BINARY(bool_value, <);
            continue;
        case OP_LESS_EQUAL:
            BINARY(bool_value, <=);
            continue;
        case OP_GREATER:
            BINARY(bool_value, >);
            continue;
        case OP_GREATER_EQUAL:
            BINARY(bool_value, >=);
            continue;

        case OP_JUMP:
            ip += 2 + DISTANCE();
            continue;
        case OP_LOOP:
            if (vm->steps_left-- == 0)
                goto no_steps;
            ip += 2 - (int)DISTANCE();
            continue;
        case OP_UNLESS:
            ip += is_falsey(*--sp) ? 2 + DISTANCE() : 2;
            continue;
        case OP_AND:
            if (is_falsey(sp[-1])) {
                ip += 2 + DISTANCE();
            } else {
                sp--;
                ip += 2;
            }
            continue;
        case OP_OR:
            if (is_falsey(sp[-1])) {
                sp--;
                ip += 2;
            } else {
                ip += 2 + DISTANCE();
            }
            continue;
        case OP_UNLESS_EQUAL:
            sp -= 2;
            ip += values_equal(sp[0], sp[1]) ? 2 : 2 + DISTANCE();
            continue;
        case OP_UNLESS_NOT_EQUAL:
            sp -= 2;
            ip += values_equal(sp[0], sp[1]) ? 2 + DISTANCE() : 2;
            continue;
        case OP_UNLESS_LESS:
            UNLESS(<);
            continue;
        case OP_UNLESS_LESS_EQUAL:
            UNLESS(<=);
            continue;
        case OP_UNLESS_GREATER:
            UNLESS(>);
            continue;
        case OP_UNLESS_GREATER_EQUAL:
            UNLESS(>=);
            continue;

        case OP_CALL:
            SAVE(1);
            if (!call_value(vm, sp[-1 - *ip], *ip))
                return false;
            RESUME();
            continue;
        case OP_INVOKE: {
            Closure *method = cached_method(sp[-1 - ip[1]], &constants[*ip].cache);
            SAVE(2);
            if (!(method != NULL ? call_closure(vm, method, ip[1])
                                 : invoke(vm, &constants[*ip], ip[1])))
                return false;
            RESUME();
            continue;
        }
        case OP_INVOKE_SUPER:
            SAVE(2);
            done = invoke_super(vm, constants[*ip].as.name, ip[1]);
            break;
        case OP_RETURN:
            if (vm->open_captures != NULL)
                close_captures(vm, base);
            if (--vm->frame_end == vm->frames)
                return true;
            *base = sp[-1];
            vm->sp = base + 1;
            RESUME();
            continue;
        case OP_CLOSURE:
            SAVE(1);
            done = make_closure(vm, constants[*ip].as.function);
            break;
        case OP_CLASS:
            SAVE(1);
            done = push_class(vm, constants[*ip].as.name);
            break;
        case OP_INHERIT:
            SAVE(0);
            done = inherit(vm);
            break;
        case OP_METHOD:
            SAVE(1);
            done = define_method(vm, constants[*ip].as.name);
            break;
        case OP_PRINT:
            print(vm->out, *--sp);
            continue;
        }
        if (!done)
            return false;
        RESUME();
    }

no_global:
    SAVE(0);
    return undefined_variable(vm, vm->globals[constants[*ip].as.global].name);
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

static bool globals_grow(Vm *vm) {
    uint32_t capacity = vm->global_capacity == 0 ? 64 : vm->global_capacity * 2;
    Global *globals = realloc(vm->globals, capacity * sizeof *globals);

    if (globals == NULL)
        return false;
    vm->globals = globals;
    vm->global_capacity = capacity;
    return true;
}

bool global_declare(Vm *vm, const String *name, uint32_t *index) {
    const Item *item = table_find(&vm->global_index, name);

    *index = item != NULL ? item->index : vm->global_count;
    if (item != NULL)
        return true;
    if (vm->global_count == vm->global_capacity && !globals_grow(vm))
        return false;
    if (!table_put(vm, &vm->global_index, name, (Item){.index = *index}))
        return false;
    vm->globals[vm->global_count++] = (Global){.name = name, .value = VALUE_ABSENT};
    return true;
}

/* Seconds of processor time that the program has used. */
static Value native_clock(int argc, const Value *args) {
    (void)argc;
    (void)args;
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
