#ifndef TP_HTTP1_H
#define TP_HTTP1_H

#include "base/bytes.h"
#include "engineio/request.h"
#include "socketio/error.h"

/* Room for the fields of one head; tp_http_limits.max_headers may ask for
 * fewer, never for more. */
#define TP_HTTP_HEADERS_MAX 128

/* Empty lines that are passed over in front of a request line (RFC 9112,
 * section 2.2). */
#define TP_HTTP_BLANKS_MAX 4

typedef struct tp_http_limits {
    uint32_t max_head;    /* bytes, from the first blank to the empty line */
    uint32_t max_headers; /* fields; more than HEADERS_MAX means HEADERS_MAX */
} tp_http_limits;

#define TP_HTTP_LIMITS_DEFAULT                                                 \
    {                                                                          \
        .max_head = 16384, .max_headers = TP_HTTP_HEADERS_MAX                  \
    }

typedef enum tp_http_method {
    TP_HTTP_METHOD_OTHER, /* see tp_http_head.method_name */
    TP_HTTP_METHOD_GET,
    TP_HTTP_METHOD_HEAD,
    TP_HTTP_METHOD_POST,
    TP_HTTP_METHOD_PUT,
    TP_HTTP_METHOD_DELETE,
    TP_HTTP_METHOD_OPTIONS,
    TP_HTTP_METHOD_PATCH
} tp_http_method;

typedef enum tp_http_version {
    TP_HTTP_VERSION_10,
    TP_HTTP_VERSION_11
} tp_http_version;

/* How the request-target is written (RFC 9112, section 3.2).  The authority
 * form belongs to CONNECT and is refused. */
typedef enum tp_http_form {
    TP_HTTP_FORM_ORIGIN,   /* /path?query */
    TP_HTTP_FORM_ABSOLUTE, /* http://authority/path?query */
    TP_HTTP_FORM_ASTERISK  /* *, with OPTIONS only */
} tp_http_form;

typedef enum tp_http_expect {
    TP_HTTP_EXPECT_NONE,
    TP_HTTP_EXPECT_CONTINUE, /* send a 100 before reading the body */
    TP_HTTP_EXPECT_UNKNOWN   /* answer 417 */
} tp_http_expect;

/* The name is a token, in the case it came in; the value is without the white
 * space around it, and may be empty. */
typedef eio_header tp_http_header;

/*
 * A request head.  All spans are borrowed from the bytes that were parsed.
 * What concerns framing has been judged already; `content_length` and
 * `chunked` never stand together.
 */
typedef struct tp_http_head {
    tp_http_method method;
    tp_http_version version;
    tp_http_form form;
    tp_http_expect expect;
    sio_bytes method_name;
    sio_bytes target;    /* the whole of it, as it was sent */
    sio_bytes authority; /* of the absolute form, which outranks Host; else
                            empty, base NULL */
    sio_bytes path;      /* undecoded; of the absolute form it may be empty,
                            which means "/"; of the asterisk form it is "*" */
    sio_bytes query;     /* undecoded, without its '?'; base NULL if there is
                            no '?' */
    sio_bytes host;      /* the field's value; base NULL if it is absent */
    uint64_t content_length; /* 0 if absent; at most INT64_MAX */
    bool has_content_length;
    bool chunked;
    bool has_body;   /* chunked, or a content_length above 0 */
    bool keep_alive; /* the client allows another request on the connection */
    bool upgrade;    /* HTTP/1.1, Connection names it, and Upgrade is there */
    size_t header_count;
    tp_http_header headers[TP_HTTP_HEADERS_MAX]; /* in order of arrival */
} tp_http_head;

/*
 * Looks for the end of the head that starts at `in`: the empty line, or what
 * a peer with bare line feeds takes for one, so that tp_http_head_parse() can
 * refuse it at once.  `seen` is the length of `in` in the last call that
 * returned SIO_MORE, 0 in the first; bytes before it are not searched again.
 *
 * Returns SIO_OK with the head's length, the end included, in `*len`, or
 * SIO_MORE, leaving `*len` alone, or fails with
 *   HTTP_HEADERS  no end within limits->max_head; see
 *                 tp_http_overflow_status()
 *   HTTP_SYNTAX   the first byte cannot start a request line (a TLS hello)
 */
sio_error tp_http_head_end(sio_bytes in, size_t seen,
                           const tp_http_limits *limits, size_t *len);

/*
 * Reads the whole head that tp_http_head_end() has delimited (RFC 9112,
 * sections 2 to 6 and 9).  Strict where leniency could make two readers
 * disagree: CRLF line ends only, one space between the parts of the request
 * line, no space before a colon, no folded lines, no control bytes.
 *
 * The request-target may hold any visible ASCII but '#', and bytes from 0x80,
 * which some clients send unescaped; neither affects framing.
 *
 * Leaves `*out` undefined when it fails, with
 *   HTTP_SYNTAX   malformed, or Host missing, repeated or malformed
 *   HTTP_VERSION  neither HTTP/1.0 nor HTTP/1.1
 *   HTTP_HEADERS  longer than the limits
 *   HTTP_FRAMING  Content-Length malformed or repeated, even if equal;
 *                 Transfer-Encoding malformed, repeated, beside
 *                 Content-Length, with chunked not last, or in HTTP/1.0
 *   HTTP_CODING   a well-formed Transfer-Encoding other than chunked alone
 * After any of them the connection has to be closed.
 */
sio_error tp_http_head_parse(sio_bytes head, const tp_http_limits *limits,
                             tp_http_head *out);

/* The value of the first field of that name, or a view with base NULL.
 * `lower_name` is in lower case; here and below, fields match in any. */
sio_bytes tp_http_header_find(const tp_http_head *head, sio_bytes lower_name);

/* The next field of that name behind `after`, which is one of head->headers,
 * or the first if `after` is NULL; NULL when there is none.  Borrowed from
 * `head`. */
const tp_http_header *tp_http_header_next(const tp_http_head *head,
                                          sio_bytes lower_name,
                                          const tp_http_header *after);

/* How many fields have that name. */
size_t tp_http_header_count(const tp_http_head *head, sio_bytes lower_name);

/* Whether the comma-separated list `value` has `token` among its elements,
 * in any case.  Parameters count as a part of their element. */
bool tp_http_list_has_token(sio_bytes value, sio_bytes token);

/* The status to refuse a request with after `err`: 500 for what is not the
 * client's fault, 503 for what passes. */
int tp_http_status_of(sio_error err);

/* The status to answer when tp_http_head_end() has failed with HTTP_HEADERS
 * over `in`: 414 if the request-target does not even end, else 431. */
int tp_http_overflow_status(sio_bytes in);

#endif
