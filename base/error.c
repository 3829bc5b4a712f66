#include "socketio/error.h"

const char *sio_error_text(sio_error err)
{
    switch (err) {
    case SIO_OK:
        return "success";
    case SIO_MORE:
        return "more input needed";
#define SIO_ERROR_TEXT(name, code, text)                                       \
    case SIO_ERR_##name:                                                       \
        return text;
        SIO_ERROR_MAP(SIO_ERROR_TEXT)
#undef SIO_ERROR_TEXT
    }
    return "unknown error";
}
