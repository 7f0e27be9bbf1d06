/* From syntax tree to plan: names, types, grouping, and how each table is reached. */
#include "csvql.h"

#include <string.h>

typedef struct Binder {
    Select *select;
    Plan *plan;
    Arena *arena;
    Error *err;
    size_t visible;            /* tables in scope */
    bool aliases;              /* of the select list are in scope */
    const char *no_aggregates; /* the place where they must not be, or NULL */
} Binder;

/* `what` has a "%.*s" for the name. */
static bool refuse_text(Binder *b, size_t at, const char *what, Text name) {
    return fail(b->err, at, what, (int)(name.length > 100 ? 100 : name.length), name.at);
}

static Expr *refuse(Binder *b, const Expr *e, const char *what, Text name) {
    refuse_text(b, e->at, what, name);
    return NULL;
}

static Expr *copy(Binder *b, const Expr *e) {
    Expr *c = arena_alloc(b->arena, 1, sizeof *c);
    if (c)
        *c = *e;
    else
        fail_memory(b->err);
    return c;
}

/* ---- types ---- */

/* The affinity of a comparison: numeric if one side is a number column; text if one is a
   text column and the other is no column. */
static Affinity common_affinity(Affinity a, Affinity b) {
    if (a == A_NUMERIC || b == A_NUMERIC)
        return A_NUMERIC;
    return a == b ? A_NONE : A_TEXT;
}

/* The operands that are compared with the first one get its conversion, and theirs. */
static void set_conversions(Expr *e) {
    size_t step = e->op == E_SWITCH ? 2 : 1;
    size_t end = e->op == E_SWITCH ? e->count - 1 : e->count;
    bool compares = (e->op >= E_EQ && e->op <= E_IS) || e->op == E_BETWEEN ||
                    e->op == E_IN || e->op == E_SWITCH;
    for (size_t i = 1; compares && i < end; i += step) {
        Affinity right = e->op == E_IN ? A_NONE : e->args[i]->affinity;
        e->args[i]->convert = common_affinity(e->args[0]->affinity, right);
    }
}

/* Finishes an operator or call whose arguments are bound. */
static Expr *finish(Expr *e) {
    for (size_t i = 0; i < e->count; i++) {
        e->aggregates |= e->args[i]->aggregates;
        e->sources |= e->args[i]->sources;
    }
    set_conversions(e);
    e->eval = e->op == E_CALL ? function_find(e->name)->eval : eval_of(e->op);
    return e;
}

/* ---- names ---- */

static Expr *bind(Binder *b, Expr *e);

static bool bind_args(Binder *b, Expr *e) {
    for (size_t i = 0; i < e->count; i++) {
        if (!(e->args[i] = bind(b, e->args[i])))
            return false;
    }
    return true;
}

static Expr *make_column(Binder *b, Expr *e, size_t source, size_t index) {
    Type type = b->plan->levels[source].table->columns[index].type;
    e->op = E_COLUMN;
    e->eval = eval_of(E_COLUMN);
    e->source = source;
    e->index = index;
    e->sources = 1u << source;
    e->affinity = type == V_TEXT ? A_TEXT : A_NUMERIC;
    return e;
}

static Item *find_alias(const Binder *b, const Expr *e) {
    for (size_t i = 0; b->aliases && e->op == E_NAME && i < b->select->nitems; i++) {
        Item *item = &b->select->items[i];
        if (item->alias && !e->qualifier.at && text_same(item->name, e->name))
            return item;
    }
    return NULL;
}

static Expr *bind_alias(Binder *b, Expr *e) {
    const Item *item = find_alias(b, e);
    if (!item)
        return refuse(b, e, "no column '%.*s'", e->name);
    if (b->no_aggregates && item->expr->aggregates)
        return refuse(b, e, "'%.*s' is an aggregate, which cannot be used here", e->name);
    return copy(b, item->expr);
}

static Expr *bind_name(Binder *b, Expr *e) {
    size_t found = 0, source = 0, index = 0;
    for (size_t s = 0; s < b->visible; s++) {
        const Table *t = b->plan->levels[s].table;
        if (e->qualifier.at && !text_same(e->qualifier, b->select->sources[s].name))
            continue;
        for (size_t i = 0; i < t->ncolumns; i++) {
            if (text_same(e->name, t->columns[i].name)) {
                found++;
                source = s;
                index = i;
            }
        }
    }
    if (found > 1)
        return refuse(b, e, "column '%.*s' is in more than one table", e->name);
    return found ? make_column(b, e, source, index) : bind_alias(b, e);
}

