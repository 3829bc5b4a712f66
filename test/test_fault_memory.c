/* Each allocation fails in turn while a server is at work: it goes on, only who
 * needed that memory may lose its session, and nothing is leaked.  Those of
 * jansson, mbedTLS, zlib and libc count as well. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/fault_alloc.h"
#include "test/fault_scenes.h"

static turn_rig rig;
static turn_client bystander = {.fd = -1};
static size_t survived, silent;

static void settle(const fault_scene *scene)
{
    turn_rig_settle(&rig, 1, 1);
    assert_int_equal(fault_sockets, 0);
    assert_int_equal(fault_rooms, 0);
    assert_int_equal(fault_members, 0);
    fault_bystander_check(&bystander, scene->msgpack);
}

static size_t thin_of(const fault_scene *scene)
{
    return scene->thin == 0 || getenv("FAULT_ALL") != NULL ? 1 : scene->thin;
}

/* Whoever got less than it should have is told of: in the log, by a counter,
 * or by an error to the application. */
static void fail_one(const fault_scene *scene, size_t at, bool lasting)
{
    uint64_t signs = turn_rig_signs(&rig) + fault_told;
    fault_now = (fault){.lasting = lasting, .at = at};
    fault_alloc_thin(thin_of(scene));
    bool ok = scene->play(&rig);
    bool struck = fault_has_struck();
    survived += struck;
    settle(scene);
    if (!ok && turn_rig_signs(&rig) + fault_told == signs) {
        print_error("%s: nothing tells of %zu\n", scene->label, at);
        silent++;
    }
}

/* One after the other, and from each on. */
static void fail_each(const fault_scene *scene, size_t calls)
{
    const char *only = getenv("FAULT_AT");
    size_t from = only == NULL ? 0 : strtoul(only, NULL, 10);
    size_t to = only == NULL ? calls : from + 1;
    for (int lasting = 0; lasting < 2; lasting++) {
        for (size_t at = from; at < to; at++) {
            fail_one(scene, at, lasting != 0);
        }
    }
}

static void open_rig(const fault_scene *scene)
{
    fault_now = (fault){.at = FAULT_NEVER};
    fault_scene_open(scene, &rig);
    turn_rig_listen(&rig);
    fault_bystander_join(&bystander, &rig, scene->msgpack);
}

static void close_rig(const fault_scene *scene)
{
    turn_client_close(&bystander);
    turn_rig_free(&rig);
    if (scene->finish != NULL) {
        scene->finish();
    }
}

/* With nothing failing: how many allocations there are. */
static size_t play_once(const fault_scene *scene)
{
    fault_now.count = 0;
    fault_alloc_thin(thin_of(scene));
    if (!scene->play(&rig)) {
        fail_msg("%s fails by itself", scene->label);
    }
    size_t calls = fault_now.count;
    settle(scene);
    return calls;
}

static void play(const fault_scene *scene)
{
    size_t before = survived;
    open_rig(scene); /* libraries keep some of the first time */
    (void)play_once(scene);
    close_rig(scene);
    size_t live = fault_alloc_live();
    open_rig(scene);
    (void)play_once(scene);
    size_t calls = play_once(scene);
    fail_each(scene, calls);
    (void)play_once(scene); /* as if nothing had happened */
    close_rig(scene);
    if (fault_alloc_live() != live) {
        fail_msg("%s: %zd blocks are left", scene->label,
                 (ssize_t)(fault_alloc_live() - live));
    }
    print_message("# %s: %zu allocations, %zu failures survived\n",
                  scene->label, calls, survived - before);
}

static void test_scenes(void **state)
{
    (void)state;
    const char *only = getenv("FAULT_SCENE");
    const fault_scene *scene;
    for (size_t i = 0; (scene = fault_scene_get(i)) != NULL; i++) {
        if (only == NULL || strcmp(only, scene->label) == 0) {
            play(scene);
        }
    }
    print_message("# %zu failures survived\n", survived);
    assert_int_equal(silent, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenes),
    };
    fault_alloc_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
