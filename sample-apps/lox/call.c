/* call.c - calls, closures, fields and methods: what instructions do that the interpreter
   loop does not do itself, and the report when it is an error. */
#include "vm.h"

#include <stdarg.h>

static void trace_print(FILE *err, const Frame *frame) {
    const Function *function = frame->closure->function;
    uint32_t line = function->lines[frame->ip - 1 - function->code];

    if (function->name == NULL)
        fprintf(err, "[line %u] in script\n", line);
    else
        fprintf(err, "[line %u] in %.*s()\n", line, (int)function->name->length,
                function->name->text);
}

/* Reports an error in the instruction before the frame's ip, and the calls that led
   there. Always false. */
bool runtime_error(Vm *vm, const char *format, ...) {
    va_list args;

    if (vm->err == NULL)
        return false;
    va_start(args, format);
    vfprintf(vm->err, format, args);
    va_end(args);
    fputc('\n', vm->err);
    for (const Frame *frame = vm->frame_end; frame-- > vm->frames;)
        trace_print(vm->err, frame);
    return false;
}

bool undefined_error(Vm *vm, const char *what, const String *name) {
    return runtime_error(vm, "Undefined %s '%.*s'.", what, (int)name->length, name->text);
}

/* Makes a frame for the closure; the callee and its arguments are on the stack. */
bool call_closure(Vm *vm, Closure *callee, unsigned argc) {
    const Function *function = callee->function;
    Frame *frame = vm->frame_end;
    Value *base = vm->sp - argc - 1;

    if (argc != function->arity)
        return runtime_error(vm, "Expected %u arguments but got %u.", function->arity,
                             argc);
    if (frame == vm->frames + FRAMES_MAX ||
        function->stack_need > vm->stack + STACK_MAX - base)
        return runtime_error(vm, "Stack overflow.");
    if (vm->steps_left-- == 0)
        return runtime_error(vm, "Too many steps.");
    *frame = (Frame){.closure = callee, .ip = function->code, .base = base};
    vm->frame_end++;
    return true;
}

static bool instantiate(Vm *vm, Class *class, unsigned argc) {
    Instance *instance = instance_new(vm, class);

    if (instance == NULL)
        return runtime_error(vm, "Out of memory.");
    vm->sp[-1 - (int)argc] = object_value(instance);
    if (class->initializer != NULL)
        return call_closure(vm, class->initializer, argc);
    if (argc != 0)
        return runtime_error(vm, "Expected 0 arguments but got %u.", argc);
    return true;
}

bool call_value(Vm *vm, Value callee, unsigned argc) {
    if (is_kind(callee, OBJECT_CLOSURE))
        return call_closure(vm, as_object(callee), argc);
    if (is_kind(callee, OBJECT_CLASS))
        return instantiate(vm, as_object(callee), argc);
    if (is_kind(callee, OBJECT_BOUND)) {
        const Bound *bound = as_object(callee);
        vm->sp[-1 - (int)argc] = bound->receiver;
        return call_closure(vm, bound->method, argc);
    }
    if (is_kind(callee, OBJECT_NATIVE)) {
        vm->sp -= argc; /* a native function looks at no arguments */
        vm->sp[-1] = ((const Native *)as_object(callee))->function();
        return true;
    }
    return runtime_error(vm, "Can only call functions and classes.");
}

/* The open capture of the variable, which is made if there is none. */
static Capture *capture(Vm *vm, Value *place) {
    Capture **link = &vm->open_captures;

    while (*link != NULL && (*link)->place > place)
        link = &(*link)->next;
    if (*link != NULL && (*link)->place == place)
        return *link;
    Capture *made = object_new(vm, OBJECT_CAPTURE, sizeof *made);
    if (made == NULL)
        return NULL;
    made->place = place;
    made->next = *link;
    *link = made;
    return made;
}

/* Pushes a closure of the function, made by the running function. */
bool make_closure(Vm *vm, Function *function) {
    const Frame *frame = vm->frame_end - 1;
    Closure *closure = closure_new(vm, function, frame->closure->owner);

    if (closure == NULL)
        return runtime_error(vm, "Out of memory.");
    *vm->sp++ = object_value(closure);
    for (unsigned i = 0; i < function->capture_count; i++) {
        CaptureSource source = function->captures[i];
        closure->captures[i] = source.local ? capture(vm, frame->base + source.index)
                                            : frame->closure->captures[source.index];
        if (closure->captures[i] == NULL)
            return runtime_error(vm, "Out of memory.");
    }
    return true;
}

/* Moves the captured variables from `from` upwards off the stack. */
void close_captures(Vm *vm, const Value *from) {
    while (vm->open_captures != NULL && vm->open_captures->place >= from) {
        Capture *capture = vm->open_captures;
        vm->open_captures = capture->next;
        capture->held = *capture->place;
        capture->place = &capture->held;
    }
}

static Value *field_of(const Instance *instance, const String *name, uint32_t *slot) {
    const Item *item = table_find(&instance->class->fields, name);

    if (item == NULL)
        return NULL;
    *slot = item->index;
    if (*slot >= instance->capacity || instance->fields[*slot] == VALUE_ABSENT)
        return NULL;
    return &instance->fields[*slot];
}

