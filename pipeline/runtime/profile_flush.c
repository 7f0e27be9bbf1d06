/*
 * Linked into instrumented builds only: a process writes its profile however it ends,
 * except by a crash or by SIGKILL, and a forked child counts for itself.
 *
 * It takes the place of LLVM's own start-up code (InstrProfilingRuntime), so that the
 * profile is written here and once:
 *   - after the program's last exit handler, when it returns from main or calls exit or
 * quick_exit;
 *   - before _exit and _Exit, which end the process as before;
 *   - before exec and daemon, which end the program but not the process; what is counted
 * when they fail is added at the end;
 *   - by a signal that ends the program: one of those in `ending`, where the program has
 * left or restored the default. The process ends by that signal, so its parent sees no
 * difference, and the program itself still reads SIG_DFL. A handler of its own is left
 * alone. A forked child starts with counters at zero and a file name with its own process
 * ID. A child of vfork shares memory with its parent, which counts and writes for both.
 *
 * The file of the profile is open from the start, in a child from its fork: a program
 * that changes its root or its user, or shuts itself off from the file system, could not
 * open it in the end. Where the program has closed it, it is opened again by its name.
 *
 * The functions named __wrap_X stand for X in the program's own objects, by the linker's
 * --wrap=X; those in the program's shared libraries are as they were.
 *
 * Signals: writing a profile takes stdio and malloc, which are not async-signal-safe. A
 * program that is interrupted within them may deadlock or crash while it writes. Then it
 * ends by the signal all the same, after LONGEST_WRITE_S at most, and its counts are
 * lost.
 *
 * Losses are seen: with PGOLAB_PROCESSES naming a directory, each process has a file
 * there under its process ID. Its first byte is `w` when the profile is written and `-`
 * before; its second is `f` when LLVM's start-up code would have lost a profile; its
 * third is `l` when a child could leave no file of its own, as it had another user or
 * root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGEST_WRITE_S 5
#define FIRST_FD 500 /* out of the way of the program's own files */

/* LLVM's profiling runtime. That this is defined keeps its start-up code out. */
__attribute__((visibility("hidden"))) int __llvm_profile_runtime;
void __llvm_profile_initialize_file(void);
void __llvm_profile_set_filename(const char *pattern);
const char *__llvm_profile_get_filename(void);
void __llvm_profile_set_file_object(FILE *file, int merge);
void __llvm_profile_reset_counters(void);
int __llvm_profile_write_file(void);

static const int ending[] = {SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2};
#define ENDING (sizeof ending / sizeof *ending)

enum { COUNTING, WRITING, WRITTEN };
static atomic_int state;
static pid_t owner; /* the process whose counters these are */

/* Copies: a program may clear or overwrite its environment. */
static char pattern[PATH_MAX];
static char processes[PATH_MAX];

/* A file that is kept open; -1: none. A program may close it, and open another by its
 * number.
 */
struct kept {
    int file;
    dev_t device;
    ino_t inode;
};

static struct kept mark = {.file = -1}, raw = {.file = -1};
static FILE *raw_stream;

static bool is_open(const struct kept *kept) {
    struct stat now;
    return kept->file >= 0 && fstat(kept->file, &now) == 0 &&
           now.st_dev == kept->device && now.st_ino == kept->inode;
}

/* The file, made where it is not there; none unless it is an ordinary one. */
static struct kept keep(const char *path) {
    int flags = O_CREAT | O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    struct kept none = {.file = -1};
    struct stat now;
    int file = open(path, flags, 0666);
    if (file < 0)
        return none;
    int moved = fcntl(file, F_DUPFD_CLOEXEC, FIRST_FD);
    if (moved >= 0) {
        close(file);
        file = moved;
    }
    if (fstat(file, &now) != 0 || !S_ISREG(now.st_mode)) {
        close(file);
        return none;
    }
    return (struct kept){file, now.st_dev, now.st_ino};
}

static void let_go(struct kept *kept) {
    if (is_open(kept))
        close(kept->file);
    kept->file = -1;
}

static void note(off_t place, char what) {
    char path[PATH_MAX + 32];
    if (!processes[0])
        return;
    if (!is_open(&mark)) {
        snprintf(path, sizeof path, "%s/%ld", processes, (long)owner);
        mark = keep(path);
    }
    if (mark.file >= 0 && pwrite(mark.file, &what, 1, place) != 1)
        let_go(&mark);
}

static void note_counting(void) {
    note(0, '-');
}

static void note_written(void) {
    note(0, 'w');
}

static void note_use(void) {
    note(1, 'f');
}

/* With %m in the name, what is written is added to what the file has. */
static void keep_raw(void) {
    if (!strstr(pattern, "%m"))
        return;
    char *name = (char *)(uintptr_t)__llvm_profile_get_filename();
    if (!*name)
        return;
    raw = keep(name);
    free(name);
    raw_stream = raw.file >= 0 ? fdopen(raw.file, "r+") : NULL;
    __llvm_profile_set_file_object(raw_stream, 0);
}

