/*
 * With --hooks, in any profile: what an application may do to the requests of
 * the engine, as their query asks for it.
 *
 *   every request     X-First: 1 and X-Second: 2, by two engine middlewares
 *   mw=refuse         the second one refuses
 *   mw=answer         the second one answers 403 `no entry`
 *   id=ID             a new session gets that id; with nothing behind the `=`,
 *                     or one that is not allowed, it is refused
 *   X-Initial, X-Every    on the answer that opens a session, on every answer
 */

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "profiles.h"

static bool asks_for(sio_http_request *request, const char *what)
{
    char value[16];
    return query_value(sio_http_query(request), "mw", value, sizeof(value)) &&
           strcmp(value, what) == 0;
}

static bool on_first(sio_http_request *request, void *arg)
{
    (void)arg;
    return sio_http_add_header(request, "X-First", "1") == SIO_OK;
}

static bool on_second(sio_http_request *request, void *arg)
{
    (void)arg;
    if (asks_for(request, "refuse")) {
        return false;
    }
    if (asks_for(request, "answer")) {
        sio_http_respond(request, 403, "text/plain", "no entry", 8);
        return false;
    }
    return sio_http_add_header(request, "X-Second", "2") == SIO_OK;
}

static bool on_generate_id(sio_http_request *request,
                           char id[SIO_SESSION_ID_SIZE], void *arg)
{
    static atomic_uint count;
    (void)arg;
    if (query_value(sio_http_query(request), "id", id, SIO_SESSION_ID_SIZE)) {
        return id[0] != '\0';
    }
    snprintf(id, SIO_SESSION_ID_SIZE, "own-%u", count++);
    return true;
}

static void on_initial_headers(sio_http_request *request, void *arg)
{
    (void)arg;
    (void)sio_http_add_header(request, "X-Initial", "1");
}

static void on_headers(sio_http_request *request, void *arg)
{
    (void)arg;
    (void)sio_http_add_header(request, "X-Every", "1");
}

void hooks_configure(sio_server_config *config)
{
    config->on_generate_id = on_generate_id;
    config->on_initial_headers = on_initial_headers;
    config->on_headers = on_headers;
}

bool hooks_add(sio_server *server)
{
    return sio_server_use(server, on_first, NULL) == SIO_OK &&
           sio_server_use(server, on_second, NULL) == SIO_OK;
}
