#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "transport/listener_impl.h"

/* How often the lock is tried, and how long to wait in between. */
#define LOCK_TRIES 100
#define LOCK_WAIT_MS 10

typedef struct unix_name {
    struct sockaddr_un at;
    socklen_t len;
} unix_name;

static bool is_abstract(const char *path)
{
    return path[0] == '@';
}

/* An abstract name begins with a NUL and has none at its end. */
static bool make_name(const char *path, unix_name *name)
{
    size_t len = strlen(path);
    size_t most = sizeof(name->at.sun_path) - (is_abstract(path) ? 0 : 1);
    if (len == 0 || len > most || strcmp(path, "@") == 0) {
        errno = len > most ? ENAMETOOLONG : EINVAL;
        return false;
    }
    *name = (unix_name){.at.sun_family = AF_UNIX};
    memcpy(name->at.sun_path, path, len);
    name->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (is_abstract(path)) {
        name->at.sun_path[0] = '\0';
    } else {
        name->len++;
    }
    return true;
}

/* ------------------------------------------------------------- the folder --
 */

static int open_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 2] = ".";
    if (len != 0) {
        memcpy(folder, path, len);
        folder[len] = '\0';
    }
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * Locks the folder of `path` against others of our kind: of two that find an
 * old file at once, the second must not remove the new one of the first.
 * Gives a descriptor that closing unlocks; -1 where the folder cannot be
 * locked, or not so soon.
 */
static int lock_folder(const char *path, int tries)
{
    static const struct timespec wait = {.tv_nsec = LOCK_WAIT_MS * 1000000L};
    int fd = open_folder(path);
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || --tries == 0) {
            return tp_listener_discard(fd);
        }
        (void)nanosleep(&wait, NULL);
    }
    return fd;
}

static void unlock_folder(int fd)
{
    if (fd >= 0) {
        (void)tp_listener_discard(fd);
    }
}

/* --------------------------------------------------------------- the file --
 */

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Whether the file is a socket at which nobody listens; errno tells why not. */
static bool is_left_over(const char *path, const unix_name *name)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        return false;
    }
    int fd = new_socket();
    if (fd < 0) {
        return false;
    }
    bool refused =
        connect(fd, (const struct sockaddr *)&name->at, name->len) != 0 &&
        errno == ECONNREFUSED;
    close(fd);
    errno = EADDRINUSE;
    return refused;
}

static int bind_name(int fd, const unix_name *name)
{
    return bind(fd, (const struct sockaddr *)&name->at, name->len);
}

static int bind_file(int fd, const char *path, const unix_name *name)
{
    if (bind_name(fd, name) == 0) {
        return 0;
    }
    if (errno != EADDRINUSE || !is_left_over(path, name) || unlink(path) != 0) {
        return -1;
    }
    return bind_name(fd, name);
}

/* The file gets the mode of the socket, less what umask takes, so that it is
 * never open to more than `mode` says. */
static int bind_with_mode(int fd, const char *path, const unix_name *name,
                          mode_t mode)
{
    if (mode == 0) {
        return bind_file(fd, path, name);
    }
    if (fchmod(fd, mode) != 0 || bind_file(fd, path, name) != 0) {
        return -1;
    }
    if (chmod(path, mode) != 0) {
        (void)unlink(path);
        return -1;
    }
    return 0;
}

/* Notes which file it is, to remove no other in its place. */
static int note_file(tp_listener_file *file, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return -1;
    }
    *file = (tp_listener_file){strdup(path), st.st_dev, st.st_ino};
    return file->path == NULL ? -1 : 0;
}

void tp_listener_remove_file(tp_listener *l)
{
    tp_listener_file *file = &l->file;
    struct stat st;
    if (file->path == NULL) {
        return;
    }
    int folder = lock_folder(file->path, 1);
    if (lstat(file->path, &st) == 0 && st.st_dev == file->device &&
        st.st_ino == file->inode) {
        (void)unlink(file->path);
    }
    unlock_folder(folder);
    free(file->path);
    file->path = NULL;
}

/* --------------------------------------------------------------- opening -- */

/* A socket that listens; -1 with errno. */
static int listen_at_file(tp_listener *l, const char *path,
                          const unix_name *name, mode_t mode, int backlog)
{
    int folder = lock_folder(path, LOCK_TRIES);
    int fd = folder < 0 && errno == EWOULDBLOCK ? -1 : new_socket();
    if (fd >= 0 && bind_with_mode(fd, path, name, mode) != 0) {
        fd = tp_listener_discard(fd);
    }
    if (fd >= 0 &&
        (listen(fd, backlog) != 0 || note_file(&l->file, path) != 0)) {
        (void)unlink(path);
        fd = tp_listener_discard(fd);
    }
    unlock_folder(folder);
    return fd;
}

static int listen_at_name(const unix_name *name, int backlog)
{
    int fd = new_socket();
    if (fd >= 0 && (bind_name(fd, name) != 0 || listen(fd, backlog) != 0)) {
        fd = tp_listener_discard(fd);
    }
    return fd;
}

sio_error tp_listener_open_unix(tp_listener *l, const char *path, unsigned mode,
                                int backlog)
{
    unix_name name;
    int fd = -1;
    l->backlog = backlog;
    if (make_name(path, &name)) {
        fd = is_abstract(path)
                 ? listen_at_name(&name, backlog)
                 : listen_at_file(l, path, &name, (mode_t)mode, backlog);
    }
    if (fd < 0) {
        sio_log_write(l->loop->log, SIO_LOG_ERROR, "listen_failed",
                      "path %s: %s", path, strerror(errno));
        return SIO_ERR_ADDRESS;
    }
    tp_listener_add(l, fd);
    tp_listener_start(l);
    return SIO_OK;
}
