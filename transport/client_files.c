#include "transport/client_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "transport/accept_encoding.h"
#include "transport/file_open.h"
#include "transport/file_source.h"

#define BUNDLES 8
#define VERSION_MAX 32

/* Room for the longest name with its suffix. */
#define NAME_SIZE 48

static const char *const names[BUNDLES] = {
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
};

/* Never changed once made, so that all loops may use it. */
struct tp_client_files {
    int dir;                   /* -1: nothing is served */
    const sio_log *log;        /* borrowed */
    unsigned offered[BUNDLES]; /* bits 1 << tp_coding; 0: not served */
    char etag[VERSION_MAX + 3];
};

/* ------------------------------------------------------------ at start -- */

/* Opens a bundle in one coding.  The folder is trusted, and links in it may
 * lead anywhere. */
static sio_error open_coded(const tp_client_files *files, size_t i,
                            tp_coding coding, tp_file *out)
{
    static const char *const suffixes[TP_CODING_COUNT] = {
        [TP_CODING_BR] = ".br",
        [TP_CODING_GZIP] = ".gz",
        [TP_CODING_IDENTITY] = "",
    };
    char name[NAME_SIZE];
    (void)snprintf(name, sizeof(name), "%s%s", names[i], suffixes[coding]);
    return tp_file_open_trusted(files->dir, name, out);
}

static void note_missing(const tp_client_files *files, size_t i,
                         tp_coding coding, sio_error err)
{
    if (coding == TP_CODING_IDENTITY) {
        sio_log_write(files->log, SIO_LOG_WARN, "client_files",
                      "%s is not served: %s", names[i], sio_error_text(err));
    } else {
        sio_log_write(files->log, SIO_LOG_INFO, "client_files",
                      "%s is not served as %.*s: %s", names[i],
                      (int)tp_coding_name(coding).len,
                      (const char *)tp_coding_name(coding).base,
                      sio_error_text(err));
    }
}

/* The coded forms are worth nothing without the plain one. */
static void look_for(tp_client_files *files, size_t i)
{
    for (size_t n = TP_CODING_COUNT; n-- > 0;) {
        tp_file file = {.fd = -1};
        tp_coding coding = (tp_coding)n;
        if (coding == TP_CODING_DEFLATE) {
            continue; /* not among the files */
        }
        sio_error err = open_coded(files, i, coding, &file);
        if (err == SIO_OK && file.fd >= 0) {
            close(file.fd);
            files->offered[i] |= 1u << n;
            continue;
        }
        note_missing(files, i, coding, err == SIO_OK ? SIO_ERR_FILE : err);
        if (coding == TP_CODING_IDENTITY) {
            return;
        }
    }
}

/* Makes the entity tag of what stands in VERSION, white space apart. */
static bool read_version(tp_client_files *files)
{
    char version[VERSION_MAX + 2]; /* a byte more shows what is too long */
    int fd = openat(files->dir, "VERSION",
                    O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, version, sizeof(version));
    close(fd);
    size_t len = got > 0 ? (size_t)got : 0;
    while (len != 0 && (uint8_t)version[len - 1] <= ' ') {
        len--;
    }
    if (len == 0 || len > VERSION_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (version[i] <= ' ' || version[i] > '~' || version[i] == '"') {
            return false;
        }
    }
    (void)snprintf(files->etag, sizeof(files->etag), "\"%.*s\"", (int)len,
                   version);
    return true;
}

