/* CSV as in RFC 4180, in and out.

   The first record names the columns. An empty field is NULL. A column is INTEGER if all
   its other fields are integers that fit 64 bits, else REAL if all are decimal numbers,
   else TEXT; one of NULLs only is TEXT. White space belongs to a field: " 1" is text. */
#include "csvql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

/* Returns 0 or an error number. */
static int read_all(FILE *in, Buffer *text) {
    const size_t block = 1 << 16;
    size_t size;
    do {
        if (text->size > UINT32_MAX)
            return EFBIG;
        if (!buffer_reserve(text, block + 1))
            return ENOMEM;
        size = fread(text->data + text->size, 1, block, in);
        text->size += size;
    } while (size > 0);
    text->data[text->size] = '\0';
    return ferror(in) ? errno : 0;
}

/* Reads a file of less than 4 GiB into an empty buffer. A NUL follows its contents. */
void file_read(const char *file, Buffer *text) {
    FILE *in = fopen(file, "rb");
    int error = in ? read_all(in, text) : errno;
    if (in)
        fclose(in);
    if (error)
        fail(text->err, file, 0, "cannot read: %s", strerror(error));
}

/* ---- reading records ---- */

/* The text ends with a NUL at `end`, which stops every scan. */
typedef struct Reader {
    const char *file;
    char *at, *end;
    size_t line;
    Error *err;
} Reader;

/* Bytes that end an unquoted field, or have no business in it. */
static const bool special[256] = {
    ['\0'] = true, [','] = true, ['"'] = true, ['\r'] = true, ['\n'] = true};

_Noreturn static void fail_here(const Reader *r, const char *what) {
    fail(r->err, r->file, r->line, "%s", what);
}

_Noreturn static void bad_byte(const Reader *r) {
    fail_here(r, *r->at == '"'    ? "'\"' inside an unquoted field"
                 : *r->at == '\r' ? "carriage return without line feed"
                 : *r->at == '\0' ? "NUL byte"
                                  : "text after a closing quote");
}

static Value field_value(const char *s, size_t length) {
    return length ? value_text(s, length) : value_null();
}

static Value read_plain(Reader *r) {
    char *start = r->at;
    while (!special[(unsigned char)*r->at])
        r->at++;
    return field_value(start, (size_t)(r->at - start));
}

/* Removes the quotes in place. */
static Value read_quoted(Reader *r) {
    size_t opened = r->line;
    char *start = ++r->at, *to = start;
    for (;; r->at++) {
        if (*r->at == '"' && *++r->at != '"')
            return field_value(start, (size_t)(to - start));
        if (r->at == r->end)
            fail(r->err, r->file, opened, "quoted field without an end");
        if (*r->at == '\0')
            bad_byte(r);
        r->line += *r->at == '\n';
        *to++ = *r->at;
    }
}

/* Reads a field and what ends it: a comma, or the end of a line or of the file. True: it
   is the last of its record. */
static bool read_field(Reader *r, Value *field) {
    *field = *r->at == '"' ? read_quoted(r) : read_plain(r);
    if (*r->at == '\r' && r->at[1] == '\n')
        r->at++;
    bool last = *r->at != ',';
    if (r->at == r->end)
        return true;
    if (last && *r->at != '\n')
        bad_byte(r);
    r->line += last;
    r->at++;
    return last;
}

/* ---- tables ---- */

static void check_name(const Reader *r, const Table *t) {
    const Column *added = &t->columns[t->ncolumns];
    if (!added->name.length)
        fail(r->err, r->file, 1, "column %zu has no name", t->ncolumns + 1);
    for (size_t i = 0; i < t->ncolumns; i++) {
        if (text_same(t->columns[i].name, added->name))
            fail(r->err, r->file, 1, "column '%.*s' appears twice",
                 (int)added->name.length, added->name.at);
    }
}

static void read_header(Reader *r, Table *t) {
    if (r->at == r->end)
        fail_here(r, "empty file, no column names");
    t->columns = malloc(MAX_COLUMNS * sizeof *t->columns);
    if (!t->columns)
        fail_memory(r->err);
    for (bool last = false; !last; t->ncolumns++) {
        Value field;
        if (t->ncolumns == MAX_COLUMNS)
            fail(r->err, r->file, 1, "more than %d columns", MAX_COLUMNS);
        last = read_field(r, &field);
        t->columns[t->ncolumns] = (Column){.type = V_TEXT};
        if (field.type == V_TEXT)
            t->columns[t->ncolumns].name = (Text){field.s, field.length};
        check_name(r, t);
    }
}

