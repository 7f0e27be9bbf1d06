/* session.c: one client, without its socket. */
#include "kv.h"

enum { OUTPUT_PAUSE = 256 * 1024 };

void session_open(struct session *session, struct server *server) {
    session->id = ++server->next_session;
    session->in.limit = session->out.limit = server->max_buffer;
    session->since_ms = session->progress_ms = server->db.now_ms;
    session->next = server->sessions;
    if (session->next != NULL)
        session->next->previous = session;
    server->sessions = session;
    server->session_count++;
}

void session_close(struct session *session, struct server *server) {
    if (session->previous == NULL)
        server->sessions = session->next;
    else
        session->previous->next = session->next;
    if (session->next != NULL)
        session->next->previous = session->previous;
    server->session_count--;
    request_free(&session->in);
    buffer_free(&session->out);
}

static bool run_one(struct session *session, struct server *server) {
    switch (request_next(&session->in)) {
    case REQUEST_INCOMPLETE:
        return false;
    case REQUEST_READY:
        command_run(server, session);
        return true;
    case REQUEST_INVALID:
        reply_error(&session->out, "ERR %s", session->in.error);
        session->closing = true;
        return true;
    }
    return false;
}

bool session_run(struct session *session, struct server *server) {
    bool executed = false;
    while (!session->closing && !session->out.failed &&
           buffer_length(&session->out) < OUTPUT_PAUSE && run_one(session, server))
        executed = true;
    session->progress |= executed;
    return executed;
}
