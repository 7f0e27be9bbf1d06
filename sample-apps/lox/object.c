/* object.c - arrays, tables and symbols, objects, equality and printing. The tables
   and the set of symbols are open-addressed with linear probing and at most three
   quarters full; nothing is ever removed from them. */
#include "vm.h"

#include <stdlib.h>

enum { CAPACITY_MIN = 8 };

/* Room for one more item in an array that is not the script's, which may move; NULL if
   there is no memory, and all is as before. */
void *array_extend(void *array, size_t count, size_t *capacity, size_t item_size) {
    size_t doubled = *capacity == 0 ? CAPACITY_MIN : *capacity * 2;

    if (count < *capacity)
        return array;
    void *extended = realloc(array, doubled * item_size);
    if (extended != NULL)
        *capacity = doubled;
    return extended;
}

/* Tables */

static Entry *entry_of(const Table *table, const String *name) {
    uint32_t mask = table->capacity - 1;
    uint32_t i = name->hash & mask;

    while (table->entries[i].name != name && table->entries[i].name != NULL)
        i = (i + 1) & mask;
    return &table->entries[i];
}

Item *table_find(const Table *table, const String *name) {
    if (table->count == 0)
        return NULL;
    Entry *entry = entry_of(table, name);
    return entry->name == NULL ? NULL : &entry->item;
}

static bool table_grow(Vm *vm, Table *table) {
    Table grown = {.count = table->count};

    if (table->capacity > UINT32_MAX / 2)
        return false;
    grown.capacity = table->capacity == 0 ? CAPACITY_MIN : table->capacity * 2;
    grown.entries = array_resize(vm, NULL, 0, grown.capacity * sizeof(Entry));
    if (grown.entries == NULL)
        return false;
    memset(grown.entries, 0, grown.capacity * sizeof(Entry));
    for (uint32_t i = 0; i < table->capacity; i++)
        if (table->entries[i].name != NULL)
            *entry_of(&grown, table->entries[i].name) = table->entries[i];
    table_free(vm, table);
    *table = grown;
    return true;
}

bool table_put(Vm *vm, Table *table, const String *name, Item item) {
    if (table->count >= table->capacity / 4 * 3 && !table_grow(vm, table))
        return false;
    Entry *entry = entry_of(table, name);
    if (entry->name == NULL) {
        entry->name = name;
        table->count++;
    }
    entry->item = item;
    return true;
}

bool table_add_all(Vm *vm, Table *to, const Table *from) {
    for (uint32_t i = 0; i < from->capacity; i++) {
        const Entry *entry = &from->entries[i];
        if (entry->name != NULL && !table_put(vm, to, entry->name, entry->item))
            return false;
    }
    return true;
}

void table_free(Vm *vm, Table *table) {
    array_resize(vm, table->entries, table->capacity * sizeof(Entry), 0);
    *table = (Table){0};
}

/* Symbols */

static uint32_t hash_text(const char *text, size_t length) {
    uint32_t hash = (uint32_t)length;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x9e3779b1u;
    return hash ^ hash >> 15;
}

/* Where the symbol is, or is to be. */
static String **symbol_place(String **set, size_t capacity, const char *text,
                             size_t length, uint32_t hash) {
    size_t i = hash & (capacity - 1);

    while (set[i] != NULL && (set[i]->hash != hash || set[i]->length != length ||
                              memcmp(set[i]->text, text, length) != 0))
        i = (i + 1) & (capacity - 1);
    return &set[i];
}

static bool symbols_grow(Vm *vm) {
    size_t capacity = vm->symbol_capacity == 0 ? 64 : vm->symbol_capacity * 2;
    String **set = calloc(capacity, sizeof *set);

    if (set == NULL)
        return false;
    for (size_t i = 0; i < vm->symbol_capacity; i++) {
        String *s = vm->symbols[i];
        if (s != NULL)
            *symbol_place(set, capacity, s->text, s->length, s->hash) = s;
    }
    free(vm->symbols);
    vm->symbols = set;
    vm->symbol_capacity = capacity;
    return true;
}

static String *symbol_new(const char *text, size_t length, uint32_t hash) {
    String *s = malloc(sizeof *s + length);

    if (s == NULL)
        return NULL;
    *s = (String){.head = {.kind = OBJECT_STRING, .mark = MARK_KEPT},
                  .symbol = true,
                  .length = (uint32_t)length,
                  .hash = hash};
    memcpy(s->text, text, length);
    return s;
}

