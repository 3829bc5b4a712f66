#include "transport/front.h"

#include <malloc.h>

#include "transport/front_impl.h"

/* -------------------------------------------------------------- routing -- */

bool tp_front_is_ours(const tp_front_config *config, const tp_http_head *head,
                      sio_bytes *below)
{
    sio_bytes path = config->path;
    *below = (sio_bytes){0};
    if (head->form != TP_HTTP_FORM_ORIGIN || head->path.len < path.len ||
        memcmp(head->path.base, path.base, path.len) != 0) {
        return false;
    }
    sio_bytes rest = {head->path.base + path.len, head->path.len - path.len};
    if (rest.len != 0 && rest.base[0] == '/') {
        *below = (sio_bytes){rest.base + 1, rest.len - 1};
        return true;
    }
    return !config->trailing_slash;
}

static bool is_websocket_upgrade(const tp_http_head *head)
{
    sio_bytes upgrade = tp_http_header_find(head, SIO_LIT("upgrade"));
    return head->upgrade &&
           tp_http_list_has_token(upgrade, SIO_LIT("websocket"));
}

/* A request that is not for the engine.  Returns whether its body, if it has
 * not come yet, is of interest. */
static bool lead_elsewhere(tp_front *front, tp_http_conn *conn,
                           const tp_http_request *req, bool whole)
{
    const tp_front_config *config = front->config;
    if (is_websocket_upgrade(req->head)) {
        tp_http_conn_foreign(conn, config->destroy_upgrade
                                       ? config->destroy_upgrade_timeout
                                       : 0);
        return false;
    }
    if (front->hooks->other != NULL &&
        front->hooks->other(front->app, conn, req, whole)) {
        return true;
    }
    tp_http_answer_send(conn,
                        &(tp_http_answer){.status = 404, .close = !whole});
    return false;
}

/* Whether `word` is a part of `text`: memmem() prepares for more than a line.
 */
static bool has_word(sio_bytes text, sio_bytes word)
{
    if (text.len < word.len) {
        return false; /* where there is no text there is no base to add to */
    }
    const uint8_t *at = text.base, *end = at + text.len;
    while (at != NULL && (size_t)(end - at) >= word.len) {
        if (memcmp(at, word.base, word.len) == 0) {
            return true;
        }
        at = memchr(at + 1, word.base[0], (size_t)(end - at - 1));
    }
    return false;
}

/* Sets the header lines that go with whatever is answered to this request.
 * Returns whether it may go on. */
static bool prepare(tp_front *front, tp_http_conn *conn,
                    const tp_http_head *head)
{
    sio_bytes agent = tp_http_header_find(head, SIO_LIT("user-agent"));
    bool old_ie = has_word(agent, SIO_LIT(";MSIE")) ||
                  has_word(agent, SIO_LIT("Trident/"));
    sio_buf_deinit(&conn->extra);
    if (old_ie) {
        /* An answer without it is better than none. */
        (void)sio_buf_append(&conn->extra, SIO_LIT("X-XSS-Protection: 0\r\n"));
    }
    return tp_front_cors(front, conn, head);
}

/* A request below our path.  Returns as lead_elsewhere() does. */
static bool lead_in(tp_front *front, tp_http_conn *conn,
                    const tp_http_request *req, sio_bytes below, bool whole)
{
    const tp_http_head *head = req->head;
    bool welcome = conn->begun || prepare(front, conn, head);
    if (tp_front_is_preflight(front, head)) {
        if (whole) {
            tp_front_answer_preflight(front, conn, head);
        }
        return true;
    }
    if (!conn->begun && front->hooks->look != NULL &&
        !front->hooks->look(front->app, conn, req)) {
        return false;
    }
    if (front->client_files != NULL && below.len != 0 && whole &&
        tp_client_files_serve(front->client_files, conn, req, below,
                              (sio_bytes){0})) {
        return false;
    }
    if (!welcome) {
        tp_front_refuse_origin(front, conn, head, !whole);
        return false;
    }
    return tp_front_knock(front, conn, req, whole);
}

static bool lead(tp_front *front, tp_http_conn *conn,
                 const tp_http_request *req, bool whole)
{
    sio_bytes below;
    if (front->neighbours != NULL && !conn->begun &&
        tp_front_hand_over_to_neighbour(front, conn, req)) {
        return false;
    }
    bool ours = tp_front_is_ours(front->config, req->head, &below);
    if (ours && front->peer_count > 1 && !conn->begun &&
        tp_front_hand_over(front, conn, req)) {
        return false;
    }
    if (whole) {
        eio_count(front->engine, SIO_COUNTER_HTTP_REQUESTS);
    }
    return ours ? lead_in(front, conn, req, below, whole)
                : lead_elsewhere(front, conn, req, whole);
}

/* ---------------------------------------------------------- connections -- */

static bool on_begin(void *owner, tp_http_conn *conn,
                     const tp_http_request *req)
{
    return lead(owner, conn, req, false);
}

static void on_request(void *owner, tp_http_conn *conn,
                       const tp_http_request *req)
{
    tp_front *front = owner;
    if (front->closing) {
        conn->keep_alive = false;
    }
    (void)lead(front, conn, req, true);
}

