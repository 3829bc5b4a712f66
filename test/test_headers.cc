// Built as C++17: the headers can be used from C++, and link.
#include "socketio/socketio.h"

#include "socketio/error.h"
#include "socketio/jansson.h"

#include <cstdio>
#include <cstring>

static_assert(__cplusplus == 201703L, "has to be built as C++17");

int main()
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    bool size = config.size == sizeof(config);
    bool text = std::strcmp(sio_error_text(SIO_OK), "") != 0;

    std::printf("1..2\n");
    std::printf("%sok 1 - C++17: the default config has its size\n",
                size ? "" : "not ");
    std::printf("%sok 2 - C++17: an error has a text\n", text ? "" : "not ");
    return size && text ? 0 : 1;
}
