/* Running plans: joins, aggregates, groups, order, output. */
#include "csvql.h"

#include <string.h>

typedef enum Flow { GO_ON, STOP, FAILED } Flow;

typedef struct Run {
    const Plan *plan;
    Frame frame;
    Arena *arena;
    Buffer *out;
    Error *err;
    Flow (*sink)(struct Run *r); /* what takes joined rows */
    Set groups;                  /* tuples of keys */
    State *states;               /* naggregates of each group */
    Set distinct;
    Value *tuple; /* the row or key in the making */
    Value **rows; /* rows to be sorted */
    size_t nrows;
    int64_t skip, left;
} Run;

static Flow no_memory(Run *r) {
    fail_memory(r->err);
    return FAILED;
}

/* Whether evaluation has failed since the last row. */
static bool eval_failed(Run *r) {
    if (r->frame.failure)
        fail(r->err, r->frame.culprit->at, "%s", r->frame.failure);
    return r->frame.failure != NULL;
}

static inline Value eval(Run *r, const Expr *e) {
    return e->eval(e, &r->frame);
}

/* ---- output ---- */

static Flow write_row(Run *r, const Value *row) {
    if (r->left == 0)
        return STOP;
    if (r->skip > 0) {
        r->skip--;
        return GO_ON;
    }
    if (r->left > 0)
        r->left--;
    return csv_write_row(r->out, row, r->plan->nvisible) ? GO_ON : no_memory(r);
}

/* Keeps a row for sorting. */
static Flow keep_row(Run *r) {
    const Plan *p = r->plan;
    Value *row = arena_alloc(r->arena, p->noutputs, sizeof *row);
    r->rows = arena_extend(r->arena, r->rows, r->nrows, sizeof(Value *));
    if (!row || !r->rows)
        return no_memory(r);
    for (size_t i = 0; i < p->noutputs; i++) {
        row[i] = r->tuple[i];
        if (!value_keep(&row[i], r->arena))
            return no_memory(r);
    }
    r->rows[r->nrows++] = row;
    return GO_ON;
}

/* Evaluates the outputs over the current row or group. */
static Flow output_row(Run *r) {
    const Plan *p = r->plan;
    for (size_t i = 0; i < p->noutputs; i++)
        r->tuple[i] = eval(r, p->outputs[i]);
    if (eval_failed(r))
        return FAILED;
    if (p->distinct) {
        size_t number;
        bool added;
        if (!set_add(&r->distinct, r->tuple, &number, &added))
            return no_memory(r);
        if (!added)
            return GO_ON;
    }
    return p->nsort ? keep_row(r) : write_row(r, r->tuple);
}

/* ---- sorting ---- */

static int compare_rows(const Value *a, const Value *b, const Plan *p) {
    for (size_t i = 0; i < p->nsort; i++) {
        const SortKey *key = &p->sort[i];
        int order = value_compare(a[key->output], b[key->output]);
        if (order)
            return key->descending ? -order : order;
    }
    return 0;
}

/* Merges two sorted runs, the first copied to `spare`, which is as long. */
static void merge(Value **rows, size_t middle, size_t count, Value **spare,
                  const Plan *p) {
    memcpy(spare, rows, middle * sizeof *rows);
    size_t left = 0, right = middle, to = 0;
    while (left < middle && right < count) {
        if (compare_rows(spare[left], rows[right], p) <= 0)
            rows[to++] = spare[left++];
        else
            rows[to++] = rows[right++];
    }
    memcpy(rows + to, spare + left, (middle - left) * sizeof *rows);
}

/* Stable: rows with equal keys stay in the order they came in. */
static void merge_sort(Value **rows, size_t count, Value **spare, const Plan *p) {
    if (count < 2)
        return;
    size_t middle = count / 2;
    merge_sort(rows, middle, spare, p);
    merge_sort(rows + middle, count - middle, spare, p);
    if (compare_rows(rows[middle - 1], rows[middle], p) > 0)
        merge(rows, middle, count, spare, p);
}

static Flow write_sorted(Run *r) {
    Value **spare = arena_alloc(r->arena, r->nrows / 2 + 1, sizeof *spare);
    if (!spare)
        return no_memory(r);
    merge_sort(r->rows, r->nrows, spare, r->plan);
    Flow flow = GO_ON;
    for (size_t i = 0; flow == GO_ON && i < r->nrows; i++)
        flow = write_row(r, r->rows[i]);
    return flow;
}

/* ---- aggregates ---- */

static bool step_count(State *s, Value v, Arena *keep) {
    (void)v;
    (void)keep;
    s->count++;
    return true;
}

static bool step_avg(State *s, Value v, Arena *keep) {
    (void)keep;
    s->count++;
    s->real_sum += value_to_real(v);
    return true;
}

