#include "transport/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/writer.h"
#include "transport/file_conditions.h"
#include "transport/file_open.h"
#include "transport/file_path.h"
#include "transport/file_source.h"
#include "transport/http_date.h"
#include "transport/http_text.h"
#include "transport/mime.h"

/* Never changed once made, so that all loops may use it. */
struct tp_files {
    int dir;
    const sio_log *log; /* borrowed */
};

sio_error tp_files_new(const char *dir, const sio_log *log, tp_files **out)
{
    tp_files *files = malloc(sizeof(*files));
    if (files == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    files->log = log;
    files->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (files->dir < 0) {
        sio_log_write(log, SIO_LOG_ERROR, "files_folder", "%s: %s", dir,
                      strerror(errno));
        free(files);
        return SIO_ERR_FILE;
    }
    *out = files;
    return SIO_OK;
}

void tp_files_free(tp_files *files)
{
    if (files != NULL) {
        close(files->dir);
        free(files);
    }
}

/* ------------------------------------------------------------- finding -- */

/* Reads the end of the request's path that `path` is.  Returns false where it
 * names nothing below the folder. */
static bool read_path(const tp_http_head *head, sio_bytes path,
                      tp_file_path *out)
{
    if (path.len > head->path.len) {
        return false;
    }
    size_t before = head->path.len - path.len;
    bool slash = before == 0 ? path.len == 0 /* which stands for "/" */
                             : head->path.base[before - 1] == '/';
    if (path.len != 0 && path.base[0] == '/') {
        if (slash) {
            return false;
        }
        slash = true;
        path = (sio_bytes){path.base + 1, path.len - 1};
    }
    if (!slash && path.len != 0) {
        return false; /* a longer name than the folder's */
    }
    if (!tp_file_path_resolve(path, out)) {
        return false;
    }
    out->folder = out->folder && slash;
    return true;
}

/* Opens what stands at `path`.  `*moved` tells that it is a folder whose slash
 * was left out. */
static sio_error find(const tp_files *files, tp_file_path *path, tp_file *file,
                      bool *moved)
{
    *moved = !path->folder;
    if (*moved && path->len != 0) {
        sio_error err = tp_file_open(files->dir, path->text, file);
        if (err != SIO_OK || file->fd >= 0) {
            *moved = false;
            return err;
        }
    }
    if (!tp_file_path_add_index(path)) {
        return SIO_ERR_FILE;
    }
    sio_error err = tp_file_open(files->dir, path->text, file);
    return err == SIO_OK && file->fd < 0 ? SIO_ERR_FILE : err;
}

/* ----------------------------------------------------------- answering -- */

static sio_bytes text(const char *s)
{
    return (sio_bytes){(const uint8_t *)s, strlen(s)};
}

static void write_field(sio_writer *w, sio_bytes name, sio_bytes value)
{
    sio_write_bytes(w, name);
    sio_write_bytes(w, value);
    sio_write_bytes(w, SIO_LIT("\r\n"));
}

/* Sends the answer with `lines` between its own. */
static void send_answer(tp_http_conn *conn, tp_http_answer *answer,
                        sio_bytes extra, const sio_writer *lines)
{
    sio_buf all = {0};
    sio_error err = sio_buf_append(&all, extra);
    if (err == SIO_OK) {
        err = sio_buf_append(&all, (sio_bytes){lines->base, lines->len});
    }
    answer->extra = sio_buf_view(&all);
    if (err != SIO_OK) {
        tp_loop_lacks(conn->loop, "an answer");
        if (answer->source != NULL) {
            answer->source->close(answer->source);
        }
        *answer = (tp_http_answer){.status = 503};
    }
    tp_http_answer_send(conn, answer);
    sio_buf_deinit(&all);
}

static void write_range(sio_writer *w, const tp_file_verdict *verdict,
                        uint64_t size)
{
    sio_write_bytes(w, SIO_LIT("Content-Range: bytes "));
    if (verdict->status == 206) {
        sio_write_uint(w, verdict->first);
        sio_write_byte(w, '-');
        sio_write_uint(w, verdict->first + verdict->len - 1);
    } else {
        sio_write_byte(w, '*');
    }
    sio_write_byte(w, '/');
    sio_write_uint(w, size);
    sio_write_bytes(w, SIO_LIT("\r\n"));
}

static void write_lines(sio_writer *w, const tp_file_verdict *verdict,
                        const tp_file_facts *facts)
{
    char date[TP_HTTP_DATE_LEN + 1];
    tp_http_date_write(facts->modified, date);
    sio_write_bytes(w, SIO_LIT("Cache-Control: public, max-age=0\r\n"
                               "X-Content-Type-Options: nosniff\r\n"
                               "Accept-Ranges: bytes\r\n"));
    if (verdict->status != 416) {
        write_field(w, SIO_LIT("ETag: "), text(facts->etag));
        write_field(w, SIO_LIT("Last-Modified: "), text(date));
    }
    if (verdict->status == 206 || verdict->status == 416) {
        write_range(w, verdict, facts->size);
    }
}

/* Answers with the open `file`, taking it. */
static void answer_file(tp_http_conn *conn, const tp_http_request *req,
                        const tp_file *file, const tp_file_path *path,
                        sio_bytes extra)
{
    uint8_t room[512];
    sio_writer lines = {room, sizeof(room), 0};
    tp_file_facts facts;
    tp_file_facts_set(&facts, file->size, file->modified, time(NULL));
    tp_file_verdict verdict = tp_file_judge(req->head, &facts);
    tp_http_answer answer = {.status = verdict.status};

    write_lines(&lines, &verdict, &facts);
    if (verdict.status >= 300) {
        close(file->fd);
    } else {
        answer.type = tp_mime_type(text(path->text));
        answer.source =
            tp_file_source_new(file->fd, verdict.first, verdict.len);
        if (answer.source == NULL) {
            tp_loop_lacks(conn->loop, "an answer");
            answer = (tp_http_answer){.status = 503};
            lines.len = 0;
        }
    }
    send_answer(conn, &answer, extra, &lines);
}

/* Writes what was asked for with a slash behind its path.  What a reference
 * may not hold (RFC 3986, appendix A) is percent-encoded. */
static void write_location(sio_writer *w, const tp_http_head *head)
{
    static const char hex[] = "0123456789ABCDEF";
    const sio_bytes parts[] = {head->path, SIO_LIT("/"), SIO_LIT("?"),
                               head->query};
    sio_write_bytes(w, SIO_LIT("Location: "));
    for (size_t i = 0; i < (head->query.base == NULL ? 2 : 4); i++) {
        for (size_t k = 0; k < parts[i].len; k++) {
            uint8_t c = parts[i].base[k];
            if (c > ' ' && c < 0x7f && strchr("\"<>\\^`{|}", c) == NULL) {
                sio_write_byte(w, c);
                continue;
            }
            sio_write_byte(w, '%');
            sio_write_byte(w, (uint8_t)hex[c >> 4]);
            sio_write_byte(w, (uint8_t)hex[c & 15]);
        }
    }
    sio_write_bytes(w, SIO_LIT("\r\n"));
    write_field(w, SIO_LIT("Cache-Control: "), SIO_LIT("public, max-age=0"));
}

static void answer_moved(tp_http_conn *conn, const tp_http_request *req,
                         sio_bytes extra)
{
    tp_http_answer answer = {.status = 301};
    sio_writer lines = {NULL, 0, 0};
    write_location(&lines, req->head);
    lines = (sio_writer){malloc(lines.len), lines.len, 0};
    if (lines.base == NULL) {
        tp_loop_lacks(conn->loop, "an answer");
        answer.status = 503;
    } else {
        write_location(&lines, req->head);
    }
    send_answer(conn, &answer, extra, &lines);
    free(lines.base);
}

bool tp_files_serve(tp_files *files, tp_http_conn *conn,
                    const tp_http_request *req, sio_bytes path, sio_bytes extra)
{
    const tp_http_head *head = req->head;
    tp_file_path at;
    tp_file file;
    bool moved;
    if ((head->method != TP_HTTP_METHOD_GET &&
         head->method != TP_HTTP_METHOD_HEAD) ||
        !read_path(head, path, &at)) {
        return false;
    }
    sio_error err = find(files, &at, &file, &moved);
    if (err == SIO_ERR_FILE) {
        return false;
    }
    if (err != SIO_OK) {
        sio_log_write(files->log, SIO_LOG_ERROR, "files_open", "%s: %s",
                      at.text, sio_error_text(err));
        tp_http_answer_send(conn,
                            &(tp_http_answer){.status = 503, .extra = extra});
    } else if (moved) {
        close(file.fd);
        answer_moved(conn, req, extra);
    } else {
        answer_file(conn, req, &file, &at, extra);
    }
    return true;
}
