/* From syntax tree to plan: names, types, grouping, and how each table is reached. */
#include "csvql.h"

#include <string.h>

typedef struct Binder {
    Select *select;
    Plan *plan;
    Arena *arena;
    size_t visible; /* tables in scope */
    bool aliases;   /* of the select list are in scope */
} Binder;

/* `what` has a "%.*s" for the name. */
_Noreturn static void refuse(Binder *b, size_t at, const char *what, Text name) {
    fail(b->arena->err, NULL, at, what, (int)(name.length > 100 ? 100 : name.length),
         name.at);
}

static Expr *copy(Binder *b, const Expr *e) {
    Expr *c = arena_alloc(b->arena, 1, sizeof *c);
    *c = *e;
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
    bool compares =
        (e->op >= E_EQ && e->op <= E_IS) || e->op == E_BETWEEN || e->op == E_IN;
    for (size_t i = 1; compares && i < e->count; i++) {
        Affinity right = e->op == E_IN ? A_NONE : e->args[i]->affinity;
        e->args[i]->convert = common_affinity(e->args[0]->affinity, right);
    }
}

/* Finishes an operator whose arguments are bound. */
static Expr *finish(Expr *e) {
    for (size_t i = 0; i < e->count; i++) {
        e->aggregates |= e->args[i]->aggregates;
        e->sources |= e->args[i]->sources;
    }
    set_conversions(e);
    e->eval = eval_of(e->op);
    return e;
}

/* ---- names ---- */

static Expr *bind(Binder *b, Expr *e);

static void bind_args(Binder *b, Expr *e) {
    for (size_t i = 0; i < e->count; i++)
        e->args[i] = bind(b, e->args[i]);
}

/* Binds an expression in a place where no aggregate may be. */
static Expr *bind_plain(Binder *b, Expr *e, const char *place) {
    Expr *bound = bind(b, e);
    if (bound->aggregates)
        fail(b->arena->err, NULL, e->at, "aggregate in %s", place);
    return bound;
}

/* A value of a row. */
static Expr *make_value(Expr *e, size_t row, size_t index) {
    e->op = E_COLUMN;
    e->eval = eval_of(E_COLUMN);
    e->source = row;
    e->index = index;
    return e;
}

static Expr *make_column(Binder *b, Expr *e, size_t source, size_t index) {
    Type type = b->plan->levels[source].table->columns[index].type;
    e->sources = 1u << source;
    e->affinity = type == V_TEXT ? A_TEXT : A_NUMERIC;
    return make_value(e, source, index);
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
        refuse(b, e->at, "no column '%.*s'", e->name);
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
        refuse(b, e->at, "column '%.*s' is in more than one table", e->name);
    return found ? make_column(b, e, source, index) : bind_alias(b, e);
}

static bool same_expr(const Expr *a, const Expr *b) {
    if (a->op != b->op || a->count != b->count || a->distinct != b->distinct ||
        a->source != b->source || a->index != b->index)
        return false;
    if (a->op == E_CONSTANT)
        return a->value.type == b->value.type && value_compare(a->value, b->value) == 0;
    if (a->op == E_AGGREGATE && !text_same(a->name, b->name))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!same_expr(a->args[i], b->args[i]))
            return false;
    }
    return true;
}

/* The number of an aggregate; equal ones are computed once. */
static size_t add_aggregate(Binder *b, const Expr *e, const AggregateKind *kind) {
    Plan *p = b->plan;
    for (size_t i = 0; i < p->naggregates; i++) {
        if (same_expr(p->aggregates[i].call, e))
            return i;
    }
    p->aggregates =
        arena_extend(b->arena, p->aggregates, p->naggregates, sizeof(Aggregate));
    p->aggregates[p->naggregates] = (Aggregate){kind, e};
    return p->naggregates++;
}

/* Only count() takes a star: it then has no argument. */
static Expr *bind_aggregate(Binder *b, Expr *e) {
    const AggregateKind *kind = aggregate_find(e->name);
    if (!kind)
        refuse(b, e->at, "no function '%.*s'", e->name);
    if (e->count != 1)
        refuse(b, e->at, "%.*s() takes one argument", e->name);
    Expr *arg = e->args[0];
    bool all = arg->op == E_STAR && !arg->qualifier.at && text_is(e->name, "count");
    if (all && !e->distinct)
        e->count = 0;
    else
        e->args[0] = bind_plain(b, arg, "an aggregate");
    e->aggregates = true;
    e->index = add_aggregate(b, e, kind);
    return e;
}

/* Resolves the names in an expression and settles how it is evaluated. */
static Expr *bind(Binder *b, Expr *e) {
    if (e->op == E_STAR)
        fail(b->arena->err, NULL, e->at, "'*' is no value");
    if (e->op == E_NAME)
        return bind_name(b, e);
    if (e->op == E_AGGREGATE)
        return bind_aggregate(b, e);
    bind_args(b, e);
    return finish(e);
}