/* The stream is not closed: it may have another file by now. */
static void let_raw_go(void) {
    let_go(&raw);
    raw_stream = NULL;
    __llvm_profile_set_file_object(NULL, 0);
}

static bool could_be_opened(void) {
    char *name = (char *)(uintptr_t)__llvm_profile_get_filename();
    int file = open(name, O_RDWR | O_CLOEXEC);
    if (file >= 0)
        close(file);
    if (*name)
        free(name);
    return file >= 0;
}

static bool write_profile(void) {
    if (raw_stream && !is_open(&raw))
        let_raw_go();
    if (raw_stream && !could_be_opened())
        note_use();
    if (__llvm_profile_write_file() == 0)
        return true;
    let_raw_go(); /* the runtime may have closed it */
    return false;
}

/* Writes what this process has counted, unless that is done; another thread's writing is
 * awaited. */
static void flush(void) {
    int expected = COUNTING;
    if (getpid() != owner)
        return;
    if (atomic_compare_exchange_strong(&state, &expected, WRITING)) {
        if (write_profile())
            note_written();
        atomic_store(&state, WRITTEN);
    }
    while (atomic_load(&state) == WRITING)
        sched_yield();
}

/* Where the process does not end by its last exit handler. */
static void flush_early(void) {
    if (getpid() == owner)
        note_use();
    flush();
}

/* After a flush: the process goes on, and what it counts now is added to what was
 * written. */
static void go_on(void) {
    int error = errno;
    if (getpid() == owner && atomic_load(&state) == WRITTEN) {
        __llvm_profile_reset_counters();
        note_counting();
        atomic_store(&state, COUNTING);
    }
    errno = error;
}

/* The runtime expands %p once, and ignores a pattern that is equal to the last one. */
static void name_after_owner(void) {
    char name[PATH_MAX + 32];
    const char *p = strstr(pattern, "%p");
    if (!p)
        return;
    snprintf(name, sizeof name, "%.*s%ld%s", (int)(p - pattern), pattern, (long)owner,
             p + 2);
    __llvm_profile_set_filename(name);
}

static void in_child(void) {
    struct kept inherited = mark;
    owner = getpid();
    mark.file = -1;
    let_raw_go();
    note_counting();
    if (mark.file < 0 && is_open(&inherited)) {
        ssize_t written = pwrite(inherited.file, "l", 1, 2);
        (void)written;
    }
    let_go(&inherited);
    note_use();
    __llvm_profile_reset_counters();
    name_after_owner();
    keep_raw();
    atomic_store(&state, COUNTING);
}

/* Signals */

int __real_sigaction(int number, const struct sigaction *action, struct sigaction *old);
int __wrap_sigaction(int number, const struct sigaction *action, struct sigaction *old);
void (*__wrap_signal(int number, void (*handler)(int)))(int);
void (*__wrap___sysv_signal(int number, void (*handler)(int)))(int);
void (*__real_signal(int number, void (*handler)(int)))(int);
void (*__real___sysv_signal(int number, void (*handler)(int)))(int);

static volatile sig_atomic_t received;

static void end_by_signal(int unused) {
    sigset_t this;
    (void)unused;
    __real_signal(received, SIG_DFL);
    sigemptyset(&this);
    sigaddset(&this, received);
    raise(received);
    pthread_sigmask(SIG_UNBLOCK, &this, NULL);
}

static void on_signal(int number) {
    static const int stuck[] = {SIGALRM, SIGABRT, SIGBUS, SIGSEGV};
    struct sigaction action = {.sa_handler = end_by_signal};
    sigset_t unblocked;
    if (atomic_load(&state) == WRITING) /* it is ending already */
        return;
    received = number;
    sigemptyset(&unblocked);
    for (size_t i = 0; i < sizeof stuck / sizeof *stuck; i++) {
        __real_sigaction(stuck[i], &action, NULL);
        sigaddset(&unblocked, stuck[i]);
    }
    pthread_sigmask(SIG_UNBLOCK, &unblocked, NULL);
    alarm(LONGEST_WRITE_S);
    flush_early();
    end_by_signal(0);
}

static int ends(int number) {
    for (size_t i = 0; i < ENDING; i++)
        if (ending[i] == number)
            return 1;
    return 0;
}

static int take(int number) {
    struct sigaction action = {.sa_handler = on_signal};
    for (size_t i = 0; i < ENDING; i++)
        sigaddset(&action.sa_mask, ending[i]);
    return __real_sigaction(number, &action, NULL);
}

static int is_default(const struct sigaction *action) {
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_DFL;
}

int __wrap_sigaction(int number, const struct sigaction *action, struct sigaction *old) {
    int result = __real_sigaction(number, action, old);
    if (result != 0)
        return result;
    if (old && !(old->sa_flags & SA_SIGINFO) && old->sa_handler == on_signal)
        *old = (struct sigaction){.sa_handler = SIG_DFL};
    return action && ends(number) && is_default(action) ? take(number) : 0;
}

