/* SQL text to syntax tree: a lexer, and a parser by operator precedence.

   Inside the parser a NULL expression is one that failed: the error has been noted, and
   whoever gets a NULL operand returns NULL. */
#include "csvql.h"

#include <stdio.h>
#include <string.h>

/* ---- tokens ---- */

typedef enum Token { T_BAD, T_END, T_NAME, T_STRING, T_NUMBER, T_FIXED } Token;

/* T_FIXED tokens are known by their text. Longer symbols come first. */
static const char *const symbols[] = {"||", "<=", "<>", ">=", "!=", "==", "=",
                                      "<",  ">",  "+",  "-",  "*",  "/",  "%",
                                      "(",  ")",  ",",  ".",  ";"};
static const char *const keywords[] = {
    "AND",  "AS",    "ASC",   "BETWEEN", "BY",     "CASE", "DESC",   "DISTINCT",
    "ELSE", "END",   "FROM",  "GROUP",   "HAVING", "IN",   "INNER",  "IS",
    "JOIN", "LEFT",  "LIKE",  "LIMIT",   "NOT",    "NULL", "OFFSET", "ON",
    "OR",   "ORDER", "OUTER", "SELECT",  "THEN",   "WHEN", "WHERE"};

enum {
    SYMBOLS = sizeof symbols / sizeof *symbols,
    KEYWORDS = sizeof keywords / sizeof *keywords
};

typedef struct Parser {
    Text sql;
    Token token; /* the current one, sql[at, end) */
    size_t at, end;
    size_t previous_end;
    Text text; /* that of the token; of a T_NAME or T_STRING without quotes */
    unsigned depth;
    Arena *arena;
    Error *err;
    bool failed;
} Parser;

/* The first error is the one to report. */
static void stop(Parser *p, size_t at, const char *what) {
    if (!p->failed)
        fail(p->err, at, "%s", what);
    p->failed = true;
    p->token = T_BAD;
}

static void stop_memory(Parser *p) {
    stop(p, NO_PLACE, "out of memory");
}