/* ---- clauses ---- */

static void bind_source(Binder *b, const Tables *tables, size_t n) {
    const Source *source = &b->select->sources[n];
    Level *level = &b->plan->levels[n];
    level->left = source->left;
    for (size_t i = 0; i < tables->count; i++) {
        if (text_same(tables->items[i].name, source->table))
            level->table = &tables->items[i];
    }
    if (!level->table)
        refuse(b, source->at, "no table '%.*s'", source->table);
    for (size_t i = 0; i < n; i++) {
        if (text_same(b->select->sources[i].name, source->name))
            refuse(b, source->at, "'%.*s' is there twice and needs an alias",
                   source->name);
    }
    size_t size = level->table->ncolumns * sizeof(Value);
    level->nulls = memset(arena_alloc(b->arena, 1, size), 0, size);
    b->plan->nlevels++;
}

static void add_output(Binder *b, const Expr *e, Text name) {
    Plan *p = b->plan;
    size_t n = p->noutputs++;
    if (n == MAX_COLUMNS)
        fail(b->arena->err, NULL, e->at, "more than %d columns", MAX_COLUMNS);
    p->outputs = arena_extend(b->arena, p->outputs, n, sizeof(Expr *));
    p->outputs[n] = e;
    p->names = arena_extend(b->arena, p->names, n, sizeof *p->names);
    p->names[n] = value_text(name.at, name.length);
}

/* All columns, or those of one table. */
static void add_star(Binder *b, const Expr *star) {
    size_t before = b->plan->noutputs;
    for (size_t s = 0; s < b->plan->nlevels; s++) {
        const Table *t = b->plan->levels[s].table;
        if (star->qualifier.at && !text_same(star->qualifier, b->select->sources[s].name))
            continue;
        for (size_t i = 0; i < t->ncolumns; i++) {
            Expr *e = make_column(b, copy(b, star), s, i);
            e->name = t->columns[i].name;
            add_output(b, e, e->name);
        }
    }
    if (b->plan->noutputs == before)
        fail(b->arena->err, NULL, star->at, "no table for '*'");
}

static void bind_item(Binder *b, Item *item) {
    if (item->expr->op == E_STAR) {
        add_star(b, item->expr);
        return;
    }
    item->expr = bind(b, item->expr);
    if (item->expr->op == E_COLUMN && !item->alias) {
        const Table *t = b->plan->levels[item->expr->source].table;
        item->name = t->columns[item->expr->index].name;
    }
    add_output(b, item->expr, item->name);
}

/* For ORDER BY 2 and GROUP BY 2: the number of the output, or noutputs if it is none. */
static size_t find_position(Binder *b, const Expr *e) {
    if (e->op != E_CONSTANT || e->value.type != V_INT)
        return b->plan->noutputs;
    if (e->value.i < 1 || (uint64_t)e->value.i > b->plan->nvisible)
        fail(b->arena->err, NULL, e->at, "there is no such column in the result");
    return (size_t)e->value.i - 1;
}

static void bind_groups(Binder *b) {
    Plan *p = b->plan;
    p->groups = arena_alloc(b->arena, b->select->ngroups, sizeof(Expr *));
    for (; p->ngroups < b->select->ngroups; p->ngroups++) {
        Expr *e = b->select->groups[p->ngroups];
        size_t output = find_position(b, e);
        const Expr *bound = output < p->noutputs ? p->outputs[output] : bind(b, e);
        if (bound->aggregates)
            fail(b->arena->err, NULL, e->at, "aggregate in GROUP BY");
        p->groups[p->ngroups] = bound;
    }
}

/* The output to sort by, added to those that are not shown if need be. */
static size_t sort_output(Binder *b, Expr *e) {
    Plan *p = b->plan;
    const Item *item = find_alias(b, e);
    size_t output = find_position(b, e);
    if (output < p->noutputs)
        return output;
    const Expr *bound = item ? item->expr : bind(b, e);
    for (output = 0; output < p->noutputs; output++) {
        if (same_expr(p->outputs[output], bound))
            return output;
    }
    add_output(b, bound, (Text){"", 0});
    return output;
}

static void bind_orders(Binder *b) {
    Plan *p = b->plan;
    p->sort = arena_alloc(b->arena, b->select->norders, sizeof *p->sort);
    for (; p->nsort < b->select->norders; p->nsort++) {
        const Order *order = &b->select->orders[p->nsort];
        p->sort[p->nsort] = (SortKey){sort_output(b, order->expr), order->descending};
    }
}

/* ---- grouping ---- */

/* Makes an expression one over the row of a group: what equals a GROUP BY expression
   becomes a key, and no other column may be outside an aggregate. Makes copies, as
   nodes are shared. */
