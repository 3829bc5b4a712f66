#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static sio_error ask_kernel(uint8_t *out, size_t len)
{
    while (len != 0) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return SIO_ERR_RANDOM;
        }
        out += n;
        len -= (size_t)n;
    }
    return SIO_OK;
}

static sio_error fill(sio_random *random, uint8_t *out, size_t len)
{
    if (len > sizeof(random->pool)) {
        return ask_kernel(out, len);
    }
    if (len > random->left) {
        /* What is left is too short; it goes with the rest. */
        random->left = 0;
        sio_error err = ask_kernel(random->pool, sizeof(random->pool));
        if (err != SIO_OK) {
            return err;
        }
        random->left = sizeof(random->pool);
    }
    uint8_t *from = random->pool + sizeof(random->pool) - random->left;
    memcpy(out, from, len);
    explicit_bzero(from, len);
    random->left -= len;
    return SIO_OK;
}

sio_error sio_random_fill(sio_random *random, void *out, size_t len)
{
    if (len == 0) {
        return SIO_OK;
    }
    sio_error err = fill(random, out, len);
    if (err != SIO_OK) {
        explicit_bzero(out, len);
    }
    return err;
}

void sio_random_deinit(sio_random *random)
{
    explicit_bzero(random, sizeof(*random));
}
