/*
 * A chat: rooms, who is here, who types, a history in SQLite, pictures as
 * binary.  docs/chat.md lists the events.  This file reads the command line
 * and puts the parts together; people.c and messages.c hold the handlers.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "messages.h"
#include "people.h"
#include "socketio/socketio.h"
#include "store.h"

#ifndef CHAT_PAGE_DIR
#define CHAT_PAGE_DIR "examples/chat/page"
#endif

typedef struct options {
    const char *host;
    uint16_t port;
    const char *db;
    const char *page;
    const char *client_dir;
} options;

static const struct option long_options[] = {
    {"port", required_argument, NULL, 'p'},
    {"host", required_argument, NULL, 'h'},
    {"db", required_argument, NULL, 'd'},
    {"page", required_argument, NULL, 'g'},
    {"client-dir", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, '?'},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "chat [--port N] [--host ADDRESS] [--db FILE] [--page DIR]"
    " [--client-dir DIR]\n"
    "\n"
    "  --port        where to listen, 3000; 0 takes a free port\n"
    "  --host        address to listen on, all of them\n"
    "  --db          SQLite file of the history, chat.db\n"
    "  --page        folder of the page, " CHAT_PAGE_DIR "\n"
    "  --client-dir  folder of the official client's bundles\n";

static bool read_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

static bool read_options(int argc, char **argv, options *o)
{
    int which;
    while ((which = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (which) {
        case 'p':
            if (!read_port(optarg, &o->port)) {
                return false;
            }
            break;
        case 'h':
            o->host = optarg;
            break;
        case 'd':
            o->db = optarg;
            break;
        case 'g':
            o->page = optarg;
            break;
        case 'c':
            o->client_dir = optarg;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

static void on_log(void *arg, int level, const char *event, const char *text)
{
    (void)arg;
    (void)level;
    fprintf(stderr, "chat: %s: %s\n", event, text);
}

static sio_server *make_server(const options *o)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.threads = 1; /* people and rooms are plain lists, without locks */
    config.host = o->host;
    config.port = o->port;
    config.client_dir = o->client_dir;
    config.stop_on_signals = true;
    config.max_payload = 2 * RULES_IMAGE_BYTES; /* polling adds a third */
    config.on_log = on_log;
    return sio_server_new(&config);
}

static bool set_up(chat *c, sio_server *io, const char *page)
{
    c->nsp = sio_server_of(io, "/");
    if (c->nsp == NULL || !chat_load_rooms(c) || !chat_add_people_handlers(c) ||
        !chat_add_message_handlers(c)) {
        return false;
    }
    sio_error err = sio_server_serve_files(io, "/", page);
    if (err != SIO_OK) {
        fprintf(stderr, "chat: %s: %s\n", page, sio_error_text(err));
    }
    return err == SIO_OK;
}

static sio_error serve(sio_server *io, const char *host)
{
    sio_error err = sio_server_listen(io);
    if (err != SIO_OK) {
        return err;
    }
    const char *shown = host == NULL ? "localhost" : host;
    bool is_ipv6 = strchr(shown, ':') != NULL;
    printf("chat: http://%s%s%s:%u\n", is_ipv6 ? "[" : "", shown,
           is_ipv6 ? "]" : "", (unsigned)sio_server_port(io));
    fflush(stdout);
    return sio_server_run(io);
}

int main(int argc, char **argv)
{
    options o = {.port = 3000, .db = "chat.db", .page = CHAT_PAGE_DIR};
    if (!read_options(argc, argv, &o)) {
        fputs(usage, stderr);
        return 2;
    }
    int status = 1;
    chat c = {.store = store_open(o.db)};
    sio_server *io = c.store == NULL ? NULL : make_server(&o);
    if (io != NULL && set_up(&c, io, o.page)) {
        sio_error err = serve(io, o.host);
        if (err != SIO_OK) {
            fprintf(stderr, "chat: %s\n", sio_error_text(err));
        }
        status = err == SIO_OK ? 0 : 1;
    }
    /* Before the store: what is left of sockets goes with the server. */
    sio_server_free(io);
    store_close(c.store);
    return status;
}
