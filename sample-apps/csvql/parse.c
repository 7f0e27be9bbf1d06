/* SQL text to syntax tree: a lexer, and a parser by operator precedence. */
#include "csvql.h"

#include <string.h>

/* ---- tokens ---- */

typedef enum Token { T_END, T_NAME, T_STRING, T_NUMBER, T_FIXED } Token;

/* T_FIXED tokens are known by their text. Longer symbols come first. */
static const char *const symbols[] = {"||", "<=", "<>", ">=", "!=", "==", "=",
                                      "<",  ">",  "+",  "-",  "*",  "/",  "%",
                                      "(",  ")",  ",",  ".",  ";"};
static const char *const keywords[] = {
    "AND",  "AS",    "ASC",    "BETWEEN", "BY",    "DESC",   "DISTINCT",
    "FROM", "GROUP", "HAVING", "IN",      "INNER", "IS",     "JOIN",
    "LEFT", "LIKE",  "LIMIT",  "NOT",     "NULL",  "OFFSET", "ON",
    "OR",   "ORDER", "OUTER",  "SELECT",  "WHERE"};

typedef struct Parser {
    Text sql;
    Token token; /* the current one, sql[at, end) */
    size_t at, end;
    size_t previous_end;
    Text text; /* that of the token; of a T_NAME or T_STRING without quotes */
    unsigned depth;
    Arena *arena;
} Parser;

_Noreturn static void stop(const Parser *p, size_t at, const char *what) {
    fail(p->arena->err, NULL, at, "%s", what);
}

static char peek(const Parser *p, size_t at) {
    return at < p->sql.length ? p->sql.at[at] : '\0';
}

static bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Skips white space and comments, which go from -- to the end of the line. */
static size_t skip_space(const Parser *p, size_t at) {
    for (;; at++) {
        if (peek(p, at) == '-' && peek(p, at + 1) == '-') {
            while (at < p->sql.length && peek(p, at) != '\n')
                at++;
        }
        if (!is_space(peek(p, at)))
            return at;
    }
}

static Token lex_name(Parser *p) {
    do
        p->end++;
    while (is_name_start(peek(p, p->end)) || is_digit(peek(p, p->end)));
    p->text = (Text){p->sql.at + p->at, p->end - p->at};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (text_is(p->text, keywords[i]))
            return T_FIXED;
    }
    return T_NAME;
}

static Token lex_number(Parser *p) {
    size_t length;
    number_prefix(p->sql.at + p->at, p->sql.length - p->at, &length);
    p->end += length;
    if (is_name_start(peek(p, p->end)))
        stop(p, p->at, "malformed number");
    return T_NUMBER;
}

/* A name or a string: copies what is in quotes, halving doubled ones. */
static Token lex_quoted(Parser *p, char quote) {
    for (p->end++; peek(p, p->end) != quote || peek(p, p->end + 1) == quote; p->end++) {
        if (p->end >= p->sql.length)
            stop(p, p->at, "missing end quote");
        if (peek(p, p->end) == '\0')
            stop(p, p->at, "NUL byte in quotes");
        p->end += peek(p, p->end) == quote;
    }
    char *copy = arena_alloc(p->arena, p->end - p->at, 1);
    p->text = (Text){copy, 0};
    for (size_t i = p->at + 1; i < p->end; i++) {
        copy[p->text.length++] = peek(p, i);
        i += peek(p, i) == quote;
    }
    p->end++;
    return quote == '"' ? T_NAME : T_STRING;
}

static Token lex_symbol(Parser *p) {
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        const char *s = symbols[i];
        if (peek(p, p->at) == s[0] && (!s[1] || peek(p, p->at + 1) == s[1])) {
            p->text = (Text){s, strlen(s)};
            p->end += p->text.length;
            return T_FIXED;
        }
    }
    stop(p, p->at, "unexpected character");
}