static void (*shown(int number, void (*asked)(int), void (*old)(int)))(int) {
    if (old != SIG_ERR && asked == SIG_DFL && ends(number))
        take(number);
    return old == on_signal ? SIG_DFL : old;
}

void (*__wrap_signal(int number, void (*handler)(int)))(int) {
    return shown(number, handler, __real_signal(number, handler));
}

/* What `signal` is in a program that asks for standard C alone. */
void (*__wrap___sysv_signal(int number, void (*handler)(int)))(int) {
    return shown(number, handler, __real___sysv_signal(number, handler));
}

/* Start and end */

static void copy_variable(char *copy, const char *name) {
    const char *value = getenv(name);
    if (value && strlen(value) < PATH_MAX)
        memcpy(copy, value, strlen(value) + 1);
}

__attribute__((constructor(101))) static void begin(void) {
    struct sigaction now;
    copy_variable(pattern, "LLVM_PROFILE_FILE");
    copy_variable(processes, "PGOLAB_PROCESSES");
    __llvm_profile_initialize_file();
    owner = getpid();
    note_counting();
    keep_raw();
    pthread_atfork(NULL, NULL, in_child);
    at_quick_exit(flush_early);
    for (size_t i = 0; i < ENDING; i++)
        if (__real_sigaction(ending[i], NULL, &now) == 0 && is_default(&now))
            take(ending[i]);
}

__attribute__((destructor(101))) static void end(void) {
    flush();
}

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
_Noreturn void __wrap__Exit(int status);

void __wrap__exit(int status) {
    flush_early();
    __real__exit(status);
}

void __wrap__Exit(int status) {
    __wrap__exit(status);
}

int __real_daemon(int stay, int keep);
int __wrap_daemon(int stay, int keep);

int __wrap_daemon(int stay, int keep) {
    flush_early();
    int result = __real_daemon(stay, keep);
    go_on();
    return result;
}

/* The exec family: all but execve itself go by one of these three. */

int __real_execvpe(const char *file, char *const argv[], char *const envp[]);
int __real_execve(const char *path, char *const argv[], char *const envp[]);
int __real_fexecve(int file, char *const argv[], char *const envp[]);
int __wrap_execve(const char *path, char *const argv[], char *const envp[]);
int __wrap_execvpe(const char *file, char *const argv[], char *const envp[]);
int __wrap_fexecve(int file, char *const argv[], char *const envp[]);
int __wrap_execv(const char *path, char *const argv[]);
int __wrap_execvp(const char *file, char *const argv[]);
int __wrap_execl(const char *path, const char *first, ...);
int __wrap_execlp(const char *file, const char *first, ...);
int __wrap_execle(const char *path, const char *first, ...);

int __wrap_execve(const char *path, char *const argv[], char *const envp[]) {
    flush_early();
    int result = __real_execve(path, argv, envp);
    go_on();
    return result;
}

int __wrap_execvpe(const char *file, char *const argv[], char *const envp[]) {
    flush_early();
    int result = __real_execvpe(file, argv, envp);
    go_on();
    return result;
}

int __wrap_fexecve(int file, char *const argv[], char *const envp[]) {
    flush_early();
    int result = __real_fexecve(file, argv, envp);
    go_on();
    return result;
}

int __wrap_execv(const char *path, char *const argv[]) {
    return __wrap_execve(path, argv, environ);
}

int __wrap_execvp(const char *file, char *const argv[]) {
    return __wrap_execvpe(file, argv, environ);
}

/* Does `call` with argv, the words from first to NULL, and environment, which may follow
 * them. */
#define WITH_WORDS(first, envp, call)                                                    \
    do {                                                                                 \
        va_list list;                                                                    \
        size_t words = 1;                                                                \
        va_start(list, first);                                                           \
        while (va_arg(list, char *))                                                     \
            words++;                                                                     \
        va_end(list);                                                                    \
        char **argv = __builtin_alloca((words + 1) * sizeof *argv);                      \
        argv[0] = (char *)(uintptr_t)(first);                                            \
        va_start(list, first);                                                           \
        for (size_t i = 1; i <= words; i++)                                              \
            argv[i] = va_arg(list, char *);                                              \
        char *const *environment = envp;                                                 \
        va_end(list);                                                                    \
        return call;                                                                     \
    } while (0)

int __wrap_execl(const char *path, const char *first, ...) {
    WITH_WORDS(first, environ, __wrap_execve(path, argv, environment));
}

int __wrap_execlp(const char *file, const char *first, ...) {
    WITH_WORDS(first, environ, __wrap_execvpe(file, argv, environment));
}

int __wrap_execle(const char *path, const char *first, ...) {
    WITH_WORDS(first, va_arg(list, char *const *),
               __wrap_execve(path, argv, environment));
}
