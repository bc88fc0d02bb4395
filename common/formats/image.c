/* image.c -- grayscale images (image.h): a file's bytes, and which format they are. */
#include "image_impl.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file's bytes ---- */

static status read_all(int fd, image_file *f)
{
    for (size_t at = 0; at < f->size;) {
        ssize_t n = read(fd, f->bytes + at, f->size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(E_IO, "%s: reading failed: %s", f->path, strerror(errno));
        if (n == 0) return fail(E_FORMAT, "%s: became shorter while it was read", f->path);
        at += (size_t)n;
    }
    return OK;
}

status image_file_read(image_file *f, const char *path)
{
    status st = OK;
    struct stat sb;
    int fd;
    free(f->path);
    f->path = xstrdup(path);
    f->size = 0;
    TRY(path_open_regular(path, &fd));
    if (fstat(fd, &sb) != 0) TRY(fail(E_IO, "%s: %s", path, strerror(errno)));
    if (sb.st_size == 0) TRY(fail(E_FORMAT, "%s: is empty", path));
    if (sb.st_size > IMAGE_MAX_FILE)
        TRY(fail(E_FORMAT, "%s: has %lld bytes, the limit is %lld", path, (long long)sb.st_size, (long long)IMAGE_MAX_FILE));
    TRY(image_reserve(&f->bytes, &f->cap, (size_t)sb.st_size, path));
    f->size = (size_t)sb.st_size;
    f->mtime_ns = (int64_t)sb.st_mtim.tv_sec * 1000000000 + sb.st_mtim.tv_nsec;
    TRY(read_all(fd, f));
    f->digest = digest_bytes(f->bytes, f->size);
done:
    if (st != OK) f->size = 0;
    if (fd >= 0) close(fd);
    return st;
}

void image_file_free(image_file *f)
{
    free(f->path);
    free(f->bytes);
    *f = (image_file){0};
}

void image_free(image *im)
{
    free(im->block);
    free(im->raw);
    free(im->planes.value);
    *im = (image){0};
}

void image_labels_free(image_labels *l)
{
    free(l->label);
    free(l->raw);
    *l = (image_labels){0};
}

/* ---- one page of a file, to values or to labels (the other is NULL) ---- */

static bool begins(const image_file *f, const char *magic, size_t n)
{
    return f->size >= n && memcmp(f->bytes, magic, n) == 0;
}

bool image_is_tiff(const image_file *f)
{
    static const char magic[4][5] = {"II*\0", "MM\0*", "II+\0", "MM\0+"};
    for (int i = 0; i < 4 && f->size >= 8; i++)
        if (begins(f, magic[i], 4)) return true;
    return false;
}

static status decode_page(image_sink *k, int page)
{
    static const struct {
        const char *magic;
        size_t n;
        status (*decode)(image_sink *k);
        const char *name;
    } one_page[] = {{"\x89PNG\r\n\x1a\n", 8, image_png_decode, "PNG"},
                    {"\xff\xd8\xff", 3, image_jpeg_decode, "JPEG"},
                    {"\0\0\0\x0cjP  \r\n\x87\n", 12, image_jp2_decode, "JPEG 2000"},
                    {"\xff\x4f\xff\x51", 4, image_jp2_decode, "JPEG 2000"}};
    if (image_is_tiff(k->f)) return image_tiff_decode(k, page);
    for (size_t i = 0; i < sizeof one_page / sizeof *one_page; i++) {
        if (!begins(k->f, one_page[i].magic, one_page[i].n)) continue;
        if (page > 0) return fail(E_FORMAT, "%s: has no page %d: a %s file holds one image", k->f->path, page + 1, one_page[i].name);
        return one_page[i].decode(k);
    }
    return fail(E_FORMAT, "%s: is not a TIFF file, nor PNG, JPEG or JPEG 2000", k->f->path);
}

/* "a.tif: is RGB" -> "a.tif: page 3 is RGB". */
static void name_page(const char *path, int page)
{
    size_t n = strlen(path);
    const char *says = msg_get();
    if (page <= 0 || strncmp(says, path, n) != 0 || strncmp(says + n, ": ", 2) != 0 || strncmp(says + n, ": has no page", 13) == 0) return;
    char *named = xasprintf("%s: page %d %s", path, page + 1, says + n + 2);
    msg_set(named);
    free(named);
}

status image_decode(image *im, const image_file *f, int page, double scale)
{
    return image_decode_plane(im, f, page, 0, scale);
}

status image_decode_plane(image *im, const image_file *f, int page, int plane, double scale)
{
    image_sink k = {.f = f, .im = im, .scale = scale, .plane = plane};
    im->px = NULL;
    im->inverted = false;
    im->orientation = 1;
    im->called[0] = '\0';
    status st = decode_page(&k, page);
    im->all_zero = k.any == 0;
    im->width_px = (int)k.width;
    im->height_px = (int)k.height;
    if (st == OK) return OK;
    im->px = NULL;
    name_page(f->path, page);
    return st;
}

status image_decode_labels(image_labels *out, const image_file *f, int page)
{
    image_sink k = {.f = f, .labels = out};
    status st = decode_page(&k, page);
    out->width_px = (int)k.width;
    out->height_px = (int)k.height;
    if (st != OK) name_page(f->path, page);
    return st;
}