static void advance(Parser *p) {
    p->previous_end = p->end;
    p->at = p->end = skip_space(p, p->end);
    char c = peek(p, p->at);
    if (p->at == p->sql.length)
        p->token = T_END;
    else if (is_name_start(c))
        p->token = lex_name(p);
    else if (is_digit(c) || (c == '.' && is_digit(peek(p, p->at + 1))))
        p->token = lex_number(p);
    else if (c == '\'' || c == '"')
        p->token = lex_quoted(p, c);
    else
        p->token = lex_symbol(p);
}

static bool is(const Parser *p, const char *text) {
    return p->token == T_FIXED && text_is(p->text, text);
}

static bool accept(Parser *p, const char *text) {
    if (!is(p, text))
        return false;
    advance(p);
    return true;
}

_Noreturn static void unexpected(const Parser *p, const char *wanted) {
    size_t length = p->end - p->at;
    if (p->token == T_END)
        fail(p->arena->err, NULL, p->at, "expected %s, found the end", wanted);
    fail(p->arena->err, NULL, p->at, "expected %s, found %.*s%s", wanted,
         (int)(length > 40 ? 40 : length), p->sql.at + p->at, length > 40 ? "…" : "");
}

static void expect(Parser *p, const char *text) {
    if (!accept(p, text))
        unexpected(p, text);
}

static Text expect_name(Parser *p, const char *wanted) {
    Text name = p->text;
    if (p->token != T_NAME)
        unexpected(p, wanted);
    advance(p);
    return name;
}

/* ---- expressions ---- */

enum {
    BIND_OR = 1,
    BIND_AND,
    BIND_NOT,
    BIND_EQUALITY,
    BIND_ORDER,
    BIND_SUM,
    BIND_PRODUCT,
    BIND_CONCAT,
    BIND_SIGN
};

typedef struct Infix {
    const char *text;
    int binding;
    Op op;
} Infix;

/* NOT as an infix begins NOT IN, NOT LIKE, NOT BETWEEN. The last one is for all else. */
static const Infix infixes[] = {
    {"OR", BIND_OR, E_OR},           {"AND", BIND_AND, E_AND},
    {"NOT", BIND_EQUALITY, E_NOT},   {"IN", BIND_EQUALITY, E_IN},
    {"LIKE", BIND_EQUALITY, E_LIKE}, {"BETWEEN", BIND_EQUALITY, E_BETWEEN},
    {"IS", BIND_EQUALITY, E_IS},     {"=", BIND_EQUALITY, E_EQ},
    {"==", BIND_EQUALITY, E_EQ},     {"<>", BIND_EQUALITY, E_NE},
    {"!=", BIND_EQUALITY, E_NE},     {"<", BIND_ORDER, E_LT},
    {"<=", BIND_ORDER, E_LE},        {">", BIND_ORDER, E_GT},
    {">=", BIND_ORDER, E_GE},        {"+", BIND_SUM, E_ADD},
    {"-", BIND_SUM, E_SUB},          {"*", BIND_PRODUCT, E_MUL},
    {"/", BIND_PRODUCT, E_DIV},      {"%", BIND_PRODUCT, E_REM},
    {"||", BIND_CONCAT, E_CONCAT},   {"", 0, E_CONSTANT},
};

static const Infix *find_infix(const Parser *p) {
    const Infix *infix = infixes;
    while (infix->binding && !is(p, infix->text))
        infix++;
    return infix;
}

static Expr *expression(Parser *p, int least);

static Expr *new_expr(Parser *p, Op op, size_t at) {
    Expr *e = arena_alloc(p->arena, 1, sizeof *e);
    *e = (Expr){.op = op, .at = at, .height = 1};
    return e;
}

/* Appends an argument; gives the expression back. */
static Expr *with(Parser *p, Expr *e, Expr *arg) {
    e->args = arena_extend(p->arena, e->args, e->count, sizeof(Expr *));
    e->args[e->count++] = arg;
    if (arg->height >= e->height)
        e->height = arg->height + 1;
    if (e->height > MAX_DEPTH)
        stop(p, e->at, "expression is too deep");
    return e;
}

static Expr *unary(Parser *p, Op op, size_t at, Expr *arg) {
    return with(p, new_expr(p, op, at), arg);
}

