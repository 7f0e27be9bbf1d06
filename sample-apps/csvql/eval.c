/* What expressions do: operators and functions, each a function that a node points to. */
#include "csvql.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { UNKNOWN = 2 /* an order, beside -1, 0 and 1 */ };

static inline Value arg(const Expr *e, size_t i, Frame *f) {
    return e->args[i]->eval(e->args[i], f);
}

static Value truth(int t) {
    return t < 0 ? value_null() : value_int(t);
}

/* ---- text ---- */

/* Memory for text that lasts until the next row. */
static char *new_text(const Expr *e, Frame *f, size_t length) {
    if (length > UINT32_MAX)
        fail(f->scratch->err, NULL, e->at, "text of more than 4 GiB");
    return arena_alloc(f->scratch, length, 1);
}

static Value to_text(Value v, Frame *f) {
    if (v.type == V_NULL || v.type == V_TEXT)
        return v;
    char *text = arena_alloc(f->scratch, NUMBER_SIZE, 1);
    return value_text(text, value_format(v, text));
}

static Value text_arg(const Expr *e, size_t i, Frame *f) {
    return to_text(arg(e, i, f), f);
}

/* A value as it is compared: text that is a number as a number, or a number as text. */
Value value_convert(Value v, Affinity to, Frame *f) {
    if (to == A_TEXT)
        return to_text(v, f);
    if (to == A_NONE || v.type != V_TEXT)
        return v;
    bool whole;
    Value number = number_prefix(v.s, v.length, &whole);
    return whole ? number : v;
}

static Value eval_concat(const Expr *e, Frame *f) {
    Value a = text_arg(e, 0, f), b = text_arg(e, 1, f);
    if (a.type == V_NULL || b.type == V_NULL)
        return value_null();
    char *text = new_text(e, f, (size_t)a.length + b.length);
    memcpy(text, a.s, a.length);
    memcpy(text + a.length, b.s, b.length);
    return value_text(text, (size_t)a.length + b.length);
}

/* The offset after the character at `at`. Like SQLite, this takes any text for UTF-8: a
   byte from 0xC0 on is followed by all continuation bytes there are. */
static size_t next_character(Value v, size_t at) {
    bool more = (unsigned char)v.s[at++] >= 0xc0;
    while (more && at < v.length && ((unsigned char)v.s[at] & 0xc0) == 0x80)
        at++;
    return at;
}

static int64_t count_characters(Value v) {
    int64_t count = 0;
    for (size_t at = 0; at < v.length; at = next_character(v, at))
        count++;
    return count;
}

/* Goes back to the last % only, which can match whatever an earlier one could have. */
static bool like(Value text, Value pattern) {
    size_t t = 0, p = 0, retry_t = 0, retry_p = 0;
    bool star = false;
    for (;;) {
        char c = p < pattern.length ? pattern.s[p] : '\0';
        if (c == '%') {
            if (++p == pattern.length)
                return true;
            star = true;
            retry_t = t;
            retry_p = p;
        } else if (t == text.length && p == pattern.length) {
            return true;
        } else if (t < text.length && c == '_') {
            t = next_character(text, t);
            p++;
        } else if (t < text.length && c && fold(c) == fold(text.s[t])) {
            t++;
            p++;
        } else if (!star || retry_t == text.length) {
            return false;
        } else {
            t = retry_t = next_character(text, retry_t);
            p = retry_p;
        }
    }
}

static Value eval_like(const Expr *e, Frame *f) {
    Value text = text_arg(e, 0, f), pattern = text_arg(e, 1, f);
    if (text.type == V_NULL || pattern.type == V_NULL)
        return value_null();
    return value_int(like(text, pattern));
}

/* ---- arithmetic ---- */

/* Operands of an operator. Integers overflow into reals. */
typedef struct Operands {
    Value a, b;
    bool null, integers;
} Operands;

static inline Operands operands(const Expr *e, Frame *f) {
    Value a = value_number(arg(e, 0, f)), b = value_number(arg(e, 1, f));
    return (Operands){a, b, a.type == V_NULL || b.type == V_NULL,
                      a.type == V_INT && b.type == V_INT};
}

static Value eval_add(const Expr *e, Frame *f) {
    Operands o = operands(e, f);
    int64_t sum;
    if (o.integers && !__builtin_add_overflow(o.a.i, o.b.i, &sum))
        return value_int(sum);
    return o.null ? value_null() : value_real(value_to_real(o.a) + value_to_real(o.b));
}

static Value eval_sub(const Expr *e, Frame *f) {
    Operands o = operands(e, f);
    int64_t difference;
    if (o.integers && !__builtin_sub_overflow(o.a.i, o.b.i, &difference))
        return value_int(difference);
    return o.null ? value_null() : value_real(value_to_real(o.a) - value_to_real(o.b));
}

static Value eval_mul(const Expr *e, Frame *f) {
    Operands o = operands(e, f);
    int64_t product;
    if (o.integers && !__builtin_mul_overflow(o.a.i, o.b.i, &product))
        return value_int(product);
    return o.null ? value_null() : value_real(value_to_real(o.a) * value_to_real(o.b));
}

