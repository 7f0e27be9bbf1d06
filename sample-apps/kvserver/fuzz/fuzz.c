/* fuzz.c: bytes as what a client sends, parsed and executed without a socket.
 * The first two bytes choose a memory limit and the size of the pieces in which the rest
 * arrives. */
#include "../kv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool deliver(struct session *session, struct server *server, const uint8_t *piece,
                    size_t length) {
    while (length > 0) {
        size_t room;
        char *to = request_room(&session->in, &room);
        if (to == NULL)
            return false;
        size_t some = length < room ? length : room;
        memcpy(to, piece, some);
        request_received(&session->in, some);
        piece += some;
        length -= some;
        while (session_run(session, server))
            buffer_consume(&session->out, buffer_length(&session->out));
        if (session->closing || session->out.failed)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct server server = {
        .max_clients = 1,
        .max_buffer = 1 << 20,
    };
    struct session session = {0};
    if (size < 2)
        return 0;
    size_t piece = data[1] == 0 ? size : data[1];
    memory_limit(data[0] == 0 ? SIZE_MAX : (size_t)data[0] * 64);
    command_prepare();
    session_open(&session, &server);
    for (size_t at = 2; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        server.db.now_ms++;
        if (!deliver(&session, &server, data + at, length))
            break;
        db_sweep(&server.db);
    }
    session_close(&session, &server);
    db_clear(&server.db);
    if (memory_used() != 0)
        abort();
    return 0;
}
