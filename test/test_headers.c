/* Built as C11 with every warning: what is installed needs nothing newer. */
#include "socketio/socketio.h"

#include "socketio/error.h"
#include "socketio/jansson.h"

#include <stdio.h>
#include <string.h>

#if __STDC_VERSION__ != 201112L
#error "has to be built as C11"
#endif

int main(void)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    int size = config.size == sizeof(config);
    int text = strcmp(sio_error_text(SIO_OK), "") != 0;

    printf("1..2\n");
    printf("%sok 1 - C11: the default config has its size\n",
           size ? "" : "not ");
    printf("%sok 2 - C11: an error has a text\n", text ? "" : "not ");
    return size && text ? 0 : 1;
}
