#include <stdlib.h>

#include "socketio/adapter_impl.h"
#include "socketio/inquiry.h"

/*
 * A broadcast whose answers are gathered.  Each loop gathers what its own
 * sockets say; when that is whole, or time is up, it goes as a message to the
 * loop of whoever asked, where the parts are added up.
 */
typedef struct survey {
    sio_inquiry inquiry;
    sio_answers_fn *fn;
    void *arg;
    unsigned left; /* parts that are not home; this and what follows is for
                      that thread */
    size_t expected, got;
    sio_buf answers;
} survey;

static void free_survey(sio_inquiry *inquiry)
{
    survey *s = SIO_OWNER(inquiry, survey, inquiry);
    sio_buf_deinit(&s->answers);
    free(s);
}

/* Appends an answer, or several with commas between them. */
static sio_error append(sio_buf *answers, sio_bytes text)
{
    if (text.len == 0) {
        return SIO_OK;
    }
    sio_error err = sio_buf_reserve(answers, text.len + 1);
    if (err == SIO_OK && answers->len != 0) {
        err = sio_buf_append(answers, SIO_LIT(","));
    }
    return err == SIO_OK ? sio_buf_append(answers, text) : err;
}

/* A part has come home. */
static void add_up(sio_message *message)
{
    sio_inquiry_part *p = SIO_OWNER(message, sio_inquiry_part, whole);
    survey *s = SIO_OWNER(p->inquiry, survey, inquiry);
    s->expected += p->expected;
    if (append(&s->answers, sio_buf_view(&p->answers)) == SIO_OK) {
        s->got += p->got;
    }
    sio_buf_deinit(&p->answers);
    if (--s->left == 0) {
        s->fn(s->got == s->expected ? SIO_OK : SIO_ERR_TIMEOUT,
              (const char *)s->answers.base, s->answers.len, s->got,
              s->expected, s->arg);
    }
    sio_inquiry_unref(&s->inquiry);
}

/* The server is being freed, so nobody is told. */
static void drop(sio_message *message)
{
    sio_inquiry_part *p = SIO_OWNER(message, sio_inquiry_part, whole);
    sio_buf_deinit(&p->answers);
    sio_inquiry_unref(p->inquiry);
}

static void on_answered(sio_inquiry_part *p, const sio_event *answer)
{
    sio_binary binary;
    size_t len = 0;
    const char *first = sio_event_arg(answer, 0, &len);
    bool none =
        first == NULL || sio_event_arg_binary(answer, 0, &binary) == SIO_OK;
    sio_bytes text =
        none ? SIO_LIT("null") : (sio_bytes){(const uint8_t *)first, len};
    if (append(&p->answers, text) == SIO_OK) {
        p->got++;
    }
}

static void on_whole(sio_inquiry_part *p, bool at_home)
{
    if (at_home) {
        add_up(&p->whole);
        return;
    }
    p->whole = (sio_message){.run = add_up, .drop = drop};
    if (sio_inquiry_post_home(p->inquiry, &p->whole) != SIO_OK) {
        drop(&p->whole);
    }
}

static const sio_inquiry_user user = {NULL, on_answered, on_whole, free_survey};

sio_error sio_memory_emit_ack(void *self, const sio_broadcast *b,
                              const char *event, const sio_args *args,
                              uint32_t timeout_ms, sio_answers_fn *fn,
                              void *arg)
{
    (void)self;
    survey *s = sio_inquiry_new(sizeof(*s), b->nsp->core, &user);
    if (s == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    s->fn = fn;
    s->arg = arg;
    s->left = s->inquiry.loops;
    return sio_inquiry_send(&s->inquiry, b, event, args, timeout_ms);
}

sio_error sio_broadcast_emit_ack(sio_broadcast b, const char *event,
                                 uint32_t timeout_ms,
                                 sio_answers_fn *on_answers, void *arg,
                                 const char *format, ...)
{
    va_list list;
    sio_args args;
    if (timeout_ms == 0) {
        return SIO_ERR_ARGUMENT;
    }
    va_start(list, format);
    sio_error err = sio_pack(format, list, &args);
    va_end(list);
    if (err == SIO_OK) {
        err =
            sio_adapter_emit_ack(&b, event, &args, timeout_ms, on_answers, arg);
        sio_pack_free(&args);
    }
    return err;
}
