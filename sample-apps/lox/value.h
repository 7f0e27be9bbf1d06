/* value.h - Lox values, and the objects that they refer to. */
#ifndef LOX_VALUE_H
#define LOX_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct Vm Vm;
typedef struct Function Function;
typedef struct Class Class;

/* A value is a double, or one of the bit patterns above the default NaN that arithmetic
   never makes: a constant of the language, or a 48-bit pointer to an object. */
typedef uint64_t Value;

#define VALUE_DOUBLE_MAX 0xfff8000000000000u
#define VALUE_NIL 0xfff9000000000000u
#define VALUE_FALSE 0xfff9000000000001u
#define VALUE_TRUE 0xfff9000000000002u
#define VALUE_ABSENT 0xfff9000000000003u /* no value: an unset field or global */
#define VALUE_OBJECT 0xfffa000000000000u

typedef enum {
    OBJECT_FREE, /* an unused cell of the heap */
    OBJECT_STRING,
    OBJECT_NATIVE,
    OBJECT_CLOSURE,
    OBJECT_CAPTURE,
    OBJECT_CLASS,
    OBJECT_INSTANCE,
    OBJECT_BOUND
} ObjectKind;

typedef enum {
    MARK_NONE,    /* not reached by the collection, or none is going on */
    MARK_REACHED, /* but what it refers to may not be */
    MARK_SCANNED,
    MARK_KEPT /* not the collector's business */
} Mark;

typedef struct {
    uint8_t kind;
    uint8_t mark;
} Object;

/* Text that the script computed, or a symbol. Symbols are the names and string literals
   of the source: one per text, compared by address, and as old as the machine gets. */
typedef struct {
    Object head;
    bool symbol;
    uint8_t keyword; /* of a symbol: its token kind, 0 if it is no reserved word */
    uint32_t length;
    uint32_t hash; /* of a symbol */
    char text[];
} String;

typedef Value (*NativeFn)(void);

typedef struct {
    Object head;
    NativeFn function;
} Native;

/* A local variable that outlives, or may outlive, its place on the stack. */
typedef struct Capture {
    Object head;
    Value *place; /* on the stack, or &held once the variable went out of scope */
    Value held;
    struct Capture *next; /* the open capture below it on the stack */
} Capture;

typedef struct {
    Object head;
    Function *function;
    Class *owner; /* the class whose body it was written in: where `super` starts */
    Capture *captures[];
} Closure;

/* A hash table from symbols to what the owner of the table keeps about them. */
typedef union {
    uint32_t index;
    Closure *method;
} Item;

typedef struct {
    const String *name; /* NULL: free */
    Item item;
} Entry;

typedef struct {
    Entry *entries;
    uint32_t count;
    uint32_t capacity; /* 0 or a power of two */
} Table;

/* A class decides where its instances keep their fields: `fields` gives each name that
   any instance ever had a place in the array of all of them. It only grows. */
struct Class {
    Object head;
    const String *name;
    Class *parent;
    Closure *initializer;
    Table methods; /* inherited ones included */
    Table fields;
};

typedef struct {
    Object head;
    uint32_t capacity;
    Class *class;
    Value *fields; /* `initial`, or an array of its own when that was too small */
    Value initial[];
} Instance;

/* A method taken from an instance without being called. */
typedef struct {
    Object head;
    Value receiver;
    Closure *method;
} Bound;

static inline bool is_number(Value value) {
    return value <= VALUE_DOUBLE_MAX;
}

static inline bool is_object(Value value) {
    return value >= VALUE_OBJECT;
}

static inline bool is_falsey(Value value) {
    return value == VALUE_NIL || value == VALUE_FALSE;
}

static inline double as_number(Value value) {
    double number;

    memcpy(&number, &value, sizeof number);
    return number;
}

static inline void *as_object(Value value) {
    return (void *)(uintptr_t)(value - VALUE_OBJECT);
}

static inline bool is_kind(Value value, ObjectKind kind) {
    return is_object(value) && ((Object *)as_object(value))->kind == kind;
}

static inline Value number_value(double number) {
    Value value;

    memcpy(&value, &number, sizeof value);
    return value;
}

static inline Value object_value(const void *object) {
    return VALUE_OBJECT + (uintptr_t)object;
}

static inline Value bool_value(bool condition) {
    return condition ? VALUE_TRUE : VALUE_FALSE;
}

bool texts_equal(const String *a, const String *b);

static inline bool values_equal(Value a, Value b) {
    if (is_number(a) && is_number(b))
        return as_number(a) == as_number(b);
    if (a == b || !is_kind(a, OBJECT_STRING) || !is_kind(b, OBJECT_STRING))
        return a == b;
    const String *s = as_object(a);
    const String *t = as_object(b);
    return !(s->symbol && t->symbol) && texts_equal(s, t);
}

/* object.c. What allocates may collect garbage, and returns NULL or false when there is
   no memory left. */
void *array_extend(void *array, size_t count, size_t *capacity, size_t item_size);
Item *table_find(const Table *table, const String *name);
bool table_put(Vm *vm, Table *table, const String *name, Item item);
bool table_add_all(Vm *vm, Table *to, const Table *from);
void table_free(Vm *vm, Table *table);
String *symbol_get(Vm *vm, const char *text, size_t length);
void symbols_free(Vm *vm);
String *string_join(Vm *vm, const String *left, const String *right);
Closure *closure_new(Vm *vm, Function *function, Class *owner);
Instance *instance_new(Vm *vm, Class *class);
bool instance_grow(Vm *vm, Instance *instance, uint32_t slots);
void object_release(Vm *vm, Object *object);
void value_print(FILE *out, Value value);

#endif
