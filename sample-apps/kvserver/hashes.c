/* hashes.c: the commands of hashes. */
#include "kv.h"

/* 1 if the field is new, 0 if it was replaced, -1 if memory runs out. */
static int set_field(struct dict *hash, struct slice name, struct slice bytes) {
    struct entry *field = dict_find_or_add(hash, name);
    if (field == NULL)
        return -1;
    bool added = field->value.kind == KIND_NONE;
    if (value_store(&field->value, bytes))
        return added;
    if (added)
        dict_remove(hash, field);
    return -1;
}

static void remove_if_empty(struct call *call, struct entry *entry) {
    if (dict_size(entry->value.hash) == 0)
        db_remove(call->db, entry);
}

void command_hset(struct call *call) {
    int64_t count = 0;
    if (call->count % 2 != 0) {
        fail_arity(call);
        return;
    }
    struct entry *entry = call_find_or_add(call, KIND_HASH);
    if (entry == NULL)
        return;
    for (size_t i = 2; i < call->count; i += 2) {
        int added = set_field(entry->value.hash, call->args[i], call->args[i + 1]);
        if (added < 0) {
            remove_if_empty(call, entry);
            fail_memory(call);
            return;
        }
        count += added;
    }
    reply_integer(call->out, count);
}

void command_hget(struct call *call) {
    struct entry *entry;
    const struct entry *field = NULL;
    if (call_find(call, KIND_HASH, &entry))
        field = dict_find(entry->value.hash, call->args[2]);
    else if (entry != NULL)
        return;
    if (field == NULL)
        reply_nil(call->out);
    else
        reply_bulk(call->out, string_slice(field->value.string));
}

void command_hdel(struct call *call) {
    struct entry *entry;
    int64_t count = 0;
    bool found = call_find(call, KIND_HASH, &entry);
    for (size_t i = 2; found && i < call->count; i++) {
        struct entry *field = dict_find(entry->value.hash, call->args[i]);
        if (field == NULL)
            continue;
        dict_remove(entry->value.hash, field);
        count++;
    }
    if (found)
        remove_if_empty(call, entry);
    if (found || entry == NULL)
        reply_integer(call->out, count);
}

void command_hlen(struct call *call) {
    struct entry *entry;
    if (call_find(call, KIND_HASH, &entry))
        reply_integer(call->out, (int64_t)dict_size(entry->value.hash));
    else if (entry == NULL)
        reply_integer(call->out, 0);
}

static void reply_field(void *context, struct entry *field) {
    struct buffer *out = context;
    reply_bulk(out, entry_key(field));
    reply_bulk(out, string_slice(field->value.string));
}

void command_hgetall(struct call *call) {
    struct entry *entry;
    uint64_t cursor = 0;
    if (!call_find(call, KIND_HASH, &entry)) {
        if (entry == NULL)
            reply_array(call->out, 0);
        return;
    }
    reply_array(call->out, 2 * dict_size(entry->value.hash));
    do
        cursor = dict_scan(entry->value.hash, cursor, reply_field, call->out);
    while (cursor != 0);
}