static Closure *method_of(const Class *class, const String *name) {
    const Item *item = table_find(&class->methods, name);

    return item == NULL ? NULL : item->method;
}

/* Replaces the receiver on top of the stack by its method. */
static bool bind(Vm *vm, Closure *method) {
    Bound *bound = object_new(vm, OBJECT_BOUND, sizeof *bound);

    if (bound == NULL)
        return runtime_error(vm, "Out of memory.");
    bound->receiver = vm->sp[-1];
    bound->method = method;
    vm->sp[-1] = object_value(bound);
    return true;
}

bool load_field(Vm *vm, Constant *name) {
    if (!is_kind(vm->sp[-1], OBJECT_INSTANCE))
        return runtime_error(vm, "Only instances have properties.");
    Instance *instance = as_object(vm->sp[-1]);
    uint32_t slot;
    Value *field = field_of(instance, name->as.name, &slot);
    if (field != NULL) {
        name->cache = (Cache){.class = instance->class, .slot = slot};
        vm->sp[-1] = *field;
        return true;
    }
    Closure *method = method_of(instance->class, name->as.name);
    return method == NULL ? undefined_error(vm, "property", name->as.name)
                          : bind(vm, method);
}

static Closure *super_method(const Vm *vm, const String *name) {
    return method_of(vm->frame_end[-1].closure->owner->parent, name);
}

bool load_super(Vm *vm, const String *name) {
    Closure *method = super_method(vm, name);

    return method == NULL ? undefined_error(vm, "property", name) : bind(vm, method);
}

/* Gives the instances of the class a place for a field. When they have a method of that
   name, instructions may have it in their caches, where it would go before the field. */
static bool add_field(Vm *vm, Class *class, const String *name, uint32_t *slot) {
    *slot = class->fields.count;
    if (method_of(class, name) != NULL)
        forget_cached(vm);
    return table_put(vm, &class->fields, name, (Item){.index = *slot});
}

/* Pops the value, leaves it in place of the instance. */
bool store_field(Vm *vm, Constant *name) {
    if (!is_kind(vm->sp[-2], OBJECT_INSTANCE))
        return runtime_error(vm, "Only instances have fields.");
    Instance *instance = as_object(vm->sp[-2]);
    const Item *item = table_find(&instance->class->fields, name->as.name);
    uint32_t slot;
    if (item != NULL)
        slot = item->index;
    else if (!add_field(vm, instance->class, name->as.name, &slot))
        return runtime_error(vm, "Out of memory.");
    if (slot >= instance->capacity && !instance_grow(vm, instance, slot + 1))
        return runtime_error(vm, "Out of memory.");
    instance->fields[slot] = vm->sp[-1];
    name->cache = (Cache){.class = instance->class, .slot = slot};
    vm->sp--;
    vm->sp[-1] = vm->sp[0];
    return true;
}

bool invoke(Vm *vm, Constant *name, unsigned argc) {
    Value *receiver = vm->sp - argc - 1;

    if (!is_kind(*receiver, OBJECT_INSTANCE))
        return runtime_error(vm, "Only instances have methods.");
    Instance *instance = as_object(*receiver);
    uint32_t slot = UINT32_MAX;
    Value *field = field_of(instance, name->as.name, &slot);
    if (field != NULL) {
        *receiver = *field;
        return call_value(vm, *field, argc);
    }
    Closure *method = method_of(instance->class, name->as.name);
    if (method == NULL)
        return undefined_error(vm, "property", name->as.name);
    if (slot == UINT32_MAX)
        name->cache = (Cache){.class = instance->class, .method = method};
    return call_closure(vm, method, argc);
}

bool invoke_super(Vm *vm, const String *name, unsigned argc) {
    Closure *method = super_method(vm, name);

    if (method == NULL)
        return undefined_error(vm, "property", name);
    return call_closure(vm, method, argc);
}

bool push_class(Vm *vm, const String *name) {
    Class *class = object_new(vm, OBJECT_CLASS, sizeof *class);

    if (class == NULL)
        return runtime_error(vm, "Out of memory.");
    *class = (Class){.head = class->head, .name = name};
    *vm->sp++ = object_value(class);
    return true;
}

/* Pops a class and its parent below it: the class gets the methods of the parent. */
bool inherit(Vm *vm) {
    if (!is_kind(vm->sp[-2], OBJECT_CLASS))
        return runtime_error(vm, "Superclass must be a class.");
    Class *class = as_object(vm->sp[-1]);
    Class *parent = as_object(vm->sp[-2]);
    if (!table_add_all(vm, &class->methods, &parent->methods))
        return runtime_error(vm, "Out of memory.");
    class->parent = parent;
    class->initializer = parent->initializer;
    vm->sp -= 2;
    return true;
}

/* Pops a closure: a method of the class below it. */
bool define_method(Vm *vm, const String *name) {
    Closure *method = as_object(vm->sp[-1]);
    Class *class = as_object(vm->sp[-2]);

    if (!table_put(vm, &class->methods, name, (Item){.method = method}))
        return runtime_error(vm, "Out of memory.");
    method->owner = class;
    if (name == vm->init)
        class->initializer = method;
    vm->sp--;
    return true;
}