static void read_row(Reader *r, const Table *t, Value *row) {
    size_t line = r->line, count = 0;
    Value surplus;
    for (bool last = false; !last; count++)
        last = read_field(r, count < t->ncolumns ? &row[count] : &surplus);
    if (count != t->ncolumns)
        fail(r->err, r->file, line, "%zu fields, but %zu columns", count, t->ncolumns);
}

static void read_rows(Reader *r, Table *t) {
    size_t size = t->ncolumns * sizeof(Value);
    for (; r->at < r->end; t->nrows++) {
        if (!buffer_reserve(&t->rows, size))
            fail_memory(r->err);
        read_row(r, t, (Value *)(t->rows.data + t->rows.size));
        t->rows.size += size;
    }
    t->cells = (Value *)t->rows.data;
}

/* ---- types ---- */

static bool field_number(Value field, Value *number) {
    size_t used;
    *number = number_prefix(field.s, field.length, &used);
    return used == field.length && !is_space(field.s[0]);
}

/* The type of a column; if it is not TEXT, `numbers` has the column's values, integers
   among reals not yet converted. */
static Type column_type(const Table *t, size_t column, Value *numbers) {
    Type type = V_NULL;
    for (size_t row = 0; row < t->nrows; row++) {
        Value field = t->cells[row * t->ncolumns + column];
        numbers[row] = field;
        if (field.type == V_NULL)
            continue;
        if (!field_number(field, &numbers[row]))
            return V_TEXT;
        if (numbers[row].type > type)
            type = numbers[row].type;
    }
    return type == V_NULL ? V_TEXT : type;
}

static void convert_column(Table *t, size_t column, Value *numbers) {
    Type type = t->columns[column].type = column_type(t, column, numbers);
    for (size_t row = 0; type != V_TEXT && row < t->nrows; row++) {
        Value v = numbers[row];
        if (type == V_REAL && v.type == V_INT)
            v = value_real((double)v.i);
        t->cells[row * t->ncolumns + column] = v;
    }
}

static void convert_columns(Table *t, Error *err) {
    Value *numbers = malloc((t->nrows + 1) * sizeof *numbers);
    if (!numbers)
        fail_memory(err);
    for (size_t column = 0; column < t->ncolumns; column++)
        convert_column(t, column, numbers);
    free(numbers);
}

/* Fills a table from the text of its file, which has a NUL behind it. */
void table_parse(Table *t) {
    char *text = t->text.data;
    Reader r = {t->file, text, text + t->text.size, 1, t->text.err};
    if (t->text.size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.at += 3; /* a byte order mark */
    read_header(&r, t);
    read_rows(&r, t);
    convert_columns(t, r.err);
}

void table_load(Table *t) {
    file_read(t->file, &t->text);
    table_parse(t);
}

/* Makes sure that a column has an index. */
void table_index(Table *t, size_t column) {
    Column *c = &t->columns[column];
    if (!c->index)
        c->index = btree_build(t->cells, t->ncolumns, t->nrows, column, &t->indexes);
}

void table_drop_indexes(Table *t) {
    for (size_t i = 0; i < t->ncolumns; i++)
        t->columns[i].index = NULL;
    arena_reset(&t->indexes);
}

/* Forgets the contents, so that the file can be loaded again. */
void table_free(Table *t) {
    free(t->columns);
    free(t->rows.data);
    free(t->text.data);
    arena_free(&t->indexes);
    *t = (Table){.file = t->file,
                 .name = t->name,
                 .text = {.err = t->text.err},
                 .indexes = {.err = t->indexes.err}};
}

/* ---- writing ---- */

static bool needs_quotes(Value v) {
    for (size_t i = 0; i < v.length; i++) {
        if (special[(unsigned char)v.s[i]])
            return true;
    }
    return v.length == 0; /* unlike NULL */
}

static void write_quoted(Buffer *out, Value v) {
    buffer_append(out, "\"", 1);
    for (const char *s = v.s; s < v.s + v.length; s++) {
        if (*s == '"')
            buffer_append(out, "\"", 1);
        buffer_append(out, s, 1);
    }
    buffer_append(out, "\"", 1);
}

static void write_value(Buffer *out, Value v) {
    char number[NUMBER_SIZE];
    if (v.type == V_TEXT && needs_quotes(v))
        write_quoted(out, v);
    else if (v.type == V_TEXT)
        buffer_append(out, v.s, v.length);
    else if (v.type != V_NULL)
        buffer_append(out, number, value_format(v, number));
}

/* Appends one record. NULL is an empty field, empty text is "". */
void csv_write_row(Buffer *out, const Value *row, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_append(out, ",", 1);
        write_value(out, row[i]);
    }
    buffer_append(out, "\n", 1);
}