/* The sum of integers is an integer; once a real has come in, it is a real. */
static bool step_sum(State *s, Value v, Arena *keep) {
    bool whole = true;
    if (v.type == V_TEXT)
        v = number_prefix(v.s, v.length, &whole);
    if (v.type != V_INT || !whole)
        s->inexact = true;
    else if (!s->inexact && !s->overflow)
        s->overflow = __builtin_add_overflow(s->sum, v.i, &s->sum);
    return step_avg(s, v, keep);
}

static bool replace_best(State *s, Value v, Arena *keep) {
    s->best = v;
    return value_keep(&s->best, keep);
}

static bool step_min(State *s, Value v, Arena *keep) {
    if (s->best.type != V_NULL && value_compare(v, s->best) >= 0)
        return true;
    return replace_best(s, v, keep);
}

static bool step_max(State *s, Value v, Arena *keep) {
    return value_compare(v, s->best) <= 0 || replace_best(s, v, keep);
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
static bool step(Run *r, const Aggregate *a, State *s) {
    if (!a->call->count)
        return a->kind->step(s, value_null(), NULL);
    Value v = eval(r, a->call->args[0]);
    if (v.type == V_NULL)
        return true;
    if (a->call->distinct) {
        size_t number;
        bool added;
        s->seen.arena = r->arena;
        s->seen.width = 1;
        if (!set_add(&s->seen, &v, &number, &added))
            return false;
        if (!added)
            return true;
    }
    return a->kind->step(s, v, r->arena);
}

/* ---- groups ---- */

static bool find_group(Run *r, size_t *number) {
    size_t width = r->plan->naggregates;
    bool added;
    if (!set_add(&r->groups, r->tuple, number, &added))
        return false;
    if (!added)
        return true;
    r->states = arena_extend(r->arena, r->states, *number, width * sizeof(State));
    if (!r->states)
        return false;
    memset(r->states + *number * width, 0, width * sizeof(State));
    return true;
}

static Flow group_row(Run *r) {
    const Plan *p = r->plan;
    size_t number;
    for (size_t i = 0; i < p->ngroups; i++)
        r->tuple[i] = eval(r, p->groups[i]);
    if (!find_group(r, &number))
        return no_memory(r);
    for (size_t i = 0; i < p->naggregates; i++) {
        if (!step(r, &p->aggregates[i], &r->states[number * p->naggregates + i]))
            return no_memory(r);
    }
    return eval_failed(r) ? FAILED : GO_ON;
}

static Flow output_group(Run *r, size_t number, Value *results) {
    const Plan *p = r->plan;
    for (size_t i = 0; i < p->naggregates; i++) {
        const Aggregate *a = &p->aggregates[i];
        const State *s = &r->states[number * p->naggregates + i];
        if (s->overflow) {
            fail(r->err, a->call->at, "integer overflow");
            return FAILED;
        }
        results[i] = a->kind->result(s);
    }
    arena_reset(r->frame.scratch);
    r->frame.keys = r->groups.tuples + number * p->ngroups;
    r->frame.results = results;
    if (p->having && value_truth(eval(r, p->having)) != 1)
        return eval_failed(r) ? FAILED : GO_ON;
    return output_row(r);
}

static Flow output_groups(Run *r) {
    const Plan *p = r->plan;
    size_t number;
    if (!p->ngroups && !find_group(r, &number)) /* there is a group without rows, too */
        return no_memory(r);
    Value *results = arena_alloc(r->arena, p->naggregates, sizeof *results);
    if (!results)
        return no_memory(r);
    Flow flow = GO_ON;
    for (size_t i = 0; flow == GO_ON && i < r->groups.count; i++)
        flow = output_group(r, i, results);
    return flow;
}

/* ---- joins ---- */

static bool passes(Run *r, const Filters *filters) {
    for (size_t i = 0; i < filters->count; i++) {
        if (value_truth(eval(r, filters->items[i])) != 1)
            return false;
    }
    return true;
}

static Flow join(Run *r, size_t n);

/* Takes a row of level n, or its row of NULLs, through the conditions to level n + 1. */
static Flow visit(Run *r, size_t n, const Value *row, bool *matched) {
    const Level *level = &r->plan->levels[n];
    arena_reset(r->frame.scratch);
    r->frame.row[n] = row;
    bool fits = row == level->nulls || passes(r, &level->on);
    *matched |= fits;
    fits = fits && passes(r, &level->filters);
    if (eval_failed(r))
        return FAILED;
    return fits ? join(r, n + 1) : GO_ON;
}

static const Btree *level_index(const Level *level) {
    return level->table->columns[level->column].index;
}

static Flow scan(Run *r, size_t n, bool *matched) {
    const Table *t = r->plan->levels[n].table;
    Flow flow = GO_ON;
    for (size_t i = 0; flow == GO_ON && i < t->nrows; i++)
        flow = visit(r, n, t->cells + i * t->ncolumns, matched);
    return flow;
}

/* The rows between two cursors; those with equal keys go forward in either direction. */
static Flow walk(Run *r, size_t n, Cursor from, Cursor to, bool *matched) {
    const Level *level = &r->plan->levels[n];
    const Table *t = level->table;
    Flow flow = GO_ON;
    while (flow == GO_ON && !cursor_same(from, to)) {
        Cursor start = from, end = to;
        if (level->descending)
            start = to = btree_seek(level_index(level), cursor_key_before(to), false);
        else
            from = to;
        while (flow == GO_ON && !cursor_same(start, end))
            flow = visit(r, n, t->cells + cursor_row(&start) * t->ncolumns, matched);
    }
    return flow;
}

static Value bound_value(Run *r, const Bound *b) {
    return b->expr ? value_convert(b->expr, eval(r, b->expr), b->convert, &r->frame)
                   : value_null();
}

/* The rows between the bounds; nothing compares with a bound that is NULL. */
static Flow search(Run *r, size_t n, bool *matched) {
    const Level *level = &r->plan->levels[n];
    const Bound *low = &level->low, *high = &level->high;
    const Btree *index = level_index(level);
    Value first = bound_value(r, low), last = bound_value(r, high);
    if ((low->expr && first.type == V_NULL) || (high->expr && last.type == V_NULL))
        return GO_ON;
    if (low->expr && high->expr) {
        int order = value_compare(first, last);
        if (order > 0 || (order == 0 && low->after >= high->after))
            return GO_ON;
    }
    bool bounded = low->expr || high->expr; /* so that NULLs are left out */
    Cursor from =
        bounded ? btree_seek(index, first, low->after || !low->expr) : btree_begin(index);
    Cursor to = high->expr ? btree_seek(index, last, high->after) : btree_end(index);
    return walk(r, n, from, to, matched);
}

/* Nested loops from level n on. */
static Flow join(Run *r, size_t n) {
    if (n == r->plan->nlevels)
        return r->sink(r);
    const Level *level = &r->plan->levels[n];
    bool matched = false;
    Flow flow = level->indexed ? search(r, n, &matched) : scan(r, n, &matched);
    if (flow == GO_ON && level->left && !matched)
        flow = visit(r, n, level->nulls, &matched);
    return flow;
}

/* ---- statements ---- */

static bool build_indexes(const Plan *p, Error *err) {
    for (size_t i = 0; i < p->nlevels; i++) {
        const Level *level = &p->levels[i];
        if (level->indexed && !table_index(level->table, level->column, err))
            return false;
    }
    return true;
}

static bool run_plan(const Plan *p, bool header, Arena *arena, Arena *scratch,
                     Buffer *out, Error *err) {
    Run r = {.plan = p, .arena = arena, .out = out, .err = err};
    r.frame.scratch = scratch;
    r.skip = p->offset;
    r.left = p->limit;
    r.sink = p->grouped ? group_row : output_row;
    r.groups = (Set){.arena = arena, .width = p->ngroups};
    r.distinct = (Set){.arena = arena, .width = p->nvisible};
    r.tuple = arena_alloc(arena, p->noutputs + p->ngroups, sizeof *r.tuple);
    if (!r.tuple || (header && !csv_write_row(out, p->names, p->nvisible)))
        return fail_memory(err);
    if (!build_indexes(p, err))
        return false;
    Flow flow = r.left != 0 && passes(&r, &p->constants) ? join(&r, 0) : GO_ON;
    if (flow != FAILED && eval_failed(&r))
        return false;
    if (flow == GO_ON && p->grouped)
        flow = output_groups(&r);
    if (flow == GO_ON && p->nsort)
        flow = write_sorted(&r);
    return flow != FAILED;
}

/* Runs the statements of a script and appends their results as CSV. */
bool run_script(Text sql, const Tables *tables, bool header, Buffer *out, Error *err) {
    Arena arena = {0}, scratch = {0};
    Select *select = NULL;
    size_t at = 0;
    bool ok = true;
    do {
        Plan plan;
        arena_reset(&arena);
        ok = parse_statement(sql, &at, &arena, &select, err) &&
             (!select || (plan_select(select, tables, &arena, &plan, err) &&
                          run_plan(&plan, header, &arena, &scratch, out, err)));
    } while (ok && select);
    arena_free(&arena);
    arena_free(&scratch);
    return ok;
}
