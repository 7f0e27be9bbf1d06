/* Running plans: joins, aggregates, groups, order, output. */
#include "csvql.h"

typedef struct Run {
    const Plan *plan;
    Frame frame;
    Arena *arena;
    Buffer *out;
    bool (*sink)(struct Run *r); /* what takes joined rows */
    Set groups;                  /* tuples of keys */
    State *states;               /* naggregates of each group */
    Set distinct;
    Value *tuple;       /* the row or key in the making */
    const Value **rows; /* rows to be sorted */
    size_t nrows;
    int64_t skip, left;
} Run;

static inline Value eval(Run *r, const Expr *e) {
    return e->eval(e, &r->frame);
}

static bool passes(Run *r, const Filters *filters) {
    for (size_t i = 0; i < filters->count; i++) {
        if (value_truth(eval(r, filters->items[i])) != 1)
            return false;
    }
    return true;
}

/* ---- output: what takes a row returns false if it wants no more ---- */

static bool write_row(Run *r, const Value *row) {
    if (r->skip > 0) {
        r->skip--;
        return true;
    }
    csv_write_row(r->out, row, r->plan->nvisible);
    return r->left < 0 || --r->left > 0;
}

/* Keeps a row for sorting. */
static bool keep_row(Run *r) {
    size_t width = r->plan->noutputs;
    Value *row = arena_alloc(r->arena, width, sizeof *row);
    for (size_t i = 0; i < width; i++)
        row[i] = value_keep(r->tuple[i], r->arena);
    r->rows = arena_extend(r->arena, r->rows, r->nrows, sizeof *r->rows);
    r->rows[r->nrows++] = row;
    return true;
}

/* Evaluates the outputs over the current row or group. */
static bool output_row(Run *r) {
    const Plan *p = r->plan;
    size_t number;
    for (size_t i = 0; i < p->noutputs; i++)
        r->tuple[i] = eval(r, p->outputs[i]);
    if (p->distinct && !set_add(&r->distinct, r->tuple, &number))
        return true;
    return p->nsort ? keep_row(r) : write_row(r, r->tuple);
}

static void write_sorted(Run *r) {
    sort_rows(r->rows, r->nrows, r->plan->sort, r->plan->nsort, r->arena);
    for (size_t i = 0; i < r->nrows && write_row(r, r->rows[i]);)
        i++;
}

/* ---- aggregates ---- */

static void step_count(State *s, Value v) {
    (void)v;
    s->count++;
}

static void step_avg(State *s, Value v) {
    s->count++;
    s->real_sum += value_to_real(v);
}

/* The sum of integers is an integer; once a real has come in, it is a real. */
static void step_sum(State *s, Value v) {
    v = value_numeric(v);
    if (v.type != V_INT)
        s->inexact = true;
    else if (!s->inexact && !s->overflow)
        s->overflow = __builtin_add_overflow(s->sum, v.i, &s->sum);
    step_avg(s, v);
}

static void step_min(State *s, Value v) {
    if (s->best.type == V_NULL || value_compare(v, s->best) < 0)
        s->best = value_keep(v, s->seen.arena);
}

static void step_max(State *s, Value v) {
    if (value_compare(v, s->best) > 0)
        s->best = value_keep(v, s->seen.arena);
}

static Value result_count(const State *s) {
    return value_int(s->count);
}

static Value result_sum(const State *s) {
    if (s->count == 0)
        return value_null();
    return s->inexact ? value_real(s->real_sum) : value_int(s->sum);
}

static Value result_avg(const State *s) {
    return s->count ? value_real(s->real_sum / (double)s->count) : value_null();
}

static Value result_best(const State *s) {
    return s->best;
}

const AggregateKind *aggregate_find(Text name) {
    static const AggregateKind kinds[] = {
        {"count", step_count, result_count}, {"sum", step_sum, result_sum},
        {"avg", step_avg, result_avg},       {"min", step_min, result_best},
        {"max", step_max, result_best},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (text_is(name, kinds[i].name))
            return &kinds[i];
    }
    return NULL;
}

/* Lets an aggregate see the current row. NULL counts for count(*) only. */
static void step(Run *r, const Aggregate *a, State *s) {
    Value v = a->call->count ? eval(r, a->call->args[0]) : value_int(1);
    if (v.type == V_NULL)
        return;
    size_t number;
    if (!a->call->distinct || set_add(&s->seen, &v, &number))
        a->kind->step(s, v);
}

/* ---- groups ---- */

/* The aggregates of the group whose keys are in the tuple. */
static State *find_group(Run *r) {
    size_t width = r->plan->naggregates, number;
    if (set_add(&r->groups, r->tuple, &number)) {
        r->states = arena_extend(r->arena, r->states, number, width * sizeof(State));
        for (size_t i = 0; i < width; i++)
            r->states[number * width + i] =
                (State){.seen = {.arena = r->arena, .width = 1}};
    }
    return r->states + number * width;
}