static Expr *constant(Parser *p, size_t at, Value v) {
    Expr *e = new_expr(p, E_CONSTANT, at);
    e->value = v;
    return e;
}

/* The number that is the current token, with its sign if the text is taken from there. */
static Expr *number(Parser *p, size_t from) {
    size_t used;
    Value v = number_prefix(p->sql.at + from, p->end - from, &used);
    advance(p);
    return constant(p, from, v);
}

static Expr *string(Parser *p) {
    size_t at = p->at;
    Value v = value_text(p->text.at, p->text.length);
    advance(p);
    return constant(p, at, v);
}

/* A list of expressions up to a closing parenthesis, as more arguments of `e`. */
static Expr *list(Parser *p, Expr *e) {
    if (accept(p, ")"))
        return e;
    do
        with(p, e, expression(p, BIND_OR));
    while (accept(p, ","));
    expect(p, ")");
    return e;
}

static Expr *call(Parser *p, Text name, size_t at) {
    Expr *e = new_expr(p, E_AGGREGATE, at);
    e->name = name;
    e->distinct = accept(p, "DISTINCT");
    at = p->at;
    if (!accept(p, "*"))
        return list(p, e);
    expect(p, ")");
    return with(p, e, new_expr(p, E_STAR, at));
}

/* A column, a table's column, a table's columns, or a function call. */
static Expr *name(Parser *p) {
    size_t at = p->at;
    Text first = p->text;
    advance(p);
    if (accept(p, "("))
        return call(p, first, at);
    Expr *e = new_expr(p, E_NAME, at);
    e->name = first;
    if (!accept(p, "."))
        return e;
    e->qualifier = first;
    if (accept(p, "*"))
        e->op = E_STAR;
    else
        e->name = expect_name(p, "a column name");
    return e;
}

/* A number takes a minus in, so that -9223372036854775808 is an integer. */
static Expr *negative(Parser *p) {
    size_t at = p->at;
    advance(p);
    if (p->token == T_NUMBER && p->at == at + 1)
        return number(p, at);
    Expr *zero = constant(p, at, value_int(0));
    return with(p, unary(p, E_SUB, at, zero), expression(p, BIND_SIGN));
}

static Expr *operand(Parser *p) {
    size_t at = p->at;
    if (p->token == T_NAME)
        return name(p);
    if (p->token == T_NUMBER)
        return number(p, at);
    if (p->token == T_STRING)
        return string(p);
    if (is(p, "-"))
        return negative(p);
    if (accept(p, "NULL"))
        return constant(p, at, value_null());
    if (accept(p, "NOT"))
        return unary(p, E_NOT, at, expression(p, BIND_NOT));
    if (!accept(p, "("))
        unexpected(p, "an expression");
    Expr *e = expression(p, BIND_OR);
    expect(p, ")");
    return e;
}

/* The rest of an infix expression whose operator is the current token. */
static Expr *infix(Parser *p, Expr *left, const Infix *operator) {
    size_t at = p->at;
    bool negated = accept(p, "NOT");
    if (negated)
        operator = find_infix(p);
    Op op = operator->op;
    if (negated && op != E_IN && op != E_LIKE && op != E_BETWEEN)
        unexpected(p, "IN, LIKE or BETWEEN");
    advance(p);
    Expr *e = unary(p, op, at, left);
    if (op == E_IN) {
        expect(p, "(");
        list(p, e);
    } else if (op == E_BETWEEN) {
        with(p, e, expression(p, BIND_EQUALITY));
        expect(p, "AND");
        with(p, e, expression(p, BIND_ORDER));
    } else {
        negated |= op == E_IS && accept(p, "NOT");
        with(p, e, expression(p, operator->binding + 1));
    }
    return negated ? unary(p, E_NOT, at, e) : e;
}

/* An expression of operators that bind at least as tightly as `least`. */
static Expr *expression(Parser *p, int least) {
    if (p->depth == MAX_DEPTH)
        stop(p, p->at, "expression is too deep");
    p->depth++;
    Expr *e = operand(p);
    for (const Infix *next; (next = find_infix(p))->binding >= least;)
        e = infix(p, e, next);
    p->depth--;
    return e;
}

