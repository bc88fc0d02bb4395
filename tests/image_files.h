/* image_files.h -- for tests of images: one picture, files in the test's folder, reading them, refusals. */
#ifndef TEST_IMAGE_FILES_H
#define TEST_IMAGE_FILES_H
#include "micon/base/path.h"
#include "micon/formats/image.h"
#include "tap.h"

#include <tiffio.h>

enum { W = 37, H = 29, N = W * H };
static char dir[512];
static uint16_t want[N];

static inline const char *in_dir(const char *name)
{
    static char path[700];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static image_file file;
static image im;

static inline status read_path(const char *path, int page, double scale)
{
    status st = image_file_read(&file, path);
    return st != OK ? st : image_decode(&im, &file, page, scale);
}

static inline bool is_want(const char *path, double scale)
{
    status st = read_path(path, IMAGE_ONLY_PAGE, scale);
    if (st != OK) {
        printf("#   %s\n", msg_get());
        msg_clear();
        return false;
    }
    return im.width_px == W && im.height_px == H && memcmp(im.px, want, sizeof want) == 0;
}

static inline void refused(const char *path, int page, const char *says, const char *what)
{
    status st = read_path(path, page, 1);
    bool good = st != OK && strstr(msg_get(), says) && strstr(msg_get(), path) && im.px == NULL;
    if (!good) printf("#   status %d, message '%s', wanted '%s'\n", (int)st, msg_get(), says);
    ok(good, what);
    msg_clear();
}

/* The test's folder, and what its pictures hold. */
static inline void image_tests_begin(void)
{
    snprintf(dir, sizeof dir, "%s", tap_dir());
    TIFFSetWarningHandler(NULL);
    for (int i = 0; i < N; i++) want[i] = (uint16_t)((unsigned)i * 40503u >> 3);
}

static inline int image_tests_done(void)
{
    image_file_free(&file);
    image_free(&im);
    return tap_done();
}

#endif