static bool same_expr(const Expr *a, const Expr *b) {
    if (a->op != b->op || a->count != b->count || a->distinct != b->distinct ||
        a->source != b->source || a->index != b->index)
        return false;
    if (a->op == E_CONSTANT)
        return a->value.type == b->value.type && value_compare(a->value, b->value) == 0;
    if ((a->op == E_CALL || a->op == E_AGGREGATE) && !text_same(a->name, b->name))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!same_expr(a->args[i], b->args[i]))
            return false;
    }
    return true;
}

/* The number of an aggregate; equal ones are computed once. */
static bool add_aggregate(Binder *b, Expr *e, const AggregateKind *kind) {
    Plan *p = b->plan;
    for (e->index = 0; e->index < p->naggregates; e->index++) {
        if (same_expr(p->aggregates[e->index].call, e))
            return true;
    }
    p->aggregates = arena_extend(b->arena, p->aggregates, e->index, sizeof(Aggregate));
    if (!p->aggregates)
        return fail_memory(b->err);
    p->aggregates[p->naggregates++] = (Aggregate){kind, e};
    return true;
}

static Expr *bind_aggregate(Binder *b, Expr *e, const AggregateKind *kind) {
    const char *outer = b->no_aggregates;
    if (outer)
        return refuse(b, e, outer, e->name);
    if (e->count != 1)
        return refuse(b, e, "%.*s() takes one argument", e->name);
    if (e->args[0]->op == E_STAR) {
        if (e->distinct)
            return refuse(b, e, "%.*s() with DISTINCT and '*'", e->name);
        if (!text_is(e->name, "count"))
            return refuse(b, e, "%.*s() with '*', which only count() takes", e->name);
        e->count = 0;
    }
    b->no_aggregates = "%.*s() inside an aggregate";
    bool ok = bind_args(b, e);
    b->no_aggregates = outer;
    if (!ok)
        return NULL;
    e->op = E_AGGREGATE;
    e->aggregates = true;
    e->eval = eval_of(E_AGGREGATE);
    return add_aggregate(b, e, kind) ? e : NULL;
}

static Expr *bind_call(Binder *b, Expr *e) {
    const AggregateKind *kind = aggregate_find(e->name);
    if (kind)
        return bind_aggregate(b, e, kind);
    const Function *f = function_find(e->name);
    if (!f)
        return refuse(b, e, "no function '%.*s'", e->name);
    if (e->distinct)
        return refuse(b, e, "DISTINCT in %.*s(), which is no aggregate", e->name);
    if (e->count < f->least || e->count > f->most)
        return refuse(b, e, "wrong number of arguments for %.*s()", e->name);
    return bind_args(b, e) ? finish(e) : NULL;
}

/* Resolves the names in an expression and settles how it is evaluated. */
static Expr *bind(Binder *b, Expr *e) {
    switch (e->op) {
    case E_STAR:
        return refuse(b, e, "'*' is no value%.*s", (Text){"", 0});
    case E_NAME:
        return bind_name(b, e);
    case E_CALL:
        return bind_call(b, e);
    case E_CONSTANT:
        e->eval = eval_of(E_CONSTANT);
        return e;
    default:
        return bind_args(b, e) ? finish(e) : NULL;
    }
}

/* ---- clauses ---- */

static bool bind_source(Binder *b, const Tables *tables, size_t n) {
    const Source *source = &b->select->sources[n];
    Level *level = &b->plan->levels[n];
    level->left = source->left;
    for (size_t i = 0; i < tables->count; i++) {
        if (text_same(tables->items[i].name, source->table))
            level->table = &tables->items[i];
    }
    if (!level->table)
        return refuse_text(b, source->at, "no table '%.*s'", source->table);
    for (size_t i = 0; i < n; i++) {
        if (text_same(b->select->sources[i].name, source->name))
            return refuse_text(b, source->at, "'%.*s' is there twice and needs an alias",
                               source->name);
    }
    size_t size = level->table->ncolumns * sizeof(Value);
    level->nulls = arena_alloc(b->arena, 1, size);
    if (!level->nulls)
        return fail_memory(b->err);
    memset(level->nulls, 0, size);
    b->plan->nlevels++;
    return true;
}