static Value eval_div(const Expr *e, Frame *f) {
    Operands o = operands(e, f);
    if (o.null || value_to_real(o.b) == 0)
        return value_null();
    if (o.integers && !(o.a.i == INT64_MIN && o.b.i == -1))
        return value_int(o.a.i / o.b.i);
    return value_real(value_to_real(o.a) / value_to_real(o.b));
}

/* The remainder of integer parts; a real unless both operands are integers. */
static Value eval_rem(const Expr *e, Frame *f) {
    Value a = arg(e, 0, f), b = arg(e, 1, f);
    if (a.type == V_NULL || b.type == V_NULL || value_to_int(b) == 0)
        return value_null();
    int64_t divisor = value_to_int(b);
    int64_t rest = divisor == -1 ? 0 : value_to_int(a) % divisor;
    bool integers = value_number(a).type == V_INT && value_number(b).type == V_INT;
    return integers ? value_int(rest) : value_real((double)rest);
}

/* ---- comparisons and logic ---- */

/* Compares a value with that of a right operand; UNKNOWN if one is NULL. */
static int compare_values(Value a, Value b, const Expr *right, Frame *f) {
    if (a.type == V_NULL || b.type == V_NULL)
        return UNKNOWN;
    if (right->convert != A_NONE) {
        a = value_convert(a, right->convert, f);
        b = value_convert(b, right->convert, f);
    }
    return value_compare(a, b);
}

static int compare_with(Value a, const Expr *right, Frame *f) {
    return compare_values(a, right->eval(right, f), right, f);
}

static Value eval_compare(const Expr *e, Frame *f) {
    static const unsigned char accepted[] = {/* bit 0: less, 1: equal, 2: greater */
                                             [E_EQ] = 2, [E_NE] = 5, [E_LT] = 1,
                                             [E_LE] = 3, [E_GT] = 4, [E_GE] = 6};
    int order = compare_with(arg(e, 0, f), e->args[1], f);
    return order == UNKNOWN ? value_null()
                            : value_int(accepted[e->op] >> (order + 1) & 1);
}

static Value eval_is(const Expr *e, Frame *f) {
    Value a = arg(e, 0, f), b = arg(e, 1, f);
    int order = compare_values(a, b, e->args[1], f);
    return value_int(order == UNKNOWN ? a.type == b.type : order == 0);
}

static Value eval_not(const Expr *e, Frame *f) {
    int t = value_truth(arg(e, 0, f));
    return truth(t < 0 ? t : !t);
}

static Value eval_and(const Expr *e, Frame *f) {
    int a = value_truth(arg(e, 0, f));
    if (a == 0)
        return value_int(0);
    int b = value_truth(arg(e, 1, f));
    return b == 0 ? value_int(0) : truth(a < b ? a : b);
}

static Value eval_or(const Expr *e, Frame *f) {
    int a = value_truth(arg(e, 0, f));
    if (a == 1)
        return value_int(1);
    int b = value_truth(arg(e, 1, f));
    return b == 1 ? value_int(1) : truth(a < b ? a : b);
}

static Value eval_between(const Expr *e, Frame *f) {
    Value v = arg(e, 0, f);
    int low = compare_with(v, e->args[1], f), high = compare_with(v, e->args[2], f);
    if (low < 0 || high == 1)
        return value_int(0);
    return truth(low == UNKNOWN || high == UNKNOWN ? -1 : 1);
}

static Value eval_in(const Expr *e, Frame *f) {
    Value v = arg(e, 0, f);
    int result = 0;
    for (size_t i = 1; i < e->count; i++) {
        int order = compare_with(v, e->args[i], f);
        if (order == 0)
            return value_int(1);
        if (order == UNKNOWN)
            result = -1;
    }
    return truth(result);
}

/* CASE and, where there is a value to compare with, SWITCH. */
static Value eval_case(const Expr *e, Frame *f) {
    bool compares = e->op == E_SWITCH;
    Value v = compares ? arg(e, 0, f) : value_null();
    size_t i = compares;
    for (; i + 1 < e->count; i += 2) {
        if (compares ? compare_with(v, e->args[i], f) == 0
                     : value_truth(arg(e, i, f)) == 1)
            return arg(e, i + 1, f);
    }
    return arg(e, i, f);
}

/* ---- leaves ---- */

static Value eval_constant(const Expr *e, Frame *f) {
    (void)f;
    return e->value;
}

static Value eval_column(const Expr *e, Frame *f) {
    return f->row[e->source][e->index];
}

static Value eval_key(const Expr *e, Frame *f) {
    return f->keys[e->index];
}

static Value eval_aggregate(const Expr *e, Frame *f) {
    return f->results[e->index];
}

static Value eval_plus(const Expr *e, Frame *f) {
    return arg(e, 0, f);
}

/* ---- functions ---- */

static Value call_length(const Expr *e, Frame *f) {
    Value v = arg(e, 0, f);
    if (v.type == V_NULL)
        return v;
    return value_int(count_characters(to_text(v, f)));
}

