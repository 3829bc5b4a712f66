/*
 * sioload, a load generator for Socket.IO servers:
 *
 *   sioload -m MODE [-p PORT] [-P PID] ...
 *
 * It speaks Socket.IO 5 over Engine.IO 4 as a client does, over WebSocket and
 * over long-polling, in one thread.  It compares every byte that comes back,
 * answers pings, and prints a line of JSON.  Its status is 0 when all was as
 * it has to be, 1 when something was not, 2 when it could not run.
 *
 * It connects to addresses within 127.0.0.0/8 only, and stops by itself.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "conn.h"
#include "load.h"
#include "message.h"
#include "run.h"
#include "traffic.h"

#define SENDERS_MAX 200
#define SECONDS_MAX 600
#define DESCRIPTORS_MORE 256 /* beside those of connections */

static void help(void)
{
    fputs(
        "sioload [-m MODE] [options]\n"
        "  -m echo|ack|poll|bcast|connect|idle|raw\n"
        "               (raw: echo of records, without WebSocket)\n"
        "  -a ADDRESS   127.x.y.z        -p PORT    -u PATH\n"
        "  -P PID       the server, whose CPU and memory is read from /proc\n"
        "  -n N         connections\n"
        "  -k K         events in flight per connection (bcast: per sender)\n"
        "  -s BYTES     of payload\n"
        "  -f plain|utf8|esc|json        what the payload is made of\n"
        "  -B N         bcast: senders\n"
        "  -r RATE      echo, ack, raw: events per second in all, instead of\n"
        "               one for each that has come back\n"
        "  -w SECONDS   of warming up    -t SECONDS that are measured\n"
        "  -c N         connections being opened at once\n"
        "  -H SECONDS   idle: how long to hold them\n"
        "  -x           a send() for each event\n"
        "  -l LABEL     copied to the output\n",
        stderr);
    exit(2);
}

static load_mode read_mode(const char *name)
{
    int mode = 0;
    while (mode < LOAD_MODES && strcmp(load_mode_names[mode], name) != 0) {
        mode++;
    }
    if (mode == LOAD_MODES) {
        help();
    }
    return (load_mode)mode;
}

static void read_option(int letter, const char *value)
{
    switch (letter) {
    case 'm':
        opts.mode = read_mode(value);
        break;
    case 'a':
        opts.address = value;
        break;
    case 'p':
        opts.port = atoi(value);
        break;
    case 'u':
        opts.path = value;
        break;
    case 'P':
        opts.server = atoi(value);
        break;
    case 'n':
        opts.conns = atoi(value);
        break;
    case 'k':
        opts.depth = atoi(value);
        break;
    case 's':
        opts.size = atoi(value);
        break;
    case 'f':
        opts.filler = value;
        break;
    case 'B':
        opts.senders = atoi(value);
        break;
    case 'r':
        opts.rate = atof(value);
        break;
    case 'w':
        opts.warm_s = atof(value);
        break;
    case 't':
        opts.measure_s = atof(value);
        break;
    case 'c':
        opts.opening_max = atoi(value);
        break;
    case 'H':
        opts.hold_s = atof(value);
        break;
    case 'l':
        opts.label = value;
        break;
    case 'x':
        opts.unbatched = true;
        break;
    default:
        help();
    }
}

static void read_options(int argc, char **argv)
{
    int letter;
    while ((letter = getopt(argc, argv,
                            "m:a:p:u:P:n:k:s:f:B:r:w:t:c:H:l:xh")) != -1) {
        read_option(letter, optarg);
    }
    if (optind != argc || opts.conns < 1 || opts.depth < 1 || opts.size < 1 ||
        opts.opening_max < 1 || opts.senders < 1 ||
        opts.senders > SENDERS_MAX || opts.senders > opts.conns ||
        opts.rate < 0 || opts.measure_s <= 0 || opts.measure_s > SECONDS_MAX ||
        opts.warm_s > SECONDS_MAX || opts.hold_s > SECONDS_MAX) {
        help();
    }
}

static void raise_limit(void)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)opts.conns * (opts.mode == LOAD_POLL ? 2 : 1) +
                    DESCRIPTORS_MORE;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted) {
        limit.rlim_max = wanted;
    }
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        die("cannot open %lu files: %s", (unsigned long)wanted,
            strerror(errno));
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    raise_limit();
    random_seed();
    conn_setup();
    message_prepare();
    traffic_setup();
    report result = run_all();
    return report_print(&result) ? 0 : 1;
}
