#include "transport/mime.h"

#include "transport/http_text.h"

#define UTF8 "; charset=utf-8"

// clang-format off
static const struct {
    sio_bytes extension;
    const char *type;
} types[] = {
    {SIO_LIT_INIT("html"),        "text/html" UTF8},
    {SIO_LIT_INIT("htm"),         "text/html" UTF8},
    {SIO_LIT_INIT("css"),         "text/css" UTF8},
    {SIO_LIT_INIT("js"),          "text/javascript" UTF8},
    {SIO_LIT_INIT("mjs"),         "text/javascript" UTF8},
    {SIO_LIT_INIT("cjs"),         "text/javascript" UTF8},
    {SIO_LIT_INIT("json"),        "application/json" UTF8},
    {SIO_LIT_INIT("map"),         "application/json" UTF8},
    {SIO_LIT_INIT("webmanifest"), "application/manifest+json" UTF8},
    {SIO_LIT_INIT("txt"),         "text/plain" UTF8},
    {SIO_LIT_INIT("log"),         "text/plain" UTF8},
    {SIO_LIT_INIT("md"),          "text/markdown" UTF8},
    {SIO_LIT_INIT("csv"),         "text/csv" UTF8},
    {SIO_LIT_INIT("ics"),         "text/calendar" UTF8},
    {SIO_LIT_INIT("vtt"),         "text/vtt" UTF8},
    {SIO_LIT_INIT("xml"),         "text/xml" UTF8},
    {SIO_LIT_INIT("xhtml"),       "application/xhtml+xml" UTF8},
    {SIO_LIT_INIT("svg"),         "image/svg+xml"},
    {SIO_LIT_INIT("png"),         "image/png"},
    {SIO_LIT_INIT("apng"),        "image/apng"},
    {SIO_LIT_INIT("jpg"),         "image/jpeg"},
    {SIO_LIT_INIT("jpeg"),        "image/jpeg"},
    {SIO_LIT_INIT("gif"),         "image/gif"},
    {SIO_LIT_INIT("webp"),        "image/webp"},
    {SIO_LIT_INIT("avif"),        "image/avif"},
    {SIO_LIT_INIT("bmp"),         "image/bmp"},
    {SIO_LIT_INIT("ico"),         "image/x-icon"},
    {SIO_LIT_INIT("woff"),        "font/woff"},
    {SIO_LIT_INIT("woff2"),       "font/woff2"},
    {SIO_LIT_INIT("ttf"),         "font/ttf"},
    {SIO_LIT_INIT("otf"),         "font/otf"},
    {SIO_LIT_INIT("mp3"),         "audio/mpeg"},
    {SIO_LIT_INIT("m4a"),         "audio/mp4"},
    {SIO_LIT_INIT("aac"),         "audio/aac"},
    {SIO_LIT_INIT("flac"),        "audio/flac"},
    {SIO_LIT_INIT("ogg"),         "audio/ogg"},
    {SIO_LIT_INIT("opus"),        "audio/ogg"},
    {SIO_LIT_INIT("wav"),         "audio/wav"},
    {SIO_LIT_INIT("weba"),        "audio/webm"},
    {SIO_LIT_INIT("mp4"),         "video/mp4"},
    {SIO_LIT_INIT("webm"),        "video/webm"},
    {SIO_LIT_INIT("ogv"),         "video/ogg"},
    {SIO_LIT_INIT("wasm"),        "application/wasm"},
    {SIO_LIT_INIT("pdf"),         "application/pdf"},
    {SIO_LIT_INIT("zip"),         "application/zip"},
    {SIO_LIT_INIT("gz"),          "application/gzip"},
    {SIO_LIT_INIT("tar"),         "application/x-tar"},
};
// clang-format on

const char *tp_mime_type(sio_bytes name)
{
    size_t start = name.len;
    while (start != 0 && name.base[start - 1] != '.' &&
           name.base[start - 1] != '/') {
        start--;
    }
    bool has = start != 0 && name.base[start - 1] == '.';
    sio_bytes extension = {name.base + start, name.len - start};
    for (size_t i = 0; has && i < sizeof(types) / sizeof(types[0]); i++) {
        if (tp_http_equals(types[i].extension, extension)) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}