/* Letters are those of ASCII, as no locale is set. */
static Value change_case(const Expr *e, Frame *f, int change(int letter)) {
    Value v = text_arg(e, 0, f);
    if (v.type == V_NULL)
        return v;
    char *text = new_text(e, f, v.length);
    for (size_t i = 0; i < v.length; i++)
        text[i] = (char)change((unsigned char)v.s[i]);
    return value_text(text, v.length);
}

static Value call_upper(const Expr *e, Frame *f) {
    return change_case(e, f, toupper);
}

static Value call_lower(const Expr *e, Frame *f) {
    return change_case(e, f, tolower);
}

/* Characters [from, to) of a text; either end may lie outside. */
static Value slice(Value v, int64_t from, int64_t to) {
    size_t at = 0;
    int64_t n = 0;
    for (; n < from && at < v.length; n++)
        at = next_character(v, at);
    size_t start = at;
    for (; n < to && at < v.length; n++)
        at = next_character(v, at);
    return value_text(v.s + start, at - start);
}

static int64_t int32_of(Value v) {
    int64_t i = value_to_int(v);
    return i > INT32_MAX ? INT32_MAX : i < -INT32_MAX ? -INT32_MAX : i;
}

/* substr(text, first[, count]): characters are numbered from 1, or from -1 backwards;
   number 0 stands before the first; a negative count means those before `first`. */
static Value call_substr(const Expr *e, Frame *f) {
    Value v = text_arg(e, 0, f), first = arg(e, 1, f);
    Value length = e->count == 3 ? arg(e, 2, f) : value_int(INT32_MAX);
    if (v.type == V_NULL || first.type == V_NULL || length.type == V_NULL)
        return value_null();
    int64_t from = int32_of(first), count = int32_of(length);
    from = from < 0 ? count_characters(v) + from : from - 1;
    if (e->count == 2)
        return slice(v, from, INT64_MAX);
    return count < 0 ? slice(v, from + count, from) : slice(v, from, from + count);
}

static Value call_abs(const Expr *e, Frame *f) {
    Value v = arg(e, 0, f);
    if (v.type == V_NULL)
        return v;
    if (v.type != V_INT)
        return value_real(fabs(value_to_real(v)));
    if (v.i == INT64_MIN)
        fail(f->scratch->err, NULL, e->at, "integer overflow");
    return value_int(v.i < 0 ? -v.i : v.i);
}

/* Half away from zero. As in SQLite, a little is added first, so that 1.005, whose double
   is a bit smaller, becomes 1.01. */
static double round_places(double magnitude, int64_t places) {
    double unit = pow(10, (double)places), scaled = magnitude * unit;
    if (scaled >= 0x1p52)
        return magnitude; /* it has no digits after that place */
    double little = places && scaled < 1e14 ? scaled * 3e-16 : 0;
    return floor(scaled + little + 0.5) / unit;
}

static Value call_round(const Expr *e, Frame *f) {
    Value v = arg(e, 0, f), places = e->count == 2 ? arg(e, 1, f) : value_int(0);
    if (v.type == V_NULL || places.type == V_NULL)
        return value_null();
    int64_t digits = int32_of(places);
    digits = digits < 0 ? 0 : digits > 30 ? 30 : digits;
    double r = value_to_real(v);
    return value_real(copysign(round_places(fabs(r), digits), r));
}

static Value call_coalesce(const Expr *e, Frame *f) {
    Value v = value_null();
    for (size_t i = 0; v.type == V_NULL && i < e->count; i++)
        v = arg(e, i, f);
    return v;
}

/* ---- tables ---- */

const Function *function_find(Text name) {
    static const Function functions[] = {
        {"length", 1, 1, call_length},
        {"upper", 1, 1, call_upper},
        {"lower", 1, 1, call_lower},
        {"substr", 2, 3, call_substr},
        {"abs", 1, 1, call_abs},
        {"round", 1, 2, call_round},
        {"coalesce", 2, SIZE_MAX, call_coalesce},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (text_is(name, functions[i].name))
            return &functions[i];
    }
    return NULL;
}

/* What evaluates an operator; a call is evaluated by its function. */
Eval *eval_of(Op op) {
    // clang-format off
    static Eval *const table[] = {
        [E_CONSTANT] = eval_constant, [E_COLUMN] = eval_column, [E_KEY] = eval_key,
        [E_AGGREGATE] = eval_aggregate, [E_PLUS] = eval_plus, [E_ADD] = eval_add,
        [E_SUB] = eval_sub, [E_MUL] = eval_mul, [E_DIV] = eval_div, [E_REM] = eval_rem,
        [E_CONCAT] = eval_concat, [E_EQ] = eval_compare, [E_NE] = eval_compare,
        [E_LT] = eval_compare, [E_LE] = eval_compare, [E_GT] = eval_compare,
        [E_GE] = eval_compare, [E_IS] = eval_is, [E_NOT] = eval_not, [E_AND] = eval_and,
        [E_OR] = eval_or, [E_LIKE] = eval_like, [E_BETWEEN] = eval_between,
        [E_IN] = eval_in, [E_CASE] = eval_case, [E_SWITCH] = eval_case};
    // clang-format on
    return table[op];
}