static char peek(const Parser *p, size_t at) {
    return at < p->sql.length ? p->sql.at[at] : '\0';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static size_t skip_comment(const Parser *p, size_t at) {
    bool line = peek(p, at) == '-';
    for (at += 2; at < p->sql.length; at++) {
        if (line && peek(p, at) == '\n')
            return at + 1;
        if (!line && peek(p, at) == '*' && peek(p, at + 1) == '/')
            return at + 2;
    }
    return at;
}

static size_t skip_space(const Parser *p, size_t at) {
    for (;;) {
        char c = peek(p, at), next = peek(p, at + 1);
        if (c == ' ' || (c >= '\t' && c <= '\r'))
            at++;
        else if ((c == '-' && next == '-') || (c == '/' && next == '*'))
            at = skip_comment(p, at);
        else
            return at;
    }
}

static Token lex_name(Parser *p) {
    do
        p->end++;
    while (is_name_start(peek(p, p->end)) || is_digit(peek(p, p->end)));
    p->text = (Text){p->sql.at + p->at, p->end - p->at};
    for (size_t i = 0; i < KEYWORDS; i++) {
        if (text_is(p->text, keywords[i]))
            return T_FIXED;
    }
    return T_NAME;
}

static Token lex_number(Parser *p) {
    while (is_digit(peek(p, p->end)))
        p->end++;
    if (peek(p, p->end) == '.')
        p->end++;
    while (is_digit(peek(p, p->end)))
        p->end++;
    char next = peek(p, p->end + 1);
    if (peek(p, p->end) == 'e' || peek(p, p->end) == 'E') {
        if (is_digit(next) ||
            ((next == '+' || next == '-') && is_digit(peek(p, p->end + 2))))
            p->end += 2;
    }
    while (is_digit(peek(p, p->end)))
        p->end++;
    if (is_name_start(peek(p, p->end)))
        stop(p, p->at, "malformed number");
    return p->failed ? T_BAD : T_NUMBER;
}

/* Copies text in quotes, halving the doubled ones. */
static void unquote(Parser *p, size_t from, size_t to, char quote) {
    char *copy = arena_alloc(p->arena, to - from, 1);
    if (!copy) {
        stop_memory(p);
        return;
    }
    p->text = (Text){copy, 0};
    for (size_t i = from; i < to; i++) {
        copy[p->text.length++] = peek(p, i);
        i += peek(p, i) == quote;
    }
}

static Token lex_quoted(Parser *p, char quote) {
    bool doubled = false;
    for (p->end++;; p->end++) {
        char c = peek(p, p->end);
        if (c == '\0') {
            stop(p, p->at,
                 p->end < p->sql.length ? "NUL byte in quotes" : "missing end quote");
            return T_BAD;
        }
        if (c == quote && peek(p, p->end + 1) != quote)
            break;
        if (c == quote) {
            doubled = true;
            p->end++;
        }
    }
    p->end++;
    p->text = (Text){p->sql.at + p->at + 1, p->end - p->at - 2};
    if (doubled)
        unquote(p, p->at + 1, p->end - 1, quote);
    return p->failed ? T_BAD : quote == '"' ? T_NAME : T_STRING;
}

static Token lex_symbol(Parser *p) {
    for (size_t i = 0; i < SYMBOLS; i++) {
        const char *s = symbols[i];
        if (peek(p, p->at) == s[0] && (!s[1] || peek(p, p->at + 1) == s[1])) {
            p->text = (Text){s, strlen(s)};
            p->end += p->text.length;
            return T_FIXED;
        }
    }
    stop(p, p->at, "unexpected character");
    return T_BAD;
}

static void advance(Parser *p) {
    if (p->failed)
        return;
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

static void unexpected(Parser *p, const char *wanted) {
    char what[120];
    size_t length = p->end - p->at;
    if (p->token == T_END)
        snprintf(what, sizeof what, "expected %s, found the end", wanted);
    else
        snprintf(what, sizeof what, "expected %s, found %.*s%s", wanted,
                 (int)(length > 40 ? 40 : length), p->sql.at + p->at,
                 length > 40 ? "…" : "");
    stop(p, p->at, what);
}

static bool expect(Parser *p, const char *text) {
    if (!is(p, text))
        unexpected(p, text);
    return accept(p, text);
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
    Expr *e = p->failed ? NULL : arena_alloc(p->arena, 1, sizeof *e);
    if (!e) /* which does not hide an earlier error */
        stop_memory(p);
    else
        *e = (Expr){.op = op, .at = at, .height = 1};
    return e;
}

/* Appends an argument; gives the expression back. */
static Expr *with(Parser *p, Expr *e, Expr *arg) {
    if (!e || !arg)
        return NULL;
    Expr **args = arena_extend(p->arena, e->args, e->count, sizeof(Expr *));
    if (!args) {
        stop_memory(p);
        return NULL;
    }
    e->args = args;
    e->args[e->count++] = arg;
    if (arg->height >= e->height)
        e->height = arg->height + 1;
    if (e->height > MAX_DEPTH)
        stop(p, e->at, "expression is too deep");
    return p->failed ? NULL : e;
}

static Expr *unary(Parser *p, Op op, size_t at, Expr *arg) {
    return with(p, new_expr(p, op, at), arg);
}

static Expr *binary(Parser *p, Op op, size_t at, Expr *left, Expr *right) {
    return with(p, with(p, new_expr(p, op, at), left), right);
}

static Expr *constant(Parser *p, size_t at, Value v) {
    Expr *e = new_expr(p, E_CONSTANT, at);
    if (e)
        e->value = v;
    return e;
}

/* The number that is the current token, with its sign if the text is taken from there. */
static Expr *number(Parser *p, size_t from) {
    bool whole;
    Value v = number_prefix(p->sql.at + from, p->end - from, &whole);
    advance(p);
    return constant(p, from, v);
}

static Expr *string(Parser *p) {
    size_t at = p->at;
    Text text = p->text;
    if (text.length > UINT32_MAX)
        stop(p, at, "string is too long");
    advance(p);
    return constant(p, at, value_text(text.at, text.length));
}

/* A list of expressions up to a closing parenthesis, as more arguments of `e`. */
static Expr *list(Parser *p, Expr *e) {
    if (accept(p, ")"))
        return e;
    do
        e = with(p, e, expression(p, BIND_OR));
    while (e && accept(p, ","));
    expect(p, ")");
    return p->failed ? NULL : e;
}

static Expr *call(Parser *p, Text name, size_t at) {
    Expr *e = new_expr(p, E_CALL, at);
    if (!e)
        return NULL;
    e->name = name;
    e->distinct = accept(p, "DISTINCT");
    at = p->at;
    if (!accept(p, "*"))
        return list(p, e);
    e = with(p, e, new_expr(p, E_STAR, at));
    return expect(p, ")") ? e : NULL;
}

/* A column, a table's column, a table's columns, or a function call. */
static Expr *name(Parser *p) {
    size_t at = p->at;
    Text first = p->text;
    advance(p);
    if (accept(p, "("))
        return call(p, first, at);
    Expr *e = new_expr(p, E_NAME, at);
    if (!e)
        return NULL;
    e->name = first;
    if (!accept(p, "."))
        return e;
    e->qualifier = first;
    if (accept(p, "*"))
        e->op = E_STAR;
    else
        e->name = expect_name(p, "a column name");
    return p->failed ? NULL : e;
}

static Expr *case_expression(Parser *p) {
    size_t at = p->at;
    advance(p);
    bool plain = is(p, "WHEN");
    Expr *e = new_expr(p, plain ? E_CASE : E_SWITCH, at);
    if (!plain)
        e = with(p, e, expression(p, BIND_OR));
    do {
        expect(p, "WHEN");
        e = with(p, e, expression(p, BIND_OR));
        expect(p, "THEN");
        e = with(p, e, expression(p, BIND_OR));
    } while (e && is(p, "WHEN"));
    if (accept(p, "ELSE"))
        e = with(p, e, expression(p, BIND_OR));
    else
        e = with(p, e, constant(p, at, value_null()));
    expect(p, "END");
    return p->failed ? NULL : e;
}

static Expr *signed_expression(Parser *p) {
    size_t at = p->at;
    bool negative = is(p, "-");
    advance(p);
    if (negative && p->token == T_NUMBER && p->at == at + 1)
        return number(p, at); /* so that -9223372036854775808 is an integer */
    Expr *e = expression(p, BIND_SIGN);
    return negative ? binary(p, E_SUB, at, constant(p, at, value_int(0)), e)
                    : unary(p, E_PLUS, at, e);
}

static Expr *operand(Parser *p) {
    size_t at = p->at;
    if (p->token == T_NAME)
        return name(p);
    if (p->token == T_NUMBER)
        return number(p, at);
    if (p->token == T_STRING)
        return string(p);
    if (is(p, "+") || is(p, "-"))
        return signed_expression(p);
    if (is(p, "CASE"))
        return case_expression(p);
    if (accept(p, "NULL"))
        return constant(p, at, value_null());
    if (accept(p, "NOT"))
        return unary(p, E_NOT, at, expression(p, BIND_NOT));
    if (!accept(p, "("))
        unexpected(p, "an expression");
    Expr *e = expression(p, BIND_OR);
    return expect(p, ")") ? e : NULL;
}

static Expr *between(Parser *p, Expr *left, size_t at) {
    Expr *e = with(p, new_expr(p, E_BETWEEN, at), left);
    e = with(p, e, expression(p, BIND_EQUALITY));
    expect(p, "AND");
    return with(p, e, expression(p, BIND_ORDER));
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
    Expr *e;
    if (op == E_BETWEEN)
        e = between(p, left, at);
    else if (op == E_IN)
        e = expect(p, "(") ? list(p, with(p, new_expr(p, E_IN, at), left)) : NULL;
    else {
        negated |= op == E_IS && accept(p, "NOT");
        e = binary(p, op, at, left, expression(p, operator->binding + 1));
    }
    return negated ? unary(p, E_NOT, at, e) : e;
}

/* An expression of operators that bind at least as tightly as `least`. */
static Expr *expression(Parser *p, int least) {
    if (p->depth == MAX_DEPTH) {
        stop(p, p->at, "expression is too deep");
        return NULL;
    }
    p->depth++;
    Expr *e = operand(p);
    for (const Infix *next; e && (next = find_infix(p))->binding >= least;)
        e = infix(p, e, next);
    p->depth--;
    return e;
}

/* ---- statements ---- */

static void *extend(Parser *p, void *items, size_t count, size_t size) {
    void *extended = arena_extend(p->arena, items, count, size);
    if (!extended)
        stop_memory(p);
    return extended;
}

/* [AS] name, if there is one. */
static bool alias(Parser *p, Text *name) {
    if (!accept(p, "AS") && p->token != T_NAME)
        return false;
    *name = expect_name(p, "a name");
    return true;
}

static void select_item(Parser *p, Select *s) {
    Item item = {0};
    size_t at = p->at;
    if (accept(p, "*"))
        item.expr = new_expr(p, E_STAR, at);
    else
        item.expr = expression(p, BIND_OR);
    item.name = (Text){p->sql.at + at, p->previous_end - at};
    item.alias = alias(p, &item.name);
    s->items = extend(p, s->items, s->nitems, sizeof item);
    if (!p->failed)
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
    s->sources = extend(p, s->sources, s->nsources, sizeof source);
    if (!p->failed)
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
    return expect(p, "JOIN");
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
        Expr *e = expression(p, BIND_OR);
        s->groups = extend(p, s->groups, s->ngroups, sizeof(Expr *));
        if (p->failed)
            return;
        s->groups[s->ngroups++] = e;
    } while (accept(p, ","));
}

static void order_by(Parser *p, Select *s) {
    expect(p, "BY");
    do {
        Order order = {.expr = expression(p, BIND_OR)};
        order.descending = accept(p, "DESC");
        if (!order.descending)
            accept(p, "ASC");
        s->orders = extend(p, s->orders, s->norders, sizeof order);
        if (p->failed)
            return;
        s->orders[s->norders++] = order;
    } while (accept(p, ","));
}

static int64_t integer(Parser *p) {
    bool negative = accept(p, "-"), whole;
    Value v = value_null();
    if (p->token == T_NUMBER)
        v = number_prefix(p->sql.at + p->at, p->end - p->at, &whole);
    if (v.type != V_INT)
        unexpected(p, "an integer");
    advance(p);
    return p->failed ? 0 : negative ? -v.i : v.i;
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

/* Parses the statement at sql[*at] and moves *at behind it; *select is NULL if none is
   left. The tree refers to the SQL text. */
bool parse_statement(Text sql, size_t *at, Arena *arena, Select **select, Error *err) {
    Parser p = {.sql = sql, .end = *at, .arena = arena, .err = err};
    *select = NULL;
    do
        advance(&p);
    while (is(&p, ";"));
    if (p.token == T_END)
        return true;
    Select *s = arena_alloc(arena, 1, sizeof *s);
    if (!s)
        return fail_memory(err);
    *s = (Select){.limit = -1};
    if (expect(&p, "SELECT"))
        select_statement(&p, s);
    *at = p.end;
    *select = s;
    return !p.failed;
}
