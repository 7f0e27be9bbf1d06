/* What expressions do: operators and functions, each a function that a node points to. */
#include "csvql.h"

#include <string.h>

enum { UNKNOWN = 2 /* an order, beside -1, 0 and 1 */ };

static inline Value arg(const Expr *e, size_t i, Frame *f) {
    return e->args[i]->eval(e->args[i], f);
}

static Value truth(int t) {
    return t < 0 ? value_null() : value_int(t);
}

/* ---- text ---- */

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
    return to == A_NUMERIC ? value_numeric(v) : v;
}

static Value eval_concat(const Expr *e, Frame *f) {
    Value a = text_arg(e, 0, f), b = text_arg(e, 1, f);
    if (a.type == V_NULL || b.type == V_NULL)
        return value_null();
    size_t length = (size_t)a.length + b.length;
    if (length > UINT32_MAX)
        fail(f->scratch->err, NULL, e->at, "text of more than 4 GiB");
    char *text = arena_alloc(f->scratch, length, 1);
    memcpy(text, a.s, a.length);
    memcpy(text + a.length, b.s, b.length);
    return value_text(text, length);
}

/* The offset after the character at `at`. Like SQLite, this takes any text for UTF-8: a
   byte from 0xC0 on is followed by all continuation bytes there are. */
static size_t next_character(Value v, size_t at) {
    bool more = (unsigned char)v.s[at++] >= 0xc0;
    while (more && at < v.length && ((unsigned char)v.s[at] & 0xc0) == 0x80)
        at++;
    return at;
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

/* AND is settled by a false operand, OR by a true one. */
static Value eval_logic(const Expr *e, Frame *f) {
    int settled = e->op == E_OR;
    int a = value_truth(arg(e, 0, f));
    if (a == settled)
        return value_int(settled);
    int b = value_truth(arg(e, 1, f));
    return b == settled ? value_int(settled) : truth(a < b ? a : b);
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

/* ---- leaves ---- */

static Value eval_constant(const Expr *e, Frame *f) {
    (void)f;
    return e->value;
}

static Value eval_column(const Expr *e, Frame *f) {
    return f->row[e->source][e->index];
}

/* What evaluates an operator. */
Eval *eval_of(Op op) {
    // clang-format off
    static Eval *const table[] = {
        [E_CONSTANT] = eval_constant, [E_COLUMN] = eval_column, [E_ADD] = eval_add,
        [E_SUB] = eval_sub, [E_MUL] = eval_mul, [E_DIV] = eval_div, [E_REM] = eval_rem,
        [E_CONCAT] = eval_concat, [E_EQ] = eval_compare, [E_NE] = eval_compare,
        [E_LT] = eval_compare, [E_LE] = eval_compare, [E_GT] = eval_compare,
        [E_GE] = eval_compare, [E_IS] = eval_is, [E_NOT] = eval_not,
        [E_AND] = eval_logic, [E_OR] = eval_logic, [E_LIKE] = eval_like,
        [E_BETWEEN] = eval_between, [E_IN] = eval_in};
    // clang-format on
    return table[op];
}
