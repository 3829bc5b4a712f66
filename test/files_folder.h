#ifndef TEST_FILES_FOLDER_H
#define TEST_FILES_FOLDER_H

#include <stddef.h>
#include <stdint.h>

/* A folder with a part to be served, `www`, and what must not get out of it:
 * a secret beside it, hidden files, and links of all kinds. */
void folder_make(void);
void folder_remove(void);

/* The path of something in it; valid until the next call. */
char *folder_path(const char *name);

/* www/big.bin, of FOLDER_BIG bytes; made anew by folder_make_big(). */
#define FOLDER_BIG (5 * 1024 * 1024 + 7)
uint8_t folder_big_byte(size_t at);
void folder_make_big(void);

/* When www/a.txt, which is "hello", was changed; seconds since 1970. */
#define FOLDER_MODIFIED 1700000000

#endif