/* The symbol with this text, at most UINT32_MAX bytes. */
String *symbol_get(Vm *vm, const char *text, size_t length) {
    if (vm->symbol_count >= vm->symbol_capacity / 4 * 3 && !symbols_grow(vm))
        return NULL;
    uint32_t hash = hash_text(text, length);
    String **place = symbol_place(vm->symbols, vm->symbol_capacity, text, length, hash);
    if (*place == NULL) {
        *place = symbol_new(text, length, hash);
        vm->symbol_count += *place != NULL;
    }
    return *place;
}

void symbols_free(Vm *vm) {
    for (size_t i = 0; i < vm->symbol_capacity; i++)
        free(vm->symbols[i]);
    free(vm->symbols);
}

/* Objects */

String *string_join(Vm *vm, const String *left, const String *right) {
    uint64_t length = (uint64_t)left->length + right->length;

    if (length > UINT32_MAX)
        return NULL;
    String *joined = object_new(vm, OBJECT_STRING, sizeof *joined + (size_t)length);
    if (joined == NULL)
        return NULL;
    joined->symbol = false;
    joined->length = (uint32_t)length;
    memcpy(joined->text, left->text, left->length);
    memcpy(joined->text + left->length, right->text, right->length);
    return joined;
}

Closure *closure_new(Vm *vm, Function *function, Class *owner) {
    size_t captures_size = function->capture_count * sizeof(Capture *);
    Closure *closure = object_new(vm, OBJECT_CLOSURE, sizeof *closure + captures_size);

    if (closure == NULL)
        return NULL;
    closure->function = function;
    closure->owner = owner;
    for (unsigned i = 0; i < function->capture_count; i++)
        closure->captures[i] = NULL;
    return closure;
}

/* With room for the fields that instances of the class are known to have. */
Instance *instance_new(Vm *vm, Class *class) {
    uint32_t slots = class->fields.count;
    Instance *instance =
        object_new(vm, OBJECT_INSTANCE, sizeof *instance + slots * sizeof(Value));

    if (instance == NULL)
        return NULL;
    instance->capacity = slots;
    instance->class = class;
    instance->fields = instance->initial;
    for (uint32_t i = 0; i < slots; i++)
        instance->initial[i] = VALUE_ABSENT;
    return instance;
}

/* Makes room for at least this many slots. */
bool instance_grow(Vm *vm, Instance *instance, uint32_t slots) {
    uint32_t old = instance->capacity;
    uint32_t capacity = slots < 4 ? 4 : slots + slots / 2;
    bool initial = instance->fields == instance->initial;
    Value *fields =
        array_resize(vm, initial ? NULL : instance->fields,
                     initial ? 0 : old * sizeof(Value), capacity * sizeof(Value));

    if (fields == NULL)
        return false;
    if (initial)
        memcpy(fields, instance->initial, old * sizeof(Value));
    for (uint32_t i = old; i < capacity; i++)
        fields[i] = VALUE_ABSENT;
    instance->fields = fields;
    instance->capacity = capacity;
    return true;
}

/* Frees what an object owns beside its own memory. */
void object_release(Vm *vm, Object *object) {
    if (object->kind == OBJECT_INSTANCE) {
        Instance *instance = (Instance *)object;
        if (instance->fields != instance->initial)
            array_resize(vm, instance->fields, instance->capacity * sizeof(Value), 0);
    } else if (object->kind == OBJECT_CLASS) {
        table_free(vm, &((Class *)object)->methods);
        table_free(vm, &((Class *)object)->fields);
    }
}

/* Equality and printing */

bool texts_equal(const String *a, const String *b) {
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static void text_print(FILE *out, const String *string) {
    fwrite(string->text, 1, string->length, out);
}

static void function_print(FILE *out, const Closure *closure) {
    fputs("<fn ", out);
    text_print(out, closure->function->name);
    fputc('>', out);
}

static void object_print(FILE *out, const Object *object) {
    switch ((ObjectKind)object->kind) {
    case OBJECT_STRING:
        text_print(out, (const String *)object);
        break;
    case OBJECT_CLOSURE:
        function_print(out, (const Closure *)object);
        break;
    case OBJECT_BOUND:
        function_print(out, ((const Bound *)object)->method);
        break;
    case OBJECT_CLASS:
        text_print(out, ((const Class *)object)->name);
        break;
    case OBJECT_INSTANCE:
        text_print(out, ((const Instance *)object)->class->name);
        fputs(" instance", out);
        break;
    case OBJECT_NATIVE:
        fputs("<native fn>", out);
        break;
    case OBJECT_FREE:
    case OBJECT_CAPTURE:
        break; /* never the value of an expression */
    }
}

void value_print(FILE *out, Value value) {
    if (is_number(value))
        fprintf(out, "%g", as_number(value));
    else if (is_object(value))
        object_print(out, as_object(value));
    else
        fputs(value == VALUE_NIL ? "nil" : value == VALUE_TRUE ? "true" : "false", out);
}
