#include "transport/file_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How often a look-up is repeated that a rename somewhere has disturbed. */
#define TRIES 16

/* NONBLOCK, as opening a pipe would else wait for its writer. */
#define FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static sio_error error_of(int number)
{
    switch (number) {
    case EMFILE:
    case ENFILE:
    case EIO:
    case EAGAIN:
    case EINTR:
        return SIO_ERR_IO;
    case ENOMEM:
        return SIO_ERR_NO_MEMORY;
    default:
        return SIO_ERR_FILE;
    }
}

/* Looks at what was opened, taking `fd`; -1 for a failure in errno. */
static sio_error inspect(int fd, tp_file *out)
{
    struct stat st;
    if (fd < 0) {
        return error_of(errno);
    }
    if (fstat(fd, &st) != 0) {
        sio_error err = error_of(errno);
        close(fd);
        return err;
    }
    if (S_ISREG(st.st_mode)) {
        *out = (tp_file){fd, (uint64_t)st.st_size, st.st_mtim};
        return SIO_OK;
    }
    close(fd);
    if (!S_ISDIR(st.st_mode)) {
        return SIO_ERR_FILE;
    }
    *out = (tp_file){.fd = -1};
    return SIO_OK;
}

/* Opens one segment, which is no link. */
static int open_segment(int dir, const char *from, size_t len, int flags)
{
    char name[NAME_MAX + 1];
    int fd;
    if (len > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, from, len);
    name[len] = '\0';
    do {
        fd = openat(dir, name, flags | O_NOFOLLOW);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

sio_error tp_file_open_walking(int dir, const char *path, tp_file *out)
{
    int at = dir;
    const char *slash;
    while ((slash = strchr(path, '/')) != NULL) {
        int next = open_segment(at, path, (size_t)(slash - path),
                                O_PATH | O_DIRECTORY | O_CLOEXEC);
        int saved = errno;
        if (at != dir) {
            close(at);
        }
        if (next < 0) {
            return error_of(saved);
        }
        at = next;
        path = slash + 1;
    }
    sio_error err = inspect(open_segment(at, path, strlen(path), FLAGS), out);
    if (at != dir) {
        close(at);
    }
    return err;
}

sio_error tp_file_open(int dir, const char *path, tp_file *out)
{
    struct open_how how = {
        .flags = FLAGS,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd;
    int tries = 0;
    do {
        fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
    } while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < TRIES);
    /* Filters of system calls that do not know it answer EPERM. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
        return tp_file_open_walking(dir, path, out);
    }
    return inspect((int)fd, out);
}

sio_error tp_file_open_trusted(int dir, const char *path, tp_file *out)
{
    int fd;
    do {
        fd = openat(dir, path, FLAGS);
    } while (fd < 0 && errno == EINTR);
    return inspect(fd, out);
}
