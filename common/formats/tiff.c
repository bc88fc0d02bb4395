/* tiff.c -- libtiff over memory. The handlers are libtiff's global ones, which every release has; they keep their text per thread. */
#include "tiff_impl.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char why[400];
static pthread_once_t handlers_once = PTHREAD_ONCE_INIT;

void tiff_why_clear(void)
{
    why[0] = '\0';
}

const char *tiff_why(void)
{
    return why;
}

/* libtiff puts the function's and the file's name (none here, so ": " is left) before the text; only the text means something to a user. */
static void keep_error(thandle_t unused, const char *module, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));
static void keep_error(thandle_t unused, const char *module, const char *fmt, va_list ap)
{
    (void)unused;
    (void)module;
    if (!why[0]) vsnprintf(why, sizeof why, fmt, ap);
    size_t name = strncmp(why, ": ", 2) == 0 ? 2 : 0;
    memmove(why, why + name, strlen(why + name) + 1);
    size_t n = strlen(why);
    while (n > 0 && (why[n - 1] == '.' || why[n - 1] == '\n')) why[--n] = '\0';
}

static void set_handlers(void)
{
    TIFFSetErrorHandler(NULL);
    TIFFSetWarningHandler(NULL);
    TIFFSetWarningHandlerExt(NULL);
    TIFFSetErrorHandlerExt(keep_error);
}

static tmsize_t memory_read(thandle_t h, void *buf, tmsize_t want)
{
    tiff_memory *m = h;
    if (want <= 0 || m->at >= m->size) return 0;
    size_t n = m->size - m->at < (size_t)want ? m->size - m->at : (size_t)want;
    memcpy(buf, m->bytes + m->at, n);
    m->at += n;
    return (tmsize_t)n;
}

static tmsize_t memory_write(thandle_t h, void *buf, tmsize_t n)
{
    tiff_memory *m = h;
    size_t end;
    if (n < 0 || __builtin_add_overflow(m->at, (size_t)n, &end)) return -1;
    if (end > m->cap) {
        size_t cap = m->cap * 2 > end ? m->cap * 2 : end + 4096;
        uint8_t *bytes = realloc(m->bytes, cap);
        if (!bytes) return -1;
        memset(bytes + m->cap, 0, cap - m->cap);
        m->bytes = bytes;
        m->cap = cap;
    }
    memcpy(m->bytes + m->at, buf, (size_t)n);
    m->at = end;
    if (end > m->size) m->size = end;
    return n;
}

static tmsize_t memory_refuse(thandle_t h, void *buf, tmsize_t n)
{
    (void)h;
    (void)buf;
    (void)n;
    return -1;
}

static toff_t memory_seek(thandle_t h, toff_t off, int whence)
{
    tiff_memory *m = h;
    size_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? m->at : m->size;
    m->at = base + (size_t)off; /* unsigned: a negative step wraps back; a place past the end reads as empty */
    return m->at;
}

static int memory_close(thandle_t h)
{
    (void)h;
    return 0;
}

static toff_t memory_size(thandle_t h)
{
    return ((tiff_memory *)h)->size;
}

static int memory_map(thandle_t h, void **base, toff_t *size)
{
    tiff_memory *m = h;
    *base = m->bytes;
    *size = m->size;
    return 1;
}

static void memory_unmap(thandle_t h, void *base, toff_t size)
{
    (void)h;
    (void)base;
    (void)size;
}

bool tiff_is_reduced(TIFF *tif)
{
    uint32_t type = 0;
    TIFFGetFieldDefaulted(tif, TIFFTAG_SUBFILETYPE, &type);
    return type & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK);
}

int64_t tiff_imagej_number(const char *description, const char *key)
{
    const char *at = strstr(description, key); /* each on a line of its own */
    int64_t v = at ? strtoll(at + strlen(key), NULL, 10) : 0;
    return v > 0 ? v : 0;
}

int64_t tiff_n_behind(TIFF *tif, size_t file_size, int64_t *held)
{
    enum { MOST_STRIPS = 1 << 16 };
    char *description = NULL;
    uint32_t width = 0, height = 0;
    uint16_t bits = 1, samples = 1, compression = COMPRESSION_NONE;
    *held = 1;
    if (!TIFFLastDirectory(tif) || !TIFFGetField(tif, TIFFTAG_IMAGEDESCRIPTION, &description) || !description) return 1;
    int64_t n = strncmp(description, "ImageJ=", 7) == 0 ? tiff_imagej_number(description, "\nimages=") : 1;
    TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &height);
    TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &compression);
    bool plain = compression == COMPRESSION_NONE && samples == 1 && (bits == 8 || bits == 16 || bits == 32) && !TIFFIsTiled(tif);
    if (n < 2 || !plain || !width || !height || TIFFNumberOfStrips(tif) > MOST_STRIPS) return 1;
    uint64_t first = TIFFGetStrileOffset(tif, 0), at = first, plane = (uint64_t)width * height * (bits / 8);
    for (uint32_t s = 0; s < TIFFNumberOfStrips(tif); s++) {
        if (TIFFGetStrileOffset(tif, s) != at) return 1;
        at += TIFFGetStrileByteCount(tif, s);
    }
    if (at - first != plane || first > file_size) return 1;
    *held = (int64_t)((file_size - first) / plane);
    return *held > 1 ? n : 1;
}

TIFF *tiff_open_read(tiff_memory *m)
{
    pthread_once(&handlers_once, set_handlers);
    tiff_why_clear();
    m->at = 0;
    /* m: mapped. C: do not split long strips into smaller ones. */
    return TIFFClientOpen("", "rmC", m, memory_read, memory_refuse, memory_seek, memory_close, memory_size, memory_map, memory_unmap);
}

TIFF *tiff_open_write(tiff_memory *m, int big_endian)
{
    pthread_once(&handlers_once, set_handlers);
    tiff_why_clear();
    *m = (tiff_memory){0};
    return TIFFClientOpen("", big_endian ? "wb" : "wl", m, memory_read, memory_write, memory_seek, memory_close, memory_size, memory_map,
                          memory_unmap);
}
