#include "transport/backend.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* Whether a descriptor is an epoll one that watches `fd`: proc(5), "fdinfo". */
static bool watches(const char *name, int fd)
{
    char path[64], line[128];
    bool found = false;
    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%.20s", name);
    FILE *file = fopen(path, "re");
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        found =
            strncmp(line, "tfd:", 4) == 0 && strtol(line + 4, NULL, 10) == fd;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

int tp_backend_find(int fd)
{
    DIR *dir = opendir("/proc/self/fdinfo");
    const struct dirent *entry;
    int found = -1;
    while (dir != NULL && found < 0 && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' && watches(entry->d_name, fd)) {
            found = (int)strtol(entry->d_name, NULL, 10);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return found;
}

void tp_backend_forget(int backend, int fd)
{
    if (backend >= 0) {
        /* It may not be there: libev adds it only before it sleeps. */
        (void)epoll_ctl(backend, EPOLL_CTL_DEL, fd, NULL);
    }
}
