#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport/file_open.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

static char top[] = "/tmp/test_file_open.XXXXXX";
static int dir; /* top/www */

static void make_file(const char *name, const char *content)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static int make_all(void **state)
{
    static const char *const links[][2] = {
        {"a.txt", "inside"},
        {"docs", "inside_folder"},
        {"../secret", "out"},
        {"..", "out_folder"},
        {"/etc/passwd", "absolute"},
        {"/", "root"},
        {"/proc/self/root", "magic"},
        {"../www/a.txt", "round"},
        {"loop", "loop"},
    };
    char path[64];
    (void)state;
    assert_non_null(mkdtemp(top));
    (void)snprintf(path, sizeof(path), "%s/www", top);
    assert_int_equal(mkdir(path, 0700), 0);
    dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    assert_int_equal(mkdirat(dir, "docs", 0700), 0);
    make_file("../secret", "secret");
    make_file("a.txt", "hello");
    make_file("docs/index.html", "docs");
    make_file("empty.txt", "");
    for (size_t i = 0; i < COUNT(links); i++) {
        assert_int_equal(symlinkat(links[i][0], dir, links[i][1]), 0);
    }
    assert_int_equal(mkfifoat(dir, "pipe", 0600), 0);
    return 0;
}

static int remove_all(void **state)
{
    char command[64];
    (void)state;
    close(dir);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", top);
    return system(command);
}

/* Both ways to open, where they differ at most in links that stay inside. */
static void test_opening(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int64_t beneath, walking; /* size; -1: a folder; -2: refused */
    } rows[] = {
        {"a.txt", 5, 5},
        {"docs/index.html", 4, 4},
        {"docs", -1, -1},
        {"empty.txt", 0, 0},
        {"nothing", -2, -2},
        {"nothing/a", -2, -2},
        {"a.txt/b", -2, -2},
        {"pipe", -2, -2},
        {"inside", 5, -2},
        {"inside_folder/index.html", 4, -2},
        {"inside_folder", -1, -2},
        {"out", -2, -2},
        {"out_folder", -2, -2},
        {"out_folder/secret", -2, -2},
        {"absolute", -2, -2},
        {"root/etc/passwd", -2, -2},
        {"magic/etc/passwd", -2, -2},
        {"round", -2, -2},
        {"loop", -2, -2},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        bool walk = i % 2 == 1;
        int64_t want = walk ? rows[i / 2].walking : rows[i / 2].beneath;
        tp_file file = {.fd = -7};
        sio_error err = walk
                            ? tp_file_open_walking(dir, rows[i / 2].path, &file)
                            : tp_file_open(dir, rows[i / 2].path, &file);
        CHECK(rows[i / 2].path, err == (want == -2 ? SIO_ERR_FILE : SIO_OK));
        CHECK(rows[i / 2].path, file.fd == -7 || want != -2);
        CHECK(rows[i / 2].path, (file.fd == -1) == (want == -1));
        if (file.fd >= 0) {
            CHECK(rows[i / 2].path, file.size == (uint64_t)want);
            CHECK(rows[i / 2].path, fcntl(file.fd, F_GETFD) == FD_CLOEXEC);
            close(file.fd);
        }
    }
}

/* Where the folder is trusted, links lead anywhere; but a file it has to be. */
static void test_trusted(void **state)
{
    (void)state;
    static const char *const files[] = {"a.txt", "inside", "out", "round"};
    static const char *const others[] = {"pipe", "loop", "nothing"};
    tp_file file;
    for (size_t i = 0; i < COUNT(files); i++) {
        CHECK(files[i], tp_file_open_trusted(dir, files[i], &file) == SIO_OK);
        CHECK(files[i], file.fd >= 0);
        close(file.fd);
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        CHECK(others[i],
              tp_file_open_trusted(dir, others[i], &file) == SIO_ERR_FILE);
    }
    assert_int_equal(tp_file_open_trusted(dir, "docs", &file), SIO_OK);
    assert_int_equal(file.fd, -1);
}

/* A segment longer than any name, and as long as one may be. */
static void test_long_names(void **state)
{
    (void)state;
    char path[300];
    tp_file file;
    for (size_t len = 254; len < 300; len++) {
        memset(path, 'x', len);
        path[len] = '\0';
        assert_int_equal(tp_file_open_walking(dir, path, &file), SIO_ERR_FILE);
        assert_int_equal(tp_file_open(dir, path, &file), SIO_ERR_FILE);
        path[len - 2] = '/';
        assert_int_equal(tp_file_open_walking(dir, path, &file), SIO_ERR_FILE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_trusted),
        cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests(tests, make_all, remove_all);
}