/* ---- statements ---- */

/* [AS] name, if there is one. */
static bool alias(Parser *p, Text *name) {
    if (!accept(p, "AS") && p->token != T_NAME)
        return false;
    *name = expect_name(p, "a name");
    return true;
}

static void select_item(Parser *p, Select *s) {
    size_t at = p->at;
    Item item = {accept(p, "*") ? new_expr(p, E_STAR, at) : expression(p, BIND_OR),
                 .name = {p->sql.at + at, 0}};
    item.name.length = p->previous_end - at;
    item.alias = alias(p, &item.name);
    s->items = arena_extend(p->arena, s->items, s->nitems, sizeof item);
    s->items[s->nitems++] = item;
}

static void source(Parser *p, Select *s, bool left) {
    Source source = {.at = p->at, .left = left};
    if (s->nsources == MAX_SOURCES)
        stop(p, p->at, "too many tables");
    source.table = source.name = expect_name(p, "a table name");
    alias(p, &source.name);
    if (s->nsources && accept(p, "ON"))
        source.on = expression(p, BIND_OR);
    s->sources = arena_extend(p->arena, s->sources, s->nsources, sizeof source);
    s->sources[s->nsources++] = source;
}

/* What joins one more table, if anything does. */
static bool join_operator(Parser *p, bool *left) {
    *left = accept(p, "LEFT");
    if (*left)
        accept(p, "OUTER");
    else if (accept(p, ","))
        return true;
    else if (!accept(p, "INNER") && !is(p, "JOIN"))
        return false;
    expect(p, "JOIN");
    return true;
}

static void from(Parser *p, Select *s) {
    bool left = false;
    do
        source(p, s, left);
    while (join_operator(p, &left));
}

static void group_by(Parser *p, Select *s) {
    expect(p, "BY");
    do {
        s->groups = arena_extend(p->arena, s->groups, s->ngroups, sizeof(Expr *));
        s->groups[s->ngroups++] = expression(p, BIND_OR);
    } while (accept(p, ","));
}

static void order_by(Parser *p, Select *s) {
    expect(p, "BY");
    do {
        Order order = {.expr = expression(p, BIND_OR)};
        order.descending = accept(p, "DESC");
        if (!order.descending)
            accept(p, "ASC");
        s->orders = arena_extend(p->arena, s->orders, s->norders, sizeof order);
        s->orders[s->norders++] = order;
    } while (accept(p, ","));
}

static int64_t integer(Parser *p) {
    size_t at = p->at;
    const Expr *e = operand(p);
    if (e->op != E_CONSTANT || e->value.type != V_INT)
        stop(p, at, "expected an integer");
    return e->value.i;
}

static void select_statement(Parser *p, Select *s) {
    s->distinct = accept(p, "DISTINCT");
    do
        select_item(p, s);
    while (accept(p, ","));
    if (accept(p, "FROM"))
        from(p, s);
    if (accept(p, "WHERE"))
        s->where = expression(p, BIND_OR);
    if (accept(p, "GROUP"))
        group_by(p, s);
    if (accept(p, "HAVING"))
        s->having = expression(p, BIND_OR);
    if (accept(p, "ORDER"))
        order_by(p, s);
    if (accept(p, "LIMIT")) {
        s->limit = integer(p);
        s->offset = accept(p, "OFFSET") ? integer(p) : 0;
    }
    if (p->token != T_END && !is(p, ";"))
        unexpected(p, "a clause, ';' or the end");
}

/* Parses the statement at sql[*at] and moves *at behind it; NULL if none is left. The
   tree refers to the SQL text. */
Select *parse_statement(Text sql, size_t *at, Arena *arena) {
    Parser p = {.sql = sql, .end = *at, .arena = arena};
    do
        advance(&p);
    while (is(&p, ";"));
    if (p.token == T_END)
        return NULL;
    Select *s = arena_alloc(arena, 1, sizeof *s);
    *s = (Select){.limit = -1};
    expect(&p, "SELECT");
    select_statement(&p, s);
    *at = p.end;
    return s;
}
