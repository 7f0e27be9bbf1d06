/* strings.c: the commands of strings and counters. */
#include "kv.h"

struct set_options {
    bool if_missing, if_present;
    size_t time;     /* index of the argument, 0 if there is none */
    int64_t unit_ms; /* of the time */
};

static int64_t unit_ms(struct slice word) {
    return equal_folded(word, "ex") ? 1000 : equal_folded(word, "px") ? 1 : 0;
}

/* Takes the option at *i, together with the argument after it if it has one. */
static bool set_option(struct call *call, size_t *i, struct set_options *options) {
    struct slice word = call->args[*i];
    if (equal_folded(word, "nx")) {
        options->if_missing = true;
    } else if (equal_folded(word, "xx")) {
        options->if_present = true;
    } else {
        options->unit_ms = unit_ms(word);
        if (options->unit_ms == 0 || options->time != 0 || *i + 1 == call->count)
            return false;
        options->time = ++*i;
    }
    return true;
}

static bool set_options(struct call *call, struct set_options *options) {
    for (size_t i = 3; i < call->count; i++)
        if (!set_option(call, &i, options))
            return false;
    return !(options->if_missing && options->if_present);
}

/* False after an error reply. */
static bool store(struct call *call, struct slice key, struct slice bytes,
                  int64_t at_ms) {
    struct entry *entry = db_find_or_add(call->db, key);
    if (entry != NULL && value_store(&entry->value, bytes)) {
        db_set_deadline(call->db, entry, at_ms);
        return true;
    }
    if (entry != NULL && entry->value.kind == KIND_NONE)
        db_remove(call->db, entry);
    fail_memory(call);
    return false;
}

static bool set_is_refused(struct call *call, const struct set_options *options) {
    if (!options->if_missing && !options->if_present)
        return false;
    return (db_find(call->db, call->args[1]) != NULL) == options->if_missing;
}

/* The deadline that the options name, or 0. False after an error reply. */
static bool set_time(struct call *call, const struct set_options *options,
                     int64_t *at_ms) {
    *at_ms = 0;
    if (options->time == 0)
        return true;
    if (!call_deadline(call, options->time, options->unit_ms, at_ms))
        return false;
    if (*at_ms > call->db->now_ms)
        return true;
    reply_error(call->out, "ERR invalid expire time in 'set' command");
    return false;
}

void command_set(struct call *call) {
    struct set_options options = {0};
    int64_t at_ms;
    if (!set_options(call, &options)) {
        fail_syntax(call);
        return;
    }
    if (!set_time(call, &options, &at_ms))
        return;
    if (set_is_refused(call, &options)) {
        reply_nil(call->out);
        return;
    }
    if (store(call, call->args[1], call->args[2], at_ms))
        reply_ok(call->out);
}

void command_get(struct call *call) {
    struct entry *entry;
    if (call_find(call, KIND_STRING, &entry))
        reply_bulk(call->out, string_slice(entry->value.string));
    else if (entry == NULL)
        reply_nil(call->out);
}

void command_mget(struct call *call) {
    reply_array(call->out, call->count - 1);
    for (size_t i = 1; i < call->count; i++) {
        const struct entry *entry = db_find(call->db, call->args[i]);
        if (entry == NULL || entry->value.kind != KIND_STRING)
            reply_nil(call->out);
        else
            reply_bulk(call->out, string_slice(entry->value.string));
    }
}

void command_mset(struct call *call) {
    if (call->count % 2 == 0) {
        fail_arity(call);
        return;
    }
    for (size_t i = 1; i < call->count; i += 2)
        if (!store(call, call->args[i], call->args[i + 1], 0))
            return;
    reply_ok(call->out);
}

/* The number that args[1] holds, 0 if it is missing. False after an error reply. */
static bool read_number(struct call *call, struct entry **entry, int64_t *value) {
    *value = 0;
    if (!call_find(call, KIND_STRING, entry))
        return *entry == NULL;
    if (parse_integer(string_slice((*entry)->value.string), value))
        return true;
    reply_error(call->out, "ERR value is not an integer or out of range");
    return false;
}

static bool would_overflow(int64_t a, int64_t b) {
    return b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b;
}

static void add(struct call *call, int64_t increment) {
    struct entry *entry;
    char digits[KV_INTEGER_SIZE];
    int64_t value;
    if (!read_number(call, &entry, &value))
        return;
    if (would_overflow(value, increment)) {
        reply_error(call->out, "ERR increment or decrement would overflow");
        return;
    }
    value += increment;
    struct slice text = {digits, format_integer(digits, value)};
    if (entry == NULL && !store(call, call->args[1], text, 0))
        return;
    if (entry != NULL && !value_store(&entry->value, text))
        fail_memory(call);
    else
        reply_integer(call->out, value);
}

void command_incr(struct call *call) {
    add(call, 1);
}

void command_decr(struct call *call) {
    add(call, -1);
}

void command_incrby(struct call *call) {
    int64_t increment;
    if (call_integer(call, 2, &increment))
        add(call, increment);
}