static bool bind_sources(Binder *b, const Tables *tables) {
    for (size_t n = 0; n < b->select->nsources; n++) {
        if (!bind_source(b, tables, n))
            return false;
    }
    return true;
}

static bool add_output(Binder *b, const Expr *e, Text name) {
    Plan *p = b->plan;
    size_t n = p->noutputs;
    if (n == MAX_COLUMNS)
        return fail(b->err, e->at, "more than %d columns", MAX_COLUMNS);
    p->outputs = arena_extend(b->arena, p->outputs, n, sizeof(Expr *));
    p->names = arena_extend(b->arena, p->names, n, sizeof *p->names);
    if (!p->outputs || !p->names)
        return fail_memory(b->err);
    p->outputs[n] = e;
    p->names[n] = value_text(name.at, name.length);
    p->noutputs++;
    return true;
}

/* All columns, or those of one table. */
static bool add_star(Binder *b, const Expr *star) {
    size_t before = b->plan->noutputs;
    for (size_t s = 0; s < b->plan->nlevels; s++) {
        const Table *t = b->plan->levels[s].table;
        if (star->qualifier.at && !text_same(star->qualifier, b->select->sources[s].name))
            continue;
        for (size_t i = 0; i < t->ncolumns; i++) {
            Expr *e = copy(b, star);
            if (e)
                e->name = t->columns[i].name;
            if (!e || !add_output(b, make_column(b, e, s, i), t->columns[i].name))
                return false;
        }
    }
    return b->plan->noutputs > before || fail(b->err, star->at, "no table for '*'");
}

static bool bind_items(Binder *b) {
    for (size_t i = 0; i < b->select->nitems; i++) {
        Item *item = &b->select->items[i];
        if (item->expr->op == E_STAR) {
            if (!add_star(b, item->expr))
                return false;
            continue;
        }
        item->expr = bind(b, item->expr);
        if (!item->expr)
            return false;
        if (item->expr->op == E_COLUMN && !item->alias) {
            const Table *t = b->plan->levels[item->expr->source].table;
            item->name = t->columns[item->expr->index].name;
        }
        if (!add_output(b, item->expr, item->name))
            return false;
    }
    b->plan->nvisible = b->plan->noutputs;
    return true;
}

/* For ORDER BY 2 and GROUP BY 2: the number of the output, or noutputs if it is none. */
static bool find_position(Binder *b, const Expr *e, size_t *output) {
    *output = b->plan->noutputs;
    if (e->op != E_CONSTANT || e->value.type != V_INT)
        return true;
    if (e->value.i < 1 || (uint64_t)e->value.i > b->plan->nvisible)
        return fail(b->err, e->at, "there is no such column in the result");
    *output = (size_t)e->value.i - 1;
    return true;
}

static bool bind_groups(Binder *b) {
    Plan *p = b->plan;
    p->groups = arena_alloc(b->arena, b->select->ngroups, sizeof(Expr *));
    if (!p->groups)
        return fail_memory(b->err);
    b->no_aggregates = "%.*s() in GROUP BY";
    for (; p->ngroups < b->select->ngroups; p->ngroups++) {
        Expr *e = b->select->groups[p->ngroups];
        size_t output;
        if (!find_position(b, e, &output))
            return false;
        const Expr *bound = output < p->noutputs ? p->outputs[output] : bind(b, e);
        if (!bound)
            return false;
        if (bound->aggregates)
            return fail(b->err, e->at, "aggregate in GROUP BY");
        p->groups[p->ngroups] = bound;
    }
    b->no_aggregates = NULL;
    return true;
}

/* The output to sort by, added to those that are not shown if need be. */
static bool sort_output(Binder *b, Expr *e, size_t *output) {
    Plan *p = b->plan;
    const Item *item = find_alias(b, e);
    if (!find_position(b, e, output) || *output < p->noutputs)
        return *output < p->noutputs;
    const Expr *bound = item ? item->expr : bind(b, e);
    if (!bound)
        return false;
    for (*output = 0; *output < p->noutputs; ++*output) {
        if (same_expr(p->outputs[*output], bound))
            return true;
    }
    return add_output(b, bound, (Text){"", 0});
}