static void on_refused(void *owner, tp_http_conn *conn,
                       const tp_http_head *head, sio_error err)
{
    tp_front *front = owner;
    char address[TP_ADDRESS_SIZE];
    sio_bytes below;
    if (head != NULL && tp_front_is_ours(front->config, head, &below)) {
        (void)prepare(front, conn, head); /* pages may read why */
    }
    eio_count(front->engine, SIO_COUNTER_HTTP_ERRORS);
    eio_count_error(front->engine, err);
    if (sio_log_wants(front->loop->log, SIO_LOG_WARN)) {
        (void)tp_stream_address(conn->stream, address);
        sio_log_write(front->loop->log, SIO_LOG_WARN, "http_refused",
                      "address %s: %s", address, sio_error_text(err));
    }
}

/* How many connections make a peak, and how long after it memory is returned:
 * what has gone by then may come again. */
#define PEAK_MIN 256
#define SHRINK_MS 250

/* The allocator keeps what was freed in between what is in use; it has to be
 * asked. */
static void on_shrink(sio_timer *timer)
{
    tp_front *front = SIO_OWNER(timer, tp_front, shrink);
    front->peak = front->open;
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

static void look_at_peak(tp_front *front)
{
    if (front->peak >= PEAK_MIN && front->open <= front->peak / 4) {
        sio_wheel_arm(&front->loop->wheel, &front->shrink,
                      front->loop->now + SHRINK_MS);
    }
}

void tp_front_connection_ended(tp_front *front)
{
    front->open--;
    look_at_peak(front);
    atomic_fetch_sub_explicit(&front->load, 1, memory_order_relaxed);
    eio_uncount(front->engine, SIO_COUNTER_CONNECTIONS);
    front->ended(front->app);
}

static void on_gone(void *owner, tp_http_conn *conn)
{
    (void)conn;
    tp_front_connection_ended(owner);
}

void tp_front_websocket_gone(void *front, tp_websocket *ws)
{
    (void)ws;
    tp_front_connection_ended(front);
}

static const tp_http_events http_events = {
    .begin = on_begin,
    .request = on_request,
    .refused = on_refused,
    .gone = on_gone,
};

void tp_front_init(tp_front *front)
{
    atomic_init(&front->load, 0);
    atomic_init(&front->coming, 0);
    front->shrink.fire = on_shrink;
    for (unsigned i = 0; i < 2; i++) {
        front->websocket_homes[i] = (tp_websocket_home){
            .loop = front->loop,
            .engine = front->engine,
            .protocol = i == 0 ? &eio_protocol_3 : &eio_protocol_4,
            .config = &front->config->websocket,
            .gone = tp_front_websocket_gone,
            .owner = front,
        };
    }
    sio_list_init(&front->gates);
    sio_list_init(&front->conns);
    sio_list_init(&front->websockets);
    sio_list_init(&front->exchanges);
}

void tp_front_deinit(tp_front *front)
{
    sio_wheel_cancel(&front->loop->wheel, &front->shrink);
    while (!sio_list_empty(&front->exchanges)) {
        tp_exchange_free(SIO_OWNER(front->exchanges.next, tp_exchange, link));
    }
}

tp_http_conn *tp_front_serve(tp_front *front, tp_stream *stream)
{
    tp_http_conn *conn = tp_http_conn_new(
        front->loop, stream, &front->config->http, &http_events, front);
    if (conn == NULL) {
        tp_front_connection_ended(front);
        return NULL;
    }
    sio_list_append(&front->conns, &conn->link);
    return conn;
}

tp_http_conn *tp_front_take(tp_front *front, tp_stream *stream)
{
    front->open++;
    front->peak = front->open > front->peak ? front->open : front->peak;
    eio_count(front->engine, SIO_COUNTER_CONNECTIONS);
    if (stream->wants_proxy) {
        tp_front_await_proxy(front, stream);
        return NULL;
    }
    return tp_front_serve(front, stream);
}

static unsigned load_of(const tp_front *front)
{
    return atomic_load_explicit(&front->load, memory_order_relaxed);
}

/* The kernel shares connections out by chance, and some last for hours.  So one
 * goes on to where there are least; a difference of one is not worth it. */
static tp_front *choose(tp_front *front)
{
    tp_front *least = front;
    for (unsigned i = 0; i < front->peer_count; i++) {
        if (load_of(front->peers[i]) < load_of(least)) {
            least = front->peers[i];
        }
    }
    return load_of(least) + 1 < load_of(front) ? least : front;
}

void tp_front_accept(void *owner, tp_stream *stream)
{
    tp_front *front = owner, *to = choose(front);
    if (stream->wants_proxy && !tp_front_trusts(front, stream)) {
        stream->ops->close(stream);
        return;
    }
    if (front->config->admission != NULL && !stream->wants_proxy &&
        !tp_front_lets_in(front, stream)) {
        stream->ops->close(stream);
        return;
    }
    atomic_fetch_add_explicit(&to->load, 1, memory_order_relaxed);
    if (to != front) {
        tp_front_pass_on(front, to, stream);
        return;
    }
    stream->ops->enter(stream, front->loop);
    (void)tp_front_take(front, stream);
}

void tp_front_close(tp_front *front)
{
    front->closing = true;
    tp_front_close_gates(front);
    sio_link *at = front->conns.next;
    while (at != &front->conns) {
        sio_link *next = at->next;
        tp_http_conn_finish(SIO_OWNER(at, tp_http_conn, link));
        at = next;
    }
}

void tp_front_abort(tp_front *front)
{
    tp_front_abort_gates(front);
    while (!sio_list_empty(&front->conns)) {
        tp_http_conn_abort(SIO_OWNER(front->conns.next, tp_http_conn, link));
    }
    while (!sio_list_empty(&front->websockets)) {
        tp_websocket_abort(tp_websocket_of_link(front->websockets.next));
    }
}
