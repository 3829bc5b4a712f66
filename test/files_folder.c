#include "test/files_folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SECRET "the secret"

static char top[] = "/tmp/test_files.XXXXXX";

char *folder_path(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", top, name);
    return path;
}

static void make_file(const char *name, sio_bytes content)
{
    FILE *f = fopen(folder_path(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(content.base, 1, content.len, f), content.len);
    assert_int_equal(fclose(f), 0);
}

static void make_text(const char *name, const char *content)
{
    make_file(name, (sio_bytes){(const uint8_t *)content, strlen(content)});
}

static void make_link(const char *to, const char *name)
{
    assert_int_equal(symlink(to, folder_path(name)), 0);
}

uint8_t folder_big_byte(size_t at)
{
    return (uint8_t)((at * 2654435761u) >> 13);
}

void folder_make_big(void)
{
    uint8_t *content = malloc(FOLDER_BIG);
    for (size_t i = 0; i < FOLDER_BIG; i++) {
        content[i] = folder_big_byte(i);
    }
    make_file("www/big.bin", (sio_bytes){content, FOLDER_BIG});
    free(content);
}

static void make_folders(void)
{
    static const char *const names[] = {"www",        "www/.git",
                                        "www/empty",  "www/s p",
                                        "www/docs",   "www/docs/index.html.d",
                                        "www/folder", "www/folder/index.html"};
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(mkdir(folder_path(names[i]), 0700), 0);
    }
}

void folder_make(void)
{
    const struct timespec times[2] = {{FOLDER_MODIFIED, 0},
                                      {FOLDER_MODIFIED, 0}};
    (void)snprintf(top, sizeof(top), "/tmp/test_files.XXXXXX");
    assert_non_null(mkdtemp(top));
    make_folders();
    make_text("secret", SECRET);
    make_text("www/.env", SECRET);
    make_text("www/.git/config", SECRET);
    make_text("www/index.html", "root");
    make_text("www/a.txt", "hello");
    make_text("www/empty.txt", "");
    make_text("www/docs/index.html", "docs");
    make_text("www/docs/b?.js", "js");
    make_text("www/s p/index.html", "space");
    make_text("www/%2e%2e", "named so");
    folder_make_big();
    make_link("a.txt", "www/inside");
    make_link("docs", "www/inside_folder");
    make_link("../www/a.txt", "www/round");
    make_link("../secret", "www/out");
    make_link("..", "www/out_folder");
    make_link("/etc/passwd", "www/absolute");
    make_link("/", "www/root");
    make_link("/proc/self/root", "www/magic");
    make_link("loop", "www/loop");
    assert_int_equal(mkfifo(folder_path("www/pipe"), 0600), 0);
    assert_int_equal(utimensat(AT_FDCWD, folder_path("www/a.txt"), times, 0),
                     0);
}

void folder_remove(void)
{
    char command[64];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", top);
    assert_int_equal(system(command), 0);
}
