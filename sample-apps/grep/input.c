/*
 * input.c: where text comes from: files, directories, standard input; as whole lines.
 */
#include "grep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1 << 17 };

struct span take_line(struct span *lines) {
    size_t length = (size_t)(lines->end - lines->begin);
    const uint8_t *newline = memchr(lines->begin, NEWLINE, length);
    struct span line = {lines->begin, newline + 1};
    lines->begin = line.end;
    return line;
}

void input_free(struct input *in) {
    free(in->buffer);
    *in = (struct input){0};
}

void input_open(struct input *in, int fd) {
    in->fd = fd;
    in->used = in->filled = 1;
}

/* Byte 0 is the newline before the first line; there is room for one after the last. */
static bool grow(struct input *in) {
    size_t capacity = in->capacity ? in->capacity * 2 : BLOCK_BYTES;
    uint8_t *larger = capacity > in->capacity ? realloc(in->buffer, capacity) : NULL;
    errno = ENOMEM;
    if (!larger)
        return false;
    larger[0] = NEWLINE;
    in->buffer = larger;
    in->capacity = capacity;
    return true;
}

static ssize_t read_some(struct input *in) {
    if (in->filled + 1 >= in->capacity && !grow(in))
        return -1;
    ssize_t count;
    do
        count = read(in->fd, in->buffer + in->filled, in->capacity - in->filled - 1);
    while (count < 0 && errno == EINTR);
    return count;
}

/* Where the last line ends that ends in the last `count` bytes; 0 if none does. */
static size_t last_line_end(const struct input *in, size_t count) {
    for (size_t i = in->filled; i > in->filled - count; i--)
        if (in->buffer[i - 1] == NEWLINE)
            return i;
    return 0;
}

int input_next(struct input *in, struct span *block) {
    size_t tail = in->filled - in->used;
    if (tail)
        memmove(in->buffer + 1, in->buffer + in->used, tail);
    in->filled = 1 + tail;
    for (in->used = 0; in->used == 0;) {
        ssize_t count = read_some(in);
        if (count < 0)
            return -1;
        if (count == 0) {
            in->used = 1;
            if (in->filled == 1)
                return 0;
            in->buffer[in->filled++] = NEWLINE;
            in->used = in->filled;
        } else {
            in->filled += (size_t)count;
            in->used = last_line_end(in, (size_t)count);
        }
    }
    *block = (struct span){in->buffer + 1, in->buffer + in->used};
    return 1;
}

/* A path still to be visited; the end of the list is next. */
struct pending {
    char *path;
    size_t hidden; /* bytes at its front that are not shown, the "./" of a default */
    bool operand;  /* named by the user, not found in a directory */
};

struct walk {
    const struct visitor *visitor;
    struct pending *pending;
    size_t count, capacity;
};

static const char *shown(const struct pending *item) {
    return item->path[item->hidden] ? item->path + item->hidden : item->path;
}

/* Takes over the path. */
static bool push_path(struct walk *w, char *path, size_t hidden, bool operand) {
    if (path && w->count == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 64;
        struct pending *larger = realloc(w->pending, capacity * sizeof *larger);
        if (!larger) {
            free(path);
            return false;
        }
        w->pending = larger;
        w->capacity = capacity;
    }
    if (path)
        w->pending[w->count++] = (struct pending){path, hidden, operand};
    return path != NULL;
}

static char *join_path(const char *directory, const char *name) {
    size_t length = strlen(directory);
    bool slash = length > 0 && directory[length - 1] != '/';
    char *path = malloc(length + slash + strlen(name) + 1);
    if (!path)
        return NULL;
    memcpy(path, directory, length);
    if (slash)
        path[length] = '/';
    strcpy(path + length + slash, name);
    return path;
}

static int later_first(const void *a, const void *b) {
    const struct pending *x = a, *y = b;
    return strcmp(y->path, x->path);
}

static bool is_dots(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Adds what is in a directory, in such an order that the first name is visited next. */
static bool push_directory(struct walk *w, DIR *stream, const struct pending *directory) {
    size_t first = w->count;
    const struct dirent *entry;
    errno = 0;
    for (; (entry = readdir(stream)); errno = 0)
        if (!is_dots(entry->d_name) &&
            !push_path(w, join_path(directory->path, entry->d_name), directory->hidden,
                       false))
            return false;
    if (errno)
        w->visitor->error(w->visitor->context, shown(directory), strerror(errno));
    if (w->count > first)
        qsort(w->pending + first, w->count - first, sizeof *w->pending, later_first);
    return true;
}

/* Takes over the descriptor. */
static bool visit_directory(struct walk *w, int fd, const struct pending *item) {
    const struct visitor *v = w->visitor;
    DIR *stream = v->recursive ? fdopendir(fd) : NULL;
    if (!stream) {
        v->error(v->context, shown(item), strerror(v->recursive ? errno : EISDIR));
        close(fd);
        return true;
    }
    bool pushed = push_directory(w, stream, item);
    closedir(stream);
    return pushed;
}

/* Below a directory, links are not followed and devices not read. */
static bool is_wanted(const struct pending *item) {
    struct stat status;
    return item->operand || lstat(item->path, &status) != 0 || S_ISREG(status.st_mode) ||
           S_ISDIR(status.st_mode);
}

static bool visit(struct walk *w, const struct pending *item) {
    const struct visitor *v = w->visitor;
    struct stat status;
    if (item->operand && strcmp(item->path, "-") == 0) {
        v->file(v->context, STDIN_FILENO, "(standard input)", false);
        return true;
    }
    if (!is_wanted(item))
        return true;
    int fd = open(item->path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        v->error(v->context, shown(item), strerror(errno));
    } else if (S_ISDIR(status.st_mode)) {
        return visit_directory(w, fd, item);
    } else {
        v->file(v->context, fd, shown(item), !item->operand);
    }
    if (fd >= 0)
        close(fd);
    return true;
}

bool visit_paths(const struct visitor *visitor, char *const *paths, size_t count) {
    struct walk w = {.visitor = visitor};
    bool ready = true;
    for (size_t i = count; i > 0 && ready; i--)
        ready = push_path(&w, strdup(paths[i - 1]), 0, true);
    if (count == 0 && visitor->recursive)
        ready = push_path(&w, strdup("./"), 2, true);
    else if (count == 0)
        ready = push_path(&w, strdup("-"), 0, true);
    while (w.count > 0 && ready && !*visitor->stop) {
        struct pending item = w.pending[--w.count];
        ready = visit(&w, &item);
        free(item.path);
    }
    while (w.count > 0)
        free(w.pending[--w.count].path);
    free(w.pending);
    return ready;
}
