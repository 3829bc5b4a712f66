/* Each allocation fails in turn while a server is at work: it goes on, only who
 * needed that memory may lose its session, and nothing is leaked.  Linked so
 * that the calls of the library to the allocator pass through here. */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/fault_scenes.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

void *__wrap_malloc(size_t size)
{
    return fault_strikes() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fault_strikes() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fault_strikes() ? NULL : __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fault_strikes() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fault_strikes() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fault_strikes() ? NULL : __real_strndup(text, len);
}

static turn_rig rig;
static turn_client bystander = {.fd = -1};
static size_t survived;

static void settle(const fault_scene *scene)
{
    turn_rig_settle(&rig, 1, 1);
    fault_bystander_check(&bystander, scene->msgpack);
}

/* One after the other, and from each on: how many there were. */
static void fail_each(const fault_scene *scene, size_t calls)
{
    for (int lasting = 0; lasting < 2; lasting++) {
        for (size_t at = 0; at < calls; at++) {
            fault_now = (fault){.lasting = lasting != 0, .at = at};
            (void)scene->play(&rig);
            survived += fault_has_struck();
            settle(scene);
        }
    }
}

static void play(const fault_scene *scene)
{
    size_t before = survived;
    fault_now = (fault){.at = FAULT_NEVER};
    fault_scene_open(scene, &rig);
    turn_rig_listen(&rig);
    fault_bystander_join(&bystander, &rig, scene->msgpack);
    fault_now.count = 0;
    if (!scene->play(&rig)) {
        fail_msg("%s fails by itself", scene->label);
    }
    size_t calls = fault_now.count;
    settle(scene);
    fail_each(scene, calls);
    assert_true(scene->play(&rig)); /* as if nothing had happened */
    settle(scene);
    turn_client_close(&bystander);
    turn_rig_free(&rig);
    print_message("# %s: %zu allocations, %zu failures survived\n",
                  scene->label, calls, survived - before);
}

static void test_scenes(void **state)
{
    (void)state;
    const char *only = getenv("FAULT_SCENE");
    for (size_t i = 0; i < fault_scene_count; i++) {
        if (only == NULL || strcmp(only, fault_scenes[i].label) == 0) {
            play(&fault_scenes[i]);
        }
    }
    print_message("# %zu failures survived\n", survived);
}

/* A server with two threads, up to where it would run. */
static sio_error set_up(void)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.host = "127.0.0.1";
    config.port = 0;
    config.threads = 2;
    config.recovery = true;
    config.deflate = true;
    config.cors_origin = "https://*.example.com, https://example.org";
    config.trusted_proxies = "10.0.0.0/8";
    config.max_sessions_per_address = 10;
    config.log_level = SIO_LOG_ERROR;
    fault_now.on = true;
    sio_server *server = sio_server_new(&config);
    sio_error err = SIO_ERR_NO_MEMORY;
    sio_namespace *nsp = server == NULL ? NULL : sio_server_of(server, "/a");
    if (nsp != NULL && sio_server_of_pattern(server, "/t-*") != NULL) {
        err = sio_server_listen(server);
    }
    fault_now.on = false;
    sio_server_free(server);
    return err;
}

static void test_setup(void **state)
{
    sio_error err;
    size_t at = 0;
    (void)state;
    do {
        fault_now = (fault){.at = at++};
        err = set_up();
        assert_true(err == SIO_OK || fault_has_struck());
        assert_true(err == SIO_OK || err == SIO_ERR_NO_MEMORY);
    } while (fault_has_struck());
    assert_int_equal(err, SIO_OK);
    assert_true(at > 10);
    print_message("# setup: %zu failures survived\n", at - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setup),
        cmocka_unit_test(test_scenes),
    };
    json_set_alloc_funcs(__wrap_malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
