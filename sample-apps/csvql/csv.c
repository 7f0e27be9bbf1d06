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
    char block[1 << 16];
    size_t size;
    while ((size = fread(block, 1, sizeof block, in)) > 0) {
        if (!buffer_append(text, block, size))
            return ENOMEM;
        if (text->size > UINT32_MAX)
            return EFBIG;
    }
    if (ferror(in))
        return errno;
    return buffer_append(text, "", 1) ? 0 : ENOMEM;
}

/* Reads a file of less than 4 GiB into an empty buffer. A NUL follows its contents. */
bool file_read(const char *file, Buffer *text, Error *err) {
    FILE *in = fopen(file, "rb");
    int error = in ? read_all(in, text) : errno;
    if (in)
        fclose(in);
    if (error)
        return fail_in_file(err, file, 0, "cannot read: %s", strerror(error));
    text->size--;
    return true;
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

static bool bad_byte(Reader *r) {
    const char *what = *r->at == '"'    ? "'\"' inside an unquoted field"
                       : *r->at == '\r' ? "carriage return without line feed"
                       : *r->at == '\0' ? "NUL byte"
                                        : "text after a closing quote";
    return fail_in_file(r->err, r->file, r->line, "%s", what);
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
static bool read_quoted(Reader *r, Value *field) {
    size_t opened = r->line;
    char *start = ++r->at, *to = start;
    for (;; r->at++) {
        if (*r->at == '"' && *++r->at != '"')
            break;
        if (r->at == r->end)
            return fail_in_file(r->err, r->file, opened, "quoted field without an end");
        if (*r->at == '\0')
            return bad_byte(r);
        r->line += *r->at == '\n';
        *to++ = *r->at;
    }
    *field = field_value(start, (size_t)(to - start));
    return true;
}

/* Passes what ends a field: a comma, or the end of a line or of the file. */
static bool read_separator(Reader *r, bool *last) {
    *last = true;
    if (*r->at == ',')
        *last = false;
    else if (*r->at == '\r' && r->at[1] == '\n')
        r->at++;
    else if (r->at == r->end)
        return true;
    else if (*r->at != '\n')
        return bad_byte(r);
    r->line += *r->at == '\n';
    r->at++;
    return true;
}

static bool read_field(Reader *r, Value *field, bool *last) {
    if (*r->at != '"')
        *field = read_plain(r);
    else if (!read_quoted(r, field))
        return false;
    return read_separator(r, last);
}

/* ---- tables ---- */

static bool check_name(Reader *r, const Table *t) {
    const Column *added = &t->columns[t->ncolumns];
    if (!added->name.length)
        return fail_in_file(r->err, r->file, 1, "column %zu has no name",
                            t->ncolumns + 1);
    for (size_t i = 0; i < t->ncolumns; i++) {
        if (text_same(t->columns[i].name, added->name))
            return fail_in_file(r->err, r->file, 1, "column '%.*s' appears twice",
                                (int)added->name.length, added->name.at);
    }
    return true;
}

static bool read_header(Reader *r, Table *t) {
    if (r->at == r->end)
        return fail_in_file(r->err, r->file, 1, "empty file, no column names");
    t->columns = malloc(MAX_COLUMNS * sizeof *t->columns);
    if (!t->columns)
        return fail_memory(r->err);
    for (bool last = false; !last; t->ncolumns++) {
        Value field;
        if (t->ncolumns == MAX_COLUMNS)
            return fail_in_file(r->err, r->file, 1, "more than %d columns", MAX_COLUMNS);
        if (!read_field(r, &field, &last))
            return false;
        t->columns[t->ncolumns] = (Column){.type = V_TEXT};
        if (field.type == V_TEXT)
            t->columns[t->ncolumns].name = (Text){field.s, field.length};
        if (!check_name(r, t))
            return false;
    }
    return true;
}

/* Makes room for one more row. */
static bool extend_cells(Table *t, size_t *capacity, Error *err) {
    if (t->nrows < *capacity)
        return true;
    size_t rows = *capacity ? 2 * *capacity : 64;
    if (rows >= UINT32_MAX || rows > SIZE_MAX / sizeof(Value) / t->ncolumns)
        return fail_in_file(err, t->file, 0, "too many rows");
    Value *cells = realloc(t->cells, rows * t->ncolumns * sizeof *cells);
    if (!cells)
        return fail_memory(err);
    t->cells = cells;
    *capacity = rows;
    return true;
}

static bool read_row(Reader *r, const Table *t, Value *row) {
    size_t line = r->line, count = 0;
    Value surplus;
    for (bool last = false; !last; count++) {
        if (!read_field(r, count < t->ncolumns ? &row[count] : &surplus, &last))
            return false;
    }
    if (count != t->ncolumns)
        return fail_in_file(r->err, r->file, line, "%zu fields, but %zu columns", count,
                            t->ncolumns);
    return true;
}

static bool read_rows(Reader *r, Table *t) {
    size_t capacity = 0;
    while (r->at < r->end) {
        if (!extend_cells(t, &capacity, r->err) ||
            !read_row(r, t, &t->cells[t->nrows * t->ncolumns]))
            return false;
        t->nrows++;
    }
    return true;
}

/* ---- types ---- */

static bool is_digit_or(char c, const char *others) {
    return (c >= '0' && c <= '9') || (c && strchr(others, c));
}

static bool field_number(Value field, Value *number) {
    bool whole;
    if (!is_digit_or(field.s[0], "+-.") || !is_digit_or(field.s[field.length - 1], "."))
        return false;
    *number = number_prefix(field.s, field.length, &whole);
    return whole;
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

static bool convert_columns(Table *t, Error *err) {
    Value *numbers = malloc((t->nrows + 1) * sizeof *numbers);
    if (!numbers)
        return fail_memory(err);
    for (size_t column = 0; column < t->ncolumns; column++)
        convert_column(t, column, numbers);
    free(numbers);
    return true;
}

/* Fills a table from the text of its file, which it takes over: malloc'ed, less than 4
   GiB, with a NUL behind. On failure, too, the table must be freed. */
bool table_parse(Table *t, char *text, size_t size, Error *err) {
    t->text = text;
    Reader r = {.file = t->file, .at = text, .end = text + size, .line = 1, .err = err};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.at += 3; /* a byte order mark */
    return read_header(&r, t) && read_rows(&r, t) && convert_columns(t, err);
}

/* Reads the file t->file. */
bool table_load(Table *t, Error *err) {
    Buffer text = {0};
    if (file_read(t->file, &text, err))
        return table_parse(t, text.data, text.size, err);
    free(text.data);
    return false;
}

/* Makes sure that a column has an index. */
bool table_index(Table *t, size_t column, Error *err) {
    Column *c = &t->columns[column];
    if (!c->index)
        c->index = btree_build(t->cells + column, t->ncolumns, t->nrows);
    return c->index || fail_memory(err);
}

void table_drop_indexes(Table *t) {
    for (size_t i = 0; i < t->ncolumns; i++) {
        btree_free(t->columns[i].index);
        t->columns[i].index = NULL;
    }
}

/* Forgets the contents; file and name stay, so that the table can be loaded again. */
void table_free(Table *t) {
    table_drop_indexes(t);
    free(t->columns);
    free(t->cells);
    free(t->text);
    *t = (Table){.file = t->file, .name = t->name};
}

/* ---- writing ---- */

static bool needs_quotes(Value v) {
    for (size_t i = 0; i < v.length; i++) {
        if (special[(unsigned char)v.s[i]])
            return true;
    }
    return v.length == 0; /* unlike NULL */
}

static bool write_quoted(Buffer *out, Value v) {
    bool ok = buffer_append(out, "\"", 1);
    const char *s = v.s, *end = v.s + v.length;
    for (const char *quote; ok && (quote = memchr(s, '"', (size_t)(end - s)));
         s = quote + 1)
        ok =
            buffer_append(out, s, (size_t)(quote + 1 - s)) && buffer_append(out, "\"", 1);
    return ok && buffer_append(out, s, (size_t)(end - s)) && buffer_append(out, "\"", 1);
}

static bool write_value(Buffer *out, Value v) {
    char number[NUMBER_SIZE];
    switch (v.type) {
    case V_NULL:
        return true;
    case V_TEXT:
        return needs_quotes(v) ? write_quoted(out, v) : buffer_append(out, v.s, v.length);
    default:
        return buffer_append(out, number, value_format(v, number));
    }
}

/* Appends one record; false without memory. NULL is an empty field, empty text is "". */
bool csv_write_row(Buffer *out, const Value *row, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (i && !buffer_append(out, ",", 1))
            return false;
        if (!write_value(out, row[i]))
            return false;
    }
    return buffer_append(out, "\n", 1);
}
