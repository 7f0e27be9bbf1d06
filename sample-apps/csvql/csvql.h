/* csvql: SQL queries over CSV files. What the modules show each other.

   The language is a part of SQLite's and means the same: SELECT [DISTINCT], FROM with
   [INNER] JOIN and LEFT JOIN, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT, OFFSET; + - * / %
   ||, the comparisons, IS, IN (list), BETWEEN, LIKE, AND, OR, NOT; count, sum, avg, min,
   max, each with DISTINCT. There are no subqueries, no other functions and no CASE. It is
   stricter in three ways: a column of a grouped query must be in GROUP BY or in an
   aggregate, text in double quotes is always a name, and ON sees only the tables before
   it. Of a number the first 19 digits count. */
#ifndef CSVQL_H
#define CSVQL_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAX_COLUMNS = 2000,      /* of a table, of a result */
    MAX_DEPTH = 1000,        /* of an expression */
    MAX_SOURCES = 8,         /* tables in one FROM */
    GROUP_ROW = MAX_SOURCES, /* the row that a group is: its keys, then its aggregates */
    NUMBER_SIZE = 32         /* bytes that hold any formatted number */
};

/* ---- value.c: errors, memory, values ---- */

#define NO_PLACE SIZE_MAX

/* What went wrong. Whatever cannot go on calls fail(), which notes it here and jumps to
   the trap, so that no caller has to look whether memory was there or a query made sense.
   Who sets the trap (main.c, the fuzz target) owns all that can be left over: tables,
   arenas and buffers, each of which can be freed at any moment. So between taking
   anything else, such as an open file, and giving it back nothing may fail. Arenas and
   buffers know their Error, and through them all modules do. */
typedef struct Error {
    jmp_buf trap;
    const char *file; /* an error in data, else NULL */
    size_t at;        /* line of the file; offset in the query, or NO_PLACE */
    char text[200];
} Error;

typedef struct Text {
    const char *at;
    size_t length;
} Text;

/* Memory that is given back as a whole. */
typedef struct Arena {
    Error *err;
    struct Chunk *newest; /* NULL: empty */
    size_t used;          /* bytes of the newest chunk */
} Arena;

/* Bytes that grow. */
typedef struct Buffer {
    Error *err;
    char *data;
    size_t size, capacity;
} Buffer;

typedef enum Type { V_NULL, V_INT, V_REAL, V_TEXT } Type;

/* Text is counted, not terminated, and is owned by a table, a query or an arena. */
typedef struct Value {
    Type type;
    uint32_t length; /* bytes of text */
    union {
        int64_t i;
        double r; /* never NaN */
        const char *s;
    };
} Value;

static inline Value value_null(void) {
    return (Value){.type = V_NULL};
}

static inline Value value_int(int64_t i) {
    return (Value){.type = V_INT, .i = i};
}

/* NaN is NULL, as in SQLite. */
static inline Value value_real(double r) {
    return r == r ? (Value){.type = V_REAL, .r = r} : value_null();
}

static inline Value value_text(const char *s, size_t length) {
    return (Value){.type = V_TEXT, .length = (uint32_t)length, .s = s};
}

