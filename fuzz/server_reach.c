#include "fuzz/server_reach.h"

#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = SIO_COUNTER_COUNT + 32 };

static struct {
    const char *name;
    unsigned long count;
} reached[NAMES_MAX];

void reach_noted(const char *name, unsigned long count)
{
    size_t i = 0;
    while (i < NAMES_MAX - 1 && reached[i].name != NULL &&
           strcmp(reached[i].name, name) != 0) {
        i++;
    }
    reached[i].name = name;
    reached[i].count += count;
}

void reach_server(const sio_server *server)
{
    for (int i = 0; i < SIO_COUNTER_COUNT; i++) {
        reach_noted(sio_counter_name((sio_counter)i),
                    (unsigned long)sio_server_counter(server, (sio_counter)i));
    }
}

void reach_app(const server_app *app, bool other)
{
    if (other) {
        reach_noted("other_events", app->events);
        return;
    }
    reach_noted("events", app->events);
    reach_noted("echoes", app->echoes);
    reach_noted("binaries", app->binaries);
    reach_noted("asked", app->asked);
    reach_noted("answers", app->answers);
    reach_noted("gathered", app->gathered);
    reach_noted("requests", app->requests);
    reach_noted("verdicts", app->verdicts);
    reach_noted("waited", app->waited);
    reach_noted("acks", app->acks);
    reach_noted("proxied", app->proxied);
    reach_noted("unix", app->local);
    reach_noted("read", app->read);
    reach_noted("packets", app->packets);
    reach_noted("outgoing", app->outgoing);
    reach_noted("drained", app->drained);
    reach_noted("failed", app->failed);
    reach_noted("rules", app->rules);
    reach_noted("claims", app->claims);
    reach_noted("late", app->late);
}

static bool is_reached(const char *name, size_t len)
{
    for (size_t i = 0; i < NAMES_MAX && reached[i].name != NULL; i++) {
        if (strlen(reached[i].name) == len &&
            memcmp(reached[i].name, name, len) == 0) {
            return reached[i].count != 0;
        }
    }
    return false;
}

bool reach_report(const char *wanted)
{
    bool all = true;
    (void)fprintf(stderr, "reached:");
    for (size_t i = 0; i < NAMES_MAX && reached[i].name != NULL; i++) {
        if (reached[i].count != 0) {
            (void)fprintf(stderr, " %s=%lu", reached[i].name, reached[i].count);
        }
    }
    (void)fprintf(stderr, "\n");
    for (wanted += strspn(wanted, " "); *wanted != '\0';
         wanted += strspn(wanted, " ")) {
        size_t len = strcspn(wanted, " ");
        if (!is_reached(wanted, len)) {
            (void)fprintf(stderr, "not reached: %.*s\n", (int)len, wanted);
            all = false;
        }
        wanted += len;
    }
    return all;
}