static Expr *regroup(Binder *b, const Expr *e) {
    Expr *c = copy(b, e);
    size_t key = 0;
    while (key < b->plan->ngroups && !same_expr(e, b->plan->groups[key]))
        key++;
    if (key < b->plan->ngroups)
        return make_value(c, GROUP_ROW, key);
    if (e->op == E_AGGREGATE)
        return make_value(c, GROUP_ROW, b->plan->ngroups + e->index);
    if (e->op == E_COLUMN)
        refuse(b, e->at, "column '%.*s' is neither grouped nor aggregated", e->name);
    c->args = arena_alloc(b->arena, e->count, sizeof(Expr *));
    for (size_t i = 0; i < e->count; i++)
        c->args[i] = regroup(b, e->args[i]);
    return c;
}

static void bind_grouping(Binder *b) {
    Plan *p = b->plan;
    p->grouped = p->ngroups || p->naggregates || p->having;
    for (size_t i = 0; p->grouped && i < p->noutputs; i++)
        p->outputs[i] = regroup(b, p->outputs[i]);
    if (p->having)
        p->having = regroup(b, p->having);
}

/* ---- conditions and access paths ---- */

/* Splits a condition at AND. Each part goes to the first level that has all it reads;
   what makes rows match in a LEFT JOIN stays at its level, `left`. */
static void add_conditions(Binder *b, const Expr *e, Level *left) {
    if (e->op == E_AND) {
        add_conditions(b, e->args[0], left);
        add_conditions(b, e->args[1], left);
        return;
    }
    size_t levels = 0;
    while (e->sources >> levels)
        levels++;
    Filters *f = left     ? &left->on
                 : levels ? &b->plan->levels[levels - 1].filters
                          : &b->plan->constants;
    f->items = arena_extend(b->arena, f->items, f->count, sizeof(Expr *));
    f->items[f->count++] = e;
}

static void bind_conditions(Binder *b) {
    for (size_t i = 0; i < b->select->nsources; i++) {
        const Source *source = &b->select->sources[i];
        Level *left = source->left ? &b->plan->levels[i] : NULL;
        b->visible = i + 1;
        if (source->on)
            add_conditions(b, bind_plain(b, source->on, "ON"), left);
    }
    b->aliases = true;
    if (b->select->where)
        add_conditions(b, bind_plain(b, b->select->where, "WHERE"), NULL);
}

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

/* Lets a comparison narrow the search in a level's index, if it goes with what narrows it
   already. */
static bool use_comparison(Level *level, Op op, const Expr *column, const Expr *value,
                           Affinity convert) {
    bool low = op == E_EQ || op == E_GE || op == E_GT;
    bool high = op == E_EQ || op == E_LE || op == E_LT;
    if ((level->indexed && level->column != column->index) || (low && level->low.expr) ||
        (high && level->high.expr))
        return false;
    level->indexed = true;
    level->column = column->index;
    if (low)
        level->low = (Bound){value, convert, op == E_GT};
    if (high)
        level->high = (Bound){value, convert, op != E_LT};
    return true;
}

/* Whether a condition on a table could become bounds of an index, and did. */
static bool use_condition(Level *level, size_t source, const Expr *e) {
    if (e->op < E_EQ || e->op > E_GE || e->op == E_NE)
        return false;
    const Expr *a = e->args[0], *b = e->args[1];
    if (searchable(a, b, b->convert, source))
        return use_comparison(level, e->op, a, b, b->convert);
    return searchable(b, a, b->convert, source) &&
           use_comparison(level, mirrored(e->op), b, a, b->convert);
}

/* Turns conditions into bounds of an index, equality first. Joined tables are searched
   once for every row before them, which pays for an index; the first table is read once,
   which does not. */
static void choose_index(Level *level, size_t source) {
    Filters *f = level->left ? &level->on : &level->filters;
    for (int equality = 1; equality >= 0; equality--) {
        size_t kept = 0;
        for (size_t i = 0; i < f->count; i++) {
            const Expr *e = f->items[i];
            if ((equality && e->op != E_EQ) || !use_condition(level, source, e))
                f->items[kept++] = e;
        }
        f->count = kept;
    }
}

/* Plans a statement; changes its tree, which the plan goes on to use. */
Plan *plan_select(Select *select, const Tables *tables, Arena *arena) {
    Plan *plan = arena_alloc(arena, 1, sizeof *plan);
    *plan = (Plan){
        .distinct = select->distinct, .limit = select->limit, .offset = select->offset};
    Binder b = {select, plan, arena, .visible = select->nsources};
    for (size_t i = 0; i < select->nsources; i++)
        bind_source(&b, tables, i);
    for (size_t i = 0; i < select->nitems; i++)
        bind_item(&b, &select->items[i]);
    plan->nvisible = plan->noutputs;
    bind_conditions(&b);
    bind_groups(&b);
    if (select->having)
        plan->having = bind(&b, select->having);
    bind_orders(&b);
    bind_grouping(&b);
    for (size_t i = 1; i < plan->nlevels; i++)
        choose_index(&plan->levels[i], i);
    return plan;
}
