#include "transport/exchange.h"

#include <stdlib.h>

#include "socketio/socketio.h"

/* An answer, or a verdict, on its way from another thread. */
typedef struct tp_far_answer {
    int status;
    char *text; /* content type, or why a handshake is refused; or NULL */
    size_t len; /* of the body, which lies behind */
    uint8_t body[];
} tp_far_answer;

static void on_lost(tp_http_waiter *waiter, sio_error why)
{
    (void)why;
    SIO_OWNER(waiter, tp_exchange, waiter)->conn = NULL;
}

tp_exchange *tp_exchange_new(tp_http_conn *conn, eio_request *request)
{
    tp_exchange *x = request == NULL ? NULL : calloc(1, sizeof(*x));
    if (x == NULL) {
        if (request != NULL) {
            tp_loop_lacks(conn->loop, "a request");
        }
        eio_request_unref(request);
        return NULL;
    }
    x->waiter.lost = on_lost;
    x->inbox = &conn->loop->inbox;
    x->conn = conn;
    x->request = request;
    return x;
}

void tp_exchange_attach(tp_exchange *x, sio_link *list)
{
    sio_list_append(list, &x->link);
    x->conn->waiter = &x->waiter;
}

void tp_exchange_free(tp_exchange *x)
{
    if (x->conn != NULL && x->conn->waiter == &x->waiter) {
        x->conn->waiter = NULL;
    }
    sio_link_drop(&x->link);
    free(x->arg);
    if (x->answer != NULL) {
        free(x->answer->text);
        free(x->answer);
    }
    sio_buf_deinit(&x->body);
    sio_buf_deinit(&x->headers);
    eio_request_unref(x->request);
    free(x);
}

/* ----------------------------------------------------------- public API -- */

static const char *text(sio_bytes bytes)
{
    return bytes.base == NULL ? NULL : (const char *)bytes.base;
}

const char *sio_http_method(const sio_http_request *request)
{
    return text(eio_request_method(request->request));
}

const char *sio_http_path(const sio_http_request *request)
{
    return text(eio_request_path(request->request));
}

const char *sio_http_query(const sio_http_request *request)
{
    return text(eio_request_query(request->request));
}

const char *sio_http_header(const sio_http_request *request, const char *name)
{
    return text(eio_request_header(
        request->request, (sio_bytes){(const uint8_t *)name, strlen(name)}));
}

const char *sio_http_address(const sio_http_request *request)
{
    return text(eio_request_address(request->request));
}

const char *sio_http_client_subject(const sio_http_request *request)
{
    return eio_request_subject(request->request);
}

bool sio_http_secure(const sio_http_request *request)
{
    return request->request->secure;
}

const void *sio_http_body(const sio_http_request *request, size_t *len)
{
    *len = request->body.len;
    return request->body.base;
}

static bool is_token(const char *s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (const char *c = s; *c != '\0'; c++) {
        bool alnum = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
                     (*c >= 'A' && *c <= 'Z');
        if (!alnum && strchr(others, *c) == NULL) {
            return false;
        }
    }
    return *s != '\0';
}

static bool is_value(const char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static sio_error append_text(sio_buf *buf, const char *s)
{
    return sio_buf_append(buf, (sio_bytes){(const uint8_t *)s, strlen(s)});
}

sio_error sio_http_add_header(sio_http_request *request, const char *name,
                              const char *value)
{
    sio_buf *lines = &request->headers;
    size_t before = lines->len;
    if (!is_token(name) || !is_value(value)) {
        return SIO_ERR_ARGUMENT;
    }
    if (append_text(lines, name) != SIO_OK ||
        append_text(lines, ": ") != SIO_OK ||
        append_text(lines, value) != SIO_OK ||
        append_text(lines, "\r\n") != SIO_OK) {
        lines->len = before;
        return SIO_ERR_NO_MEMORY;
    }
    return SIO_OK;
}

static bool is_here(const tp_exchange *x)
{
    return sio_owner_is_me(&x->inbox->owner);
}

/* NULL when memory is short. */
static tp_far_answer *pack(int status, const char *text, sio_bytes body)
{
    tp_far_answer *answer = malloc(sizeof(*answer) + body.len);
    char *copy = text == NULL ? NULL : strdup(text);
    if (answer == NULL || (text != NULL && copy == NULL)) {
        free(answer);
        free(copy);
        return NULL;
    }
    *answer = (tp_far_answer){.status = status, .len = body.len, .text = copy};
    if (body.len != 0) {
        memcpy(answer->body, body.base, body.len);
    }
    return answer;
}

/* Sends what is to be done to the loop, with what pack() gave.  Where that has
 * ended, the request is among those that are not answered. */
static void send_far(tp_exchange *x, void (*run)(sio_message *self),
                     tp_far_answer *answer)
{
    x->answer = answer;
    x->message = (sio_message){.run = run};
    (void)sio_inbox_post(x->inbox, &x->message);
}

/* There was no memory for the answer. */
static void lack(const tp_exchange *x)
{
    if (x->conn != NULL) {
        tp_loop_lacks(x->conn->loop, "an answer");
    }
}

static void run_respond(sio_message *message)
{
    tp_exchange *x = SIO_OWNER(message, tp_exchange, message);
    const tp_far_answer *a = x->answer;
    if (a == NULL) {
        lack(x);
        sio_http_respond(x, 503, NULL, NULL, 0);
    } else {
        sio_http_respond(x, a->status, a->text, a->body, a->len);
    }
}

void sio_http_respond(sio_http_request *request, int status,
                      const char *content_type, const void *body, size_t len)
{
    tp_exchange *x = request;
    if (!x->answers) {
        return; /* a hook may look and add headers, no more */
    }
    if (!is_here(x)) {
        send_far(x, run_respond,
                 pack(status, content_type, (sio_bytes){body, len}));
        return;
    }
    bool bad = status < 200 || status > 599 ||
               (content_type != NULL && !is_value(content_type));
    if (x->conn != NULL) {
        tp_http_answer answer = {
            .status = bad ? 500 : status,
            .type = bad ? NULL : content_type,
            .extra = sio_buf_view(&x->headers),
            .body = {body, bad ? 0 : len},
        };
        tp_http_answer_send(x->conn, &answer);
        x->conn = NULL;
    }
    tp_exchange_free(x);
}

/* A verdict is its exchange seen from the other side. */
struct sio_verdict {
    tp_exchange exchange;
};

static void run_allow(sio_message *message)
{
    tp_exchange *x = SIO_OWNER(message, tp_exchange, message);
    x->verdict(x, NULL);
}

static void run_refuse(sio_message *message)
{
    tp_exchange *x = SIO_OWNER(message, tp_exchange, message);
    tp_far_answer *a = x->answer;
    x->answer = NULL; /* it outlives the exchange */
    if (a == NULL) {
        lack(x);
        x->verdict(x, "Forbidden");
        return;
    }
    x->verdict(x, a->text);
    free(a->text);
    free(a);
}

void sio_verdict_allow(sio_verdict *verdict)
{
    tp_exchange *x = &verdict->exchange;
    if (is_here(x)) {
        x->verdict(x, NULL);
    } else {
        send_far(x, run_allow, NULL);
    }
}

void sio_verdict_refuse(sio_verdict *verdict, const char *message)
{
    tp_exchange *x = &verdict->exchange;
    message = message == NULL ? "Forbidden" : message;
    if (is_here(x)) {
        x->verdict(x, message);
    } else {
        send_far(x, run_refuse, pack(0, message, (sio_bytes){0}));
    }
}
