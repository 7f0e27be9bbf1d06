/* lists.c: the commands of lists. */
#include "kv.h"

static void remove_if_empty(struct call *call, struct entry *entry) {
    if (entry->value.list->length == 0)
        db_remove(call->db, entry);
}

static void push(struct call *call, enum list_end end) {
    struct entry *entry = call_find_or_add(call, KIND_LIST);
    if (entry == NULL)
        return;
    for (size_t i = 2; i < call->count; i++) {
        if (!list_push(entry->value.list, end, call->args[i])) {
            remove_if_empty(call, entry);
            fail_memory(call);
            return;
        }
    }
    reply_integer(call->out, (int64_t)entry->value.list->length);
}

void command_lpush(struct call *call) {
    push(call, LIST_HEAD);
}

void command_rpush(struct call *call) {
    push(call, LIST_TAIL);
}

static void pop(struct call *call, enum list_end end) {
    struct entry *entry;
    if (!call_find(call, KIND_LIST, &entry)) {
        if (entry == NULL)
            reply_nil(call->out);
        return;
    }
    struct string *string = list_pop(entry->value.list, end);
    reply_bulk(call->out, string_slice(string));
    string_free(string);
    remove_if_empty(call, entry);
}

void command_lpop(struct call *call) {
    pop(call, LIST_HEAD);
}

void command_rpop(struct call *call) {
    pop(call, LIST_TAIL);
}

void command_llen(struct call *call) {
    struct entry *entry;
    if (call_find(call, KIND_LIST, &entry))
        reply_integer(call->out, (int64_t)entry->value.list->length);
    else if (entry == NULL)
        reply_integer(call->out, 0);
}

/* Both are inclusive; a negative index counts from the end. */
static void reply_range(struct buffer *out, const struct list *list, int64_t first,
                        int64_t last) {
    int64_t length = (int64_t)list->length;
    if (first < 0)
        first = first < -length ? 0 : first + length;
    if (last < 0)
        last = last < -length ? -1 : last + length;
    if (last >= length)
        last = length - 1;
    if (first > last) {
        reply_array(out, 0);
        return;
    }
    reply_array(out, (size_t)(last - first + 1));
    for (; first <= last; first++)
        reply_bulk(out, string_slice(list_at(list, (size_t)first)));
}

void command_lrange(struct call *call) {
    struct entry *entry;
    int64_t first, last;
    if (!call_integer(call, 2, &first) || !call_integer(call, 3, &last))
        return;
    if (call_find(call, KIND_LIST, &entry))
        reply_range(call->out, entry->value.list, first, last);
    else if (entry == NULL)
        reply_array(call->out, 0);
}