sio_error tp_client_files_new(const char *dir, const sio_log *log,
                              tp_client_files **out)
{
    tp_client_files *files = calloc(1, sizeof(*files));
    if (files == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    files->log = log;
    files->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (files->dir < 0) {
        sio_log_write(log, SIO_LOG_WARN, "client_files",
                      "none is served: %s: %s", dir, strerror(errno));
    } else if (!read_version(files)) {
        sio_log_write(log, SIO_LOG_WARN, "client_files",
                      "none is served: no version in %s/VERSION", dir);
    } else {
        for (size_t i = 0; i < BUNDLES; i++) {
            look_for(files, i);
        }
    }
    *out = files;
    return SIO_OK;
}

void tp_client_files_free(tp_client_files *files)
{
    if (files == NULL) {
        return;
    }
    if (files->dir >= 0) {
        close(files->dir);
    }
    free(files);
}

/* ----------------------------------------------------------- answering -- */

static sio_bytes text(const char *s)
{
    return (sio_bytes){(const uint8_t *)s, strlen(s)};
}

/* The bundle of that name, or BUNDLES. */
static size_t index_of(const tp_client_files *files, sio_bytes name)
{
    size_t i = 0;
    while (i < BUNDLES &&
           (files->offered[i] == 0 || !sio_bytes_eq(name, text(names[i])))) {
        i++;
    }
    return i;
}

/* Compares with the whole field, as the official server does: no lists. */
static bool is_known(const tp_client_files *files, const tp_http_head *head)
{
    const sio_bytes name = SIO_LIT("if-none-match");
    sio_bytes value = tp_http_header_find(head, name);
    if (tp_http_header_count(head, name) != 1) {
        return false;
    }
    if (value.len >= 2 && memcmp(value.base, "W/", 2) == 0) {
        value = (sio_bytes){value.base + 2, value.len - 2};
    }
    return sio_bytes_eq(value, text(files->etag));
}

/* Answers with `source`, taking it, or 304 if it is NULL. */
static void answer(const tp_client_files *files, tp_http_conn *conn,
                   tp_http_source *source, size_t bundle, tp_coding coding,
                   sio_bytes extra)
{
    /* A map has an odd place in `names`. */
    const char *type = bundle % 2 == 0 ? "application/javascript; charset=utf-8"
                                       : "application/json; charset=utf-8";
    const sio_bytes pieces[] = {
        extra,
        SIO_LIT("Vary: Accept-Encoding\r\n"),
        SIO_LIT("Cache-Control: public, max-age=0\r\nETag: "),
        text(files->etag),
        SIO_LIT("\r\n"),
        SIO_LIT("Content-Encoding: "),
        tp_coding_name(coding),
        SIO_LIT("\r\n"),
    };
    size_t count = source == NULL ? 2 : coding == TP_CODING_IDENTITY ? 5 : 8;
    tp_http_answer a = {.status = 304};
    sio_buf lines = {0};
    sio_error err = SIO_OK;
    for (size_t i = 0; i < count && err == SIO_OK; i++) {
        err = sio_buf_append(&lines, pieces[i]);
    }
    a.extra = sio_buf_view(&lines);
    if (source != NULL) {
        a.status = 200;
        a.type = type;
        a.source = source;
    }
    if (err != SIO_OK) {
        tp_loop_lacks(conn->loop, "an answer");
        if (source != NULL) {
            source->close(source);
        }
        a = (tp_http_answer){.status = 503, .extra = extra};
    }
    tp_http_answer_send(conn, &a);
    sio_buf_deinit(&lines);
}

/* Opens the best form of a bundle that is still there. */
static sio_error open_best(const tp_client_files *files, size_t bundle,
                           const tp_http_head *head, tp_coding *coding,
                           tp_file *out)
{
    unsigned offered = files->offered[bundle];
    sio_error err;
    do {
        *coding = tp_coding_choose(head, offered);
        offered &= ~(1u << *coding);
        *out = (tp_file){.fd = -1};
        err = open_coded(files, bundle, *coding, out);
        if (err == SIO_OK && out->fd < 0) {
            err = SIO_ERR_FILE;
        }
    } while (err == SIO_ERR_FILE && *coding != TP_CODING_IDENTITY);
    return err;
}

bool tp_client_files_serve(tp_client_files *files, tp_http_conn *conn,
                           const tp_http_request *req, sio_bytes name,
                           sio_bytes extra)
{
    size_t bundle = index_of(files, name);
    tp_coding coding;
    tp_file file;
    if (bundle == BUNDLES) {
        return false;
    }
    if (is_known(files, req->head)) {
        answer(files, conn, NULL, bundle, TP_CODING_IDENTITY, extra);
        return true;
    }
    sio_error err = open_best(files, bundle, req->head, &coding, &file);
    tp_http_source *source = NULL;
    if (err == SIO_OK) {
        source = tp_file_source_new(file.fd, 0, file.size);
        err = source == NULL ? SIO_ERR_NO_MEMORY : SIO_OK;
    }
    if (err == SIO_OK) {
        answer(files, conn, source, bundle, coding, extra);
        return true;
    }
    sio_log_write(files->log, SIO_LOG_ERROR, "client_files", "%s: %s",
                  names[bundle], sio_error_text(err));
    if (err == SIO_ERR_FILE) {
        return false;
    }
    tp_http_answer_send(conn, &(tp_http_answer){.status = 503, .extra = extra});
    return true;
}
