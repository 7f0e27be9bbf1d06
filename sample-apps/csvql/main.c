/* csvql: SQL queries over CSV files. The command line. */
#include "csvql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: csvql [option]... (QUERY | -f SCRIPT) [NAME=]TABLE.csv...\n"
    "Runs SQL SELECT statements, separated by ';', over CSV files; writes CSV.\n"
    "A table is named like its file, without directory and extension.\n"
    "  -f SCRIPT      read the statements from a file\n"
    "  --no-header    leave out the line of column names\n"
    "  --repeat N     run all N times, with new indexes each time; write the last "
    "result\n"
    "  --reload       read the tables again each time, too\n"
    "  --help         show this text\n";

typedef struct Arguments {
    const char *query, *script;
    char **tables;
    size_t ntables;
    bool header, reload, help;
    unsigned long repeat;
} Arguments;

/* What there is to free in the end. */
typedef struct Session {
    Error err;
    Text sql;
    Buffer script, out;
    Tables tables;
    Arena arena, scratch; /* for a statement, for a row of it */
} Session;

static bool misused(const char *what, const char *argument) {
    fprintf(stderr, "csvql: %s%s\n%s", what, argument, usage);
    return false;
}

static bool parse_count(const char *text, unsigned long *count) {
    char *end;
    errno = 0;
    *count = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && *count > 0;
}

/* Reads the option at argv[*i], and its argument if it has one. */
static bool parse_option(Arguments *a, char **argv, int *i) {
    const char *option = argv[*i];
    if (strcmp(option, "--help") == 0)
        a->help = true;
    else if (strcmp(option, "--no-header") == 0)
        a->header = false;
    else if (strcmp(option, "--reload") == 0)
        a->reload = true;
    else if (strcmp(option, "-f") == 0 && argv[*i + 1])
        a->script = argv[++*i];
    else if (strcmp(option, "--repeat") == 0 && argv[*i + 1])
        return parse_count(argv[++*i], &a->repeat) || misused("not a count: ", argv[*i]);
    else
        return misused("unknown option, or without its argument: ", option);
    return true;
}

static bool parse_arguments(Arguments *a, int argc, char **argv) {
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!parse_option(a, argv, &i))
            return false;
    }
    if (!a->script && !a->help) {
        if (i == argc)
            return misused("no query", "");
        a->query = argv[i++];
    }
    a->tables = argv + i;
    a->ntables = (size_t)(argc - i);
    return true;
}

/* The line of the query with a mark under the place; columns count bytes. */
static void report_place(Text sql, const char *name, const Error *err) {
    size_t line = 1, start = 0, end = err->at;
    for (size_t i = 0; i < err->at; i++) {
        if (sql.at[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    while (end < sql.length && sql.at[end] != '\n')
        end++;
    fprintf(stderr, "%s:%zu:%zu: %s\n", name, line, err->at - start + 1, err->text);
    fprintf(stderr, "%.*s\n", (int)(end - start), sql.at + start);
    for (size_t i = start; i < err->at; i++) {
        if (((unsigned char)sql.at[i] & 0xc0) != 0x80) /* no further byte of UTF-8 */
            fputc(sql.at[i] == '\t' ? '\t' : ' ', stderr);
    }
    fputs("^\n", stderr);
}

static void report(Text sql, const char *name, const Error *err) {
    if (err->file && err->at)
        fprintf(stderr, "%s:%zu: %s\n", err->file, err->at, err->text);
    else if (err->file)
        fprintf(stderr, "%s: %s\n", err->file, err->text);
    else if (err->at != NO_PLACE)
        report_place(sql, name, err);
    else
        fprintf(stderr, "csvql: %s\n", err->text);
}

/* NAME=FILE, or a file that gives its name without directory and extension. */
static Table name_table(const char *argument) {
    const char *equals = strchr(argument, '='), *slash = strrchr(argument, '/');
    if (equals && !memchr(argument, '/', (size_t)(equals - argument)))
        return (Table){.file = equals + 1,
                       .name = {argument, (size_t)(equals - argument)}};
    const char *base = slash ? slash + 1 : argument;
    const char *dot = strrchr(base, '.');
    size_t length = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    return (Table){.file = argument, .name = {base, length}};
}

static void name_tables(const Arguments *a, Tables *tables, Error *err) {
    tables->items = calloc(a->ntables + 1, sizeof *tables->items);
    if (!tables->items)
        fail_memory(err);
    for (size_t n = 0; n < a->ntables; n++) {
        Table *t = &tables->items[tables->count++];
        *t = name_table(a->tables[n]);
        t->text.err = t->indexes.err = err;
        for (size_t i = 0; i < n; i++) {
            if (text_same(tables->items[i].name, t->name))
                fail(err, t->file, 0, "a second table '%.*s'", (int)t->name.length,
                     t->name.at);
        }
    }
}

static void run(Session *s, const Arguments *a) {
    for (unsigned long n = 0; n < a->repeat; n++) {
        for (size_t i = 0; i < s->tables.count; i++) {
            Table *t = &s->tables.items[i];
            table_drop_indexes(t);
            if (a->reload)
                table_free(t);
            if (n == 0 || a->reload)
                table_load(t);
        }
        s->out.size = 0;
        run_script(s->sql, &s->tables, a->header, &s->arena, &s->scratch, &s->out);
    }
}

static void write_output(const Buffer *out) {
    if (fwrite(out->data, 1, out->size, stdout) < out->size || fflush(stdout) != 0)
        fail(out->err, NULL, NO_PLACE, "cannot write: %s", strerror(errno));
}

/* Does all that may fail; false if it did. */
static bool work(Session *s, const Arguments *a) {
    if (setjmp(s->err.trap))
        return false;
    s->sql = (Text){a->query, strlen(a->query)};
    if (a->script) {
        file_read(a->script, &s->script);
        s->sql = (Text){s->script.data, s->script.size};
    }
    name_tables(a, &s->tables, &s->err);
    run(s, a);
    write_output(&s->out);
    return true;
}

static void free_session(Session *s) {
    for (size_t i = 0; i < s->tables.count; i++)
        table_free(&s->tables.items[i]);
    free(s->tables.items);
    free(s->script.data);
    free(s->out.data);
    arena_free(&s->arena);
    arena_free(&s->scratch);
}

int main(int argc, char **argv) {
    Arguments a = {.query = "", .header = true, .repeat = 1};
    if (!parse_arguments(&a, argc, argv))
        return 2;
    if (a.help)
        return fputs(usage, stdout) == EOF;
    Session s = {.script = {.err = &s.err},
                 .out = {.err = &s.err},
                 .arena = {.err = &s.err},
                 .scratch = {.err = &s.err}};
    bool ok = work(&s, &a);
    if (!ok)
        report(s.sql, a.script ? a.script : "query", &s.err);
    free_session(&s);
    return !ok;
}
