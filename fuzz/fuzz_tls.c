/*
 * TLS between a stream and its owner.  Either the input is what an unknown peer
 * sends, or it is a list of what a client, the owner and the stream below do,
 * once a handshake is made: then what arrives is what was sent, in both
 * directions, however it was cut, held back or moved to another loop.
 */

#include <stdlib.h>
#include <string.h>

#include "test/tls_rig.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define MOST ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tls_rig rig;

static void prepare(void)
{
    static bool ready;
    if (!ready) {
        ready = true;
        tls_rig_init(&rig);
        tls_rig_open(&rig);
    }
}

/* ----------------------------------------------------------------- a peer --
 */

static void feed_unknown(sio_bytes in, size_t piece)
{
    tls_conn c;
    tls_conn_open(&c, &rig, NULL);
    c.client = 1; /* it is not asked */
    while (in.len != 0 && memory_stream_reads(&c.under)) {
        size_t n = piece < in.len && piece != 0 ? piece : in.len;
        size_t fed = memory_stream_feed(&c.under, (sio_bytes){in.base, n}, 0);
        in.base += fed;
        in.len -= fed;
        memory_loop_turn(&rig.loop);
    }
    REQUIRE(c.got.len == 0 && c.ends <= 1);
    memory_loop_advance(&rig.loop, 10000);
    REQUIRE(c.ends == 1 && c.why != SIO_OK);
    tls_conn_close(&c);
}

/* --------------------------------------------------------------- a script --
 */

/* The byte at a place of what is sent. */
static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

typedef struct script {
    tls_conn c;
    uint8_t *bytes; /* MOST of them, by the rule above */
    size_t said, sent, heard;
} script;

static void check_got(const script *s)
{
    REQUIRE(s->c.got.len <= s->said);
    REQUIRE(s->c.got.len == 0 ||
            memcmp(s->c.got.base, s->bytes, s->c.got.len) == 0);
}

static void say(script *s, size_t n)
{
    if (s->said + n <= MOST) {
        sio_bytes bytes = {s->bytes + s->said, n};
        s->said += n;
        tls_conn_say(&s->c, bytes);
    }
}

static void send_some(script *s, size_t n)
{
    size_t sent;
    if (n < 2 || s->sent + n > MOST) {
        return;
    }
    struct iovec pieces[2] = {{s->bytes + s->sent, n / 3},
                              {s->bytes + s->sent + n / 3, n - n / 3}};
    sio_error err = s->c.stream->ops->send(s->c.stream, pieces, 2, &sent);
    REQUIRE(err == SIO_OK && sent <= n);
    REQUIRE(sent == n || s->c.stream->blocked);
    s->sent += sent;
}

static void hear(script *s)
{
    int end;
    sio_buf heard = tls_conn_hear(&s->c, &end);
    REQUIRE(end == MBEDTLS_ERR_SSL_WANT_READ);
    REQUIRE(s->heard + heard.len <= s->sent);
    REQUIRE(heard.len == 0 ||
            memcmp(heard.base, s->bytes + s->heard, heard.len) == 0);
    s->heard += heard.len;
    sio_buf_deinit(&heard);
}

static void act(script *s, uint8_t what, size_t n)
{
    tls_conn *c = &s->c;
    switch (what % 8) {
    case 0:
        say(s, n);
        break;
    case 1:
        send_some(s, n);
        break;
    case 2:
        memory_stream_drain(&c->under, n);
        break;
    case 3:
        c->under.room = n;
        break;
    case 4:
        c->pauses = !c->pauses;
        break;
    case 5:
        c->stream->ops->pause(c->stream, false);
        memory_loop_turn(&rig.loop);
        break;
    case 6:
        c->piece = n;
        break;
    default:
        c->moves = &rig.loop;
        break;
    }
    check_got(s);
    hear(s);
}

/* All that was held back goes on its way. */
static void finish(script *s)
{
    tls_conn *c = &s->c;
    c->pauses = false;
    c->piece = 0;
    c->stream->ops->pause(c->stream, false);
    memory_stream_drain(&c->under, SIZE_MAX);
    tls_conn_pump(c);
    memory_stream_drain(&c->under, SIZE_MAX);
    check_got(s);
    hear(s);
    REQUIRE(c->got.len == s->said && s->heard == s->sent && c->ends == 0);
    REQUIRE(tls_conn_inside(c)->ssl.in_buf == NULL);
    tls_conn_close(c);
}

static void run_script(sio_bytes in)
{
    static uint8_t *bytes;
    static script s;
    if (bytes == NULL) {
        bytes = malloc(MOST);
        REQUIRE(bytes != NULL);
        for (size_t i = 0; i < MOST; i++) {
            bytes[i] = byte_at(i);
        }
    }
    s = (script){.bytes = bytes};
    tls_conn_shake(&s.c, &rig, NULL);
    for (size_t i = 0; i + 3 <= in.len && i < 180; i += 3) {
        act(&s, in.base[i], ((size_t)in.base[i + 1] << 8 | in.base[i + 2]) + 1);
    }
    finish(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    if (size < 2) {
        return 0;
    }
    sio_bytes rest = {data + 2, size - 2};
    if (data[0] % 2 == 0) {
        feed_unknown(rest, data[1]);
    } else {
        run_script(rest);
    }
    return 0;
}