static inline bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static inline bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The small letter of an ASCII letter. */
static inline char fold(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

_Noreturn void fail(Error *err, const char *file, size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
_Noreturn void fail_memory(Error *err);

void *arena_alloc(Arena *arena, size_t count, size_t size);
void *arena_extend(Arena *arena, void *items, size_t count, size_t size);
void arena_reset(Arena *arena);
void arena_free(Arena *arena);

bool buffer_reserve(Buffer *out, size_t size);
void buffer_append(Buffer *out, const char *data, size_t size);

bool text_same(Text a, Text b);
bool text_is(Text a, const char *b);

Value number_prefix(const char *s, size_t length, size_t *used);
Value value_number(Value v);
Value value_numeric(Value v);
double value_to_real(Value v);
int64_t value_to_int(Value v);
int value_truth(Value v);
int value_compare(Value a, Value b);
uint64_t value_hash(Value v, uint64_t seed);
size_t value_format(Value v, char out[NUMBER_SIZE]);
Value value_keep(Value v, Arena *arena);

/* ---- csv.c: tables from CSV files, results as CSV ---- */

typedef struct Column {
    Text name;
    Type type;           /* V_INT, V_REAL or V_TEXT; a cell has this type or is NULL */
    struct Btree *index; /* NULL: none yet */
} Column;

typedef struct Table {
    const char *file;
    Text name;
    Buffer text; /* the file; cells and column names point into it */
    Buffer rows;
    Column *columns;
    Value *cells; /* those of `rows`, row by row */
    size_t ncolumns, nrows;
    Arena indexes;
} Table;

typedef struct Tables {
    Table *items;
    size_t count;
} Tables;

void file_read(const char *file, Buffer *text);
void table_load(Table *t);
void table_parse(Table *t);
void table_index(Table *t, size_t column);
void table_drop_indexes(Table *t);
void table_free(Table *t);
void csv_write_row(Buffer *out, const Value *row, size_t count);

/* ---- index.c: order and hash ---- */

typedef struct SortKey {
    size_t column;
    bool descending;
} SortKey;

typedef struct Btree Btree;

void sort_rows(const Value **rows, size_t count, const SortKey *keys, size_t nkeys,
               Arena *arena);
Btree *btree_build(const Value *cells, size_t width, size_t count, size_t column,
                   Arena *arena);
size_t btree_count(const Btree *tree);
size_t btree_seek(const Btree *tree, Value key, bool after);
const Value *btree_row(const Btree *tree, size_t place);

/* A set of tuples of `width` values, numbered as they come. It copies their text. */
typedef struct Set {
    Arena *arena;
    Value *tuples; /* count * width */
    uint64_t *hashes;
    uint32_t *slots; /* tuple number + 1, 0 for free */
    size_t width, count, capacity;
} Set;

bool set_add(Set *set, const Value *tuple, size_t *number);

/* ---- parse.c: SQL text to syntax tree ---- */

/* BETWEEN: value, low, high; IN: value, items… */
typedef enum Op {
    E_CONSTANT,
    E_STAR,
    E_NAME,
    E_COLUMN,
    E_AGGREGATE,
    E_ADD,
    E_SUB,
    E_MUL,
    E_DIV,
    E_REM,
    E_CONCAT,
    E_EQ,
    E_NE,
    E_LT,
    E_LE,
    E_GT,
    E_GE,
    E_IS,
    E_NOT,
    E_AND,
    E_OR,
    E_LIKE,
    E_BETWEEN,
    E_IN
} Op;

/* How an operand takes part in a comparison: as it is, as a number, as text. */
typedef enum Affinity { A_NONE, A_NUMERIC, A_TEXT } Affinity;

typedef struct Expr Expr;
typedef struct Frame Frame;
typedef Value Eval(const Expr *e, Frame *frame);

struct Expr {
    Eval *eval;       /* plan.c sets this and all before `height` */
    bool aggregates;  /* there are some in it */
    uint32_t sources; /* bit set of the tables it reads */
    Affinity affinity;
    Affinity convert;     /* of a right operand: of it and of what it is compared with */
    size_t source, index; /* E_COLUMN: row and value; E_AGGREGATE: its number */
    unsigned height;
    Op op;
    bool distinct; /* E_AGGREGATE */
    Value value;   /* E_CONSTANT */
    Expr **args;
    size_t count;
    Text qualifier, name; /* E_NAME, E_STAR, E_AGGREGATE */
    size_t at;            /* offset in the query */
};

typedef struct Item {
    Expr *expr;
    Text name; /* alias, or the text of the expression */
    bool alias;
} Item;

typedef struct Source {
    Text table, name;
    size_t at;
    bool left;
    Expr *on;
} Source;

typedef struct Order {
    Expr *expr;
    bool descending;
} Order;

typedef struct Select {
    bool distinct;
    Item *items;
    Source *sources;
    Expr *where;
    Expr **groups;
    Expr *having;
    Order *orders;
    size_t nitems, nsources, ngroups, norders;
    int64_t limit, offset; /* limit: negative for none */
} Select;

Select *parse_statement(Text sql, size_t *at, Arena *arena);

/* ---- eval.c: what expressions do ---- */

struct Frame {
    const Value *row[MAX_SOURCES + 1]; /* of each table; GROUP_ROW */
    Arena *scratch;                    /* lasts for one row */
};

Eval *eval_of(Op op);
Value value_convert(Value v, Affinity to, Frame *frame);

/* ---- plan.c: names, types, access paths ---- */

typedef struct State {
    int64_t count, sum;
    double real_sum;
    bool inexact, overflow; /* of `sum` */
    Value best;
    Set seen; /* for DISTINCT; text that outlasts its row goes to its arena */
} State;

typedef struct AggregateKind {
    const char *name;
    void (*step)(State *s, Value v);
    Value (*result)(const State *s);
} AggregateKind;

typedef struct Aggregate {
    const AggregateKind *kind;
    const Expr *call; /* its argument is args[0]; count(*) has none */
} Aggregate;

/* One end of an index range: the place before or after the entries equal to the value. */
typedef struct Bound {
    const Expr *expr; /* NULL: open */
    Affinity convert;
    bool after;
} Bound;

typedef struct Filters {
    const Expr **items;
    size_t count;
} Filters;

typedef struct Level {
    Table *table;
    bool left;
    bool indexed;
    size_t column; /* of the index */
    Bound low, high;
    Filters on;      /* LEFT JOIN: what makes a row match */
    Filters filters; /* what a row, or the row of NULLs, must pass then */
    Value *nulls;
} Level;

typedef struct Plan {
    Level levels[MAX_SOURCES];
    size_t nlevels;
    Filters constants; /* conditions that read no table */
    const Expr **outputs;
    Value *names;
    size_t nvisible, noutputs; /* the rest of outputs is only sorted by */
    SortKey *sort;             /* by outputs */
    size_t nsort;
    bool grouped, distinct;
    const Expr **groups;
    Aggregate *aggregates;
    size_t ngroups, naggregates;
    const Expr *having;
    int64_t limit, offset;
} Plan;

Plan *plan_select(Select *select, const Tables *tables, Arena *arena);

/* ---- exec.c: running plans ---- */

const AggregateKind *aggregate_find(Text name);

void run_script(Text sql, const Tables *tables, bool header, Arena *arena, Arena *scratch,
                Buffer *out);

#endif
