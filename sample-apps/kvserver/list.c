/* list.c: a list of byte strings, as a ring of pointers. */
#include "kv.h"

enum { FIRST_SIZE = 4 };

struct list *list_new(void) {
    return memory_take_zeroed(1, sizeof(struct list));
}

void list_free(struct list *list) {
    for (size_t i = 0; i < list->length; i++)
        string_free(list_at(list, i));
    memory_give(list->slots, list->size * sizeof(struct string *));
    memory_give(list, sizeof(*list));
}

/* Moves the elements to the front of a ring of another size, which holds them. */
static bool resize(struct list *list, size_t size) {
    struct string **slots = memory_take(size * sizeof(struct string *));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < list->length; i++)
        slots[i] = list_at(list, i);
    memory_give(list->slots, list->size * sizeof(struct string *));
    list->slots = slots;
    list->size = size;
    list->first = 0;
    return true;
}

static bool make_room(struct list *list) {
    if (list->length < list->size)
        return true;
    return resize(list, list->size == 0 ? FIRST_SIZE : 2 * list->size);
}

bool list_push(struct list *list, enum list_end end, struct slice bytes) {
    struct string *string = make_room(list) ? string_new(bytes) : NULL;
    if (string == NULL)
        return false;
    if (end == LIST_HEAD)
        list->first = (list->first - 1) & (list->size - 1);
    size_t index = end == LIST_HEAD ? 0 : list->length;
    list->slots[(list->first + index) & (list->size - 1)] = string;
    list->length++;
    return true;
}

/* Without memory for a smaller ring the large one stays. */
struct string *list_pop(struct list *list, enum list_end end) {
    if (list->length == 0)
        return NULL;
    struct string *string = list_at(list, end == LIST_HEAD ? 0 : list->length - 1);
    list->first += end == LIST_HEAD;
    list->length--;
    if (list->size > FIRST_SIZE && list->length < list->size / 4)
        resize(list, list->size / 2);
    return string;
}
