#ifndef SOCKETIO_LOG_H
#define SOCKETIO_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sio_log_level {
    SIO_LOG_ERROR = 1, /* something is broken here */
    SIO_LOG_WARN,      /* a limit was met, or something was refused */
    SIO_LOG_INFO,      /* rare events of normal life */
    SIO_LOG_DEBUG      /* what each connection does */
} sio_log_level;

/*
 * Receives one event: `event` is a short constant name such as
 * "session_closed", `text` one line for people with the session id, the
 * address and the limit concerned.  Both are borrowed until the call returns.
 * Called on the thread where it happened.
 */
typedef void sio_log_fn(void *arg, int level, const char *event,
                        const char *text);

#ifdef __cplusplus
}
#endif

#endif
