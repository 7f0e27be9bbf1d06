/* process.c: the server as a child process. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT_MS = 10000, EXEC_FAILED = 127 };

/* The server ends when this process does, however that happens. */
static void become_server(const char *path, bool in_turn, int output) {
    char *const arguments[] = {
        (char *)path, "--port", "0", in_turn ? "--clock-step" : NULL, "1", NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(output, STDOUT_FILENO) >= 0)
        execv(path, arguments);
    fprintf(stderr, "kvload: %s: %s\n", path, strerror(errno));
    _exit(EXEC_FAILED);
}

bool process_start(struct process *process, const char *path, bool in_turn) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    process->pid = fork();
    if (process->pid == 0)
        become_server(path, in_turn, ends[1]);
    close(ends[1]);
    process->output = ends[0];
    return process->pid > 0;
}

/* Reads up to the end of a line; false if that does not come in time. */
static bool read_line(int fd, char *line, size_t size) {
    size_t length = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (length + 1 < size && poll(&ready, 1, TIMEOUT_MS) > 0) {
        ssize_t got = read(fd, line + length, size - 1 - length);
        if (got <= 0)
            return false;
        length += (size_t)got;
        line[length] = '\0';
        if (strchr(line, '\n') != NULL)
            return true;
    }
    return false;
}

bool process_await(const struct process *process, uint16_t *port) {
    static const char ready[] = "ready 127.0.0.1:";
    char line[256];
    if (read_line(process->output, line, sizeof(line)) &&
        strncmp(line, ready, sizeof(ready) - 1) == 0) {
        unsigned long number = strtoul(line + sizeof(ready) - 1, NULL, 10);
        *port = number <= UINT16_MAX ? (uint16_t)number : 0;
        if (*port != 0)
            return true;
    }
    fprintf(stderr, "kvload: the server did not become ready\n");
    return false;
}

/* Its standard output ends when it does. */
static void kill_if_it_stays(const struct process *process) {
    struct pollfd end = {.fd = process->output, .events = POLLIN};
    if (poll(&end, 1, TIMEOUT_MS) == 0)
        kill(process->pid, SIGKILL);
}

static double seconds(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

bool process_stop(struct process *process) {
    int status;
    struct rusage used;
    pid_t ended;
    kill(process->pid, SIGTERM);
    kill_if_it_stays(process);
    while ((ended = wait4(process->pid, &status, 0, &used)) < 0 && errno == EINTR)
        continue;
    close(process->output);
    if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "kvload: the server did not end with status 0\n");
        return false;
    }
    process->cpu_s = seconds(used.ru_utime) + seconds(used.ru_stime);
    return true;
}