static bool bind_orders(Binder *b) {
    Plan *p = b->plan;
    p->sort = arena_alloc(b->arena, b->select->norders, sizeof *p->sort);
    if (!p->sort)
        return fail_memory(b->err);
    for (; p->nsort < b->select->norders; p->nsort++) {
        const Order *order = &b->select->orders[p->nsort];
        p->sort[p->nsort].descending = order->descending;
        if (!sort_output(b, order->expr, &p->sort[p->nsort].output))
            return false;
    }
    return true;
}

/* ---- grouping ---- */

/* The expression over a group instead of a row: what equals a GROUP BY expression becomes
   a key, and no other column may be outside an aggregate. Makes copies, as nodes are
   shared. */
static Expr *regroup(Binder *b, const Expr *e) {
    Expr *c = copy(b, e);
    for (size_t i = 0; c && i < b->plan->ngroups; i++) {
        if (same_expr(e, b->plan->groups[i])) {
            c->op = E_KEY;
            c->eval = eval_of(E_KEY);
            c->index = i;
            return c;
        }
    }
    if (!c || e->op == E_AGGREGATE)
        return c;
    if (e->op == E_COLUMN)
        return refuse(b, e, "column '%.*s' is neither grouped nor aggregated", e->name);
    c->args = arena_alloc(b->arena, e->count, sizeof(Expr *));
    if (!c->args)
        return refuse(b, e, "out of memory%.*s", (Text){"", 0});
    for (size_t i = 0; i < e->count; i++) {
        if (!(c->args[i] = regroup(b, e->args[i])))
            return NULL;
    }
    return c;
}

static bool bind_grouping(Binder *b) {
    Plan *p = b->plan;
    p->grouped = p->ngroups || p->naggregates || p->having;
    if (!p->grouped)
        return true;
    for (size_t i = 0; i < p->noutputs; i++) {
        if (!(p->outputs[i] = regroup(b, p->outputs[i])))
            return false;
    }
    return !p->having || (p->having = regroup(b, p->having));
}

/* ---- conditions and access paths ---- */

static size_t count_levels(uint32_t sources) {
    size_t levels = 0;
    for (; sources; sources >>= 1)
        levels++;
    return levels;
}

/* Splits a condition at AND. Each part goes to the first level that has all it reads;
   what makes rows match in a LEFT JOIN stays at its level, `left`. */
static bool add_conditions(Binder *b, const Expr *e, Level *left) {
    if (e->op == E_AND)
        return add_conditions(b, e->args[0], left) && add_conditions(b, e->args[1], left);
    size_t levels = count_levels(e->sources);
    Filters *f = left     ? &left->on
                 : levels ? &b->plan->levels[levels - 1].filters
                          : &b->plan->constants;
    f->items = arena_extend(b->arena, f->items, f->count, sizeof(Expr *));
    if (!f->items)
        return fail_memory(b->err);
    f->items[f->count++] = e;
    return true;
}

static bool bind_conditions(Binder *b) {
    b->no_aggregates = "%.*s() in ON";
    for (size_t i = 0; i < b->select->nsources; i++) {
        const Source *source = &b->select->sources[i];
        b->visible = i + 1;
        Level *left = source->left ? &b->plan->levels[i] : NULL;
        Expr *on = source->on ? bind(b, source->on) : NULL;
        if (source->on && (!on || !add_conditions(b, on, left)))
            return false;
    }
    b->no_aggregates = "%.*s() in WHERE";
    b->aliases = true;
    Expr *where = b->select->where ? bind(b, b->select->where) : NULL;
    b->no_aggregates = NULL;
    return !b->select->where || (where && add_conditions(b, where, NULL));
}

typedef struct Range {
    size_t column;
    Bound low, high;
} Range;

/* Whether an index on `column` finds what compares with `value`: the value must be known
   before the table's row is, and the column must not need a conversion. */
static bool searchable(const Expr *column, const Expr *value, Affinity convert,
                       size_t source) {
    return column->op == E_COLUMN && column->source == source &&
           value->sources < 1u << source &&
           (convert == A_NONE || convert == column->affinity);
}