static bool group_row(Run *r) {
    const Plan *p = r->plan;
    for (size_t i = 0; i < p->ngroups; i++)
        r->tuple[i] = eval(r, p->groups[i]);
    State *states = find_group(r);
    for (size_t i = 0; i < p->naggregates; i++)
        step(r, &p->aggregates[i], &states[i]);
    return true;
}

/* Outputs the group with this number, if HAVING lets it. `row` is to become its row. */
static bool output_group(Run *r, size_t number, Value *row) {
    const Plan *p = r->plan;
    for (size_t i = 0; i < p->ngroups; i++)
        row[i] = r->groups.tuples[number * p->ngroups + i];
    for (size_t i = 0; i < p->naggregates; i++) {
        const Aggregate *a = &p->aggregates[i];
        const State *s = &r->states[number * p->naggregates + i];
        if (s->overflow)
            fail(r->arena->err, NULL, a->call->at, "integer overflow");
        row[p->ngroups + i] = a->kind->result(s);
    }
    arena_reset(r->frame.scratch);
    r->frame.row[GROUP_ROW] = row;
    return (p->having && value_truth(eval(r, p->having)) != 1) || output_row(r);
}

static void output_groups(Run *r) {
    const Plan *p = r->plan;
    if (!p->ngroups)
        find_group(r); /* there is a group without rows, too */
    Value *row = arena_alloc(r->arena, p->ngroups + p->naggregates, sizeof *row);
    for (size_t i = 0; i < r->groups.count && output_group(r, i, row);)
        i++;
}

/* ---- joins: false if no more rows are wanted ---- */

static bool join(Run *r, size_t n);

/* Takes a row of level n, or its row of NULLs, through the conditions to level n + 1. */
static bool visit(Run *r, size_t n, const Value *row, bool *matched) {
    const Level *level = &r->plan->levels[n];
    arena_reset(r->frame.scratch);
    r->frame.row[n] = row;
    bool fits = row == level->nulls || passes(r, &level->on);
    *matched |= fits;
    return !fits || !passes(r, &level->filters) || join(r, n + 1);
}

static bool scan(Run *r, size_t n, bool *matched) {
    const Table *t = r->plan->levels[n].table;
    bool more = true;
    for (size_t i = 0; more && i < t->nrows; i++)
        more = visit(r, n, t->cells + i * t->ncolumns, matched);
    return more;
}

static Value bound_value(Run *r, const Bound *b) {
    return value_convert(eval(r, b->expr), b->convert, &r->frame);
}

/* The rows between the bounds. Nothing compares with NULL, which comes first. */
static bool search(Run *r, size_t n, bool *matched) {
    const Level *level = &r->plan->levels[n];
    const Bound *low = &level->low, *high = &level->high;
    const Btree *index = level->table->columns[level->column].index;
    Value first = low->expr ? bound_value(r, low) : value_null();
    Value last = high->expr ? bound_value(r, high) : value_null();
    if ((low->expr && first.type == V_NULL) || (high->expr && last.type == V_NULL))
        return true;
    size_t from = btree_seek(index, first, low->after || !low->expr);
    size_t to = high->expr ? btree_seek(index, last, high->after) : btree_count(index);
    bool more = true;
    for (; more && from < to; from++)
        more = visit(r, n, btree_row(index, from), matched);
    return more;
}

/* Nested loops from level n on. */
static bool join(Run *r, size_t n) {
    if (n == r->plan->nlevels)
        return r->sink(r);
    const Level *level = &r->plan->levels[n];
    bool matched = false;
    bool more = level->indexed ? search(r, n, &matched) : scan(r, n, &matched);
    if (more && level->left && !matched)
        more = visit(r, n, level->nulls, &matched);
    return more;
}

/* ---- statements ---- */

static void run_plan(const Plan *p, Arena *arena, Arena *scratch, Buffer *out) {
    Run r = {.plan = p,
             .frame = {.scratch = scratch},
             .arena = arena,
             .out = out,
             .sink = p->grouped ? group_row : output_row,
             .groups = {.arena = arena, .width = p->ngroups},
             .distinct = {.arena = arena, .width = p->nvisible},
             .tuple = arena_alloc(arena, p->noutputs + p->ngroups, sizeof(Value)),
             .skip = p->offset,
             .left = p->limit};
    for (size_t i = 0; i < p->nlevels; i++) {
        if (p->levels[i].indexed)
            table_index(p->levels[i].table, p->levels[i].column);
    }
    if (passes(&r, &p->constants))
        join(&r, 0);
    if (p->grouped)
        output_groups(&r);
    if (p->nsort)
        write_sorted(&r);
}

/* Runs the statements of a script and appends their results as CSV. The one arena is for
   a statement, the other for a row. */
void run_script(Text sql, const Tables *tables, bool header, Arena *arena, Arena *scratch,
                Buffer *out) {
    Select *select;
    size_t at = 0;
    arena_reset(arena);
    while ((select = parse_statement(sql, &at, arena))) {
        const Plan *p = plan_select(select, tables, arena);
        if (header)
            csv_write_row(out, p->names, p->nvisible);
        if (p->limit != 0)
            run_plan(p, arena, scratch, out);
        arena_reset(arena);
    }
}