static Op mirrored(Op op) {
    static const Op mirror[] = {
        [E_EQ] = E_EQ, [E_LT] = E_GT, [E_LE] = E_GE, [E_GT] = E_LT, [E_GE] = E_LE};
    return mirror[op];
}

static Range make_range(Op op, const Expr *column, const Expr *value, Affinity convert) {
    Range r = {.column = column->index};
    if (op == E_EQ || op == E_GE || op == E_GT)
        r.low = (Bound){value, convert, op == E_GT};
    if (op == E_EQ || op == E_LE || op == E_LT)
        r.high = (Bound){value, convert, op != E_LT};
    return r;
}

/* The part of an index on a column of `source` that a condition asks for. */
static bool find_range(const Expr *e, size_t source, Range *range) {
    bool comparison = e->op >= E_EQ && e->op <= E_GE && e->op != E_NE;
    if (!comparison && e->op != E_BETWEEN)
        return false;
    const Expr *a = e->args[0], *b = e->args[1];
    if (!comparison) {
        const Expr *c = e->args[2];
        if (!searchable(a, b, b->convert, source) ||
            !searchable(a, c, c->convert, source))
            return false;
        *range = make_range(E_GE, a, b, b->convert);
        range->high = make_range(E_LE, a, c, c->convert).high;
        return true;
    }
    if (searchable(a, b, b->convert, source))
        *range = make_range(e->op, a, b, b->convert);
    else if (searchable(b, a, b->convert, source))
        *range = make_range(mirrored(e->op), b, a, b->convert);
    else
        return false;
    return true;
}

/* Lets a range narrow the search in a level's index, if they go together. */
static bool use_range(Level *level, const Range *r) {
    if ((level->indexed && level->column != r->column) ||
        (level->low.expr && r->low.expr) || (level->high.expr && r->high.expr))
        return false;
    level->indexed = true;
    level->column = r->column;
    if (r->low.expr)
        level->low = r->low;
    if (r->high.expr)
        level->high = r->high;
    return true;
}

/* Turns conditions into bounds of an index, equality first. Joined tables are searched
   once for every row before them, which pays for an index. The first table is read once:
   it is searched only if an earlier statement left an index. */
static void choose_index(Level *level, size_t source) {
    Filters *f = level->left ? &level->on : &level->filters;
    for (int equality = 1; equality >= 0; equality--) {
        size_t kept = 0;
        for (size_t i = 0; i < f->count; i++) {
            Range r;
            bool used = find_range(f->items[i], source, &r) &&
                        (source > 0 || level->table->columns[r.column].index) &&
                        (!equality || r.low.expr == r.high.expr) && use_range(level, &r);
            if (!used)
                f->items[kept++] = f->items[i];
        }
        f->count = kept;
    }
}

/* The index on the only ORDER BY column replaces the sort if it is there, or if the first
   table has no conditions, so that sorting would take as long as building it. */
static void choose_order(Plan *p) {
    Level *first = &p->levels[0];
    if (p->nsort != 1 || p->grouped || p->distinct || !p->nlevels)
        return;
    const Expr *key = p->outputs[p->sort[0].output];
    if (key->op != E_COLUMN || key->source != 0 ||
        (first->indexed && first->column != key->index))
        return;
    if (first->filters.count && !first->table->columns[key->index].index)
        return;
    first->indexed = true;
    first->column = key->index;
    first->descending = p->sort[0].descending;
    p->nsort = 0;
}

/* Plans a statement; changes its tree, which the plan goes on to use. */
bool plan_select(Select *select, const Tables *tables, Arena *arena, Plan *plan,
                 Error *err) {
    *plan = (Plan){
        .distinct = select->distinct, .limit = select->limit, .offset = select->offset};
    Binder b = {.select = select,
                .plan = plan,
                .arena = arena,
                .err = err,
                .visible = select->nsources};
    if (!bind_sources(&b, tables) || !bind_items(&b) || !bind_conditions(&b) ||
        !bind_groups(&b))
        return false;
    if (select->having && !(plan->having = bind(&b, select->having)))
        return false;
    if (!bind_orders(&b) || !bind_grouping(&b))
        return false;
    for (size_t i = 0; i < plan->nlevels; i++)
        choose_index(&plan->levels[i], i);
    choose_order(plan);
    return true;
}
