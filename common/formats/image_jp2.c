/* image_jp2.c -- grayscale JPEG 2000 through OpenJPEG. The codestream's SIZ marker is read here first, because the library takes memory for
 * whatever it claims. */
#include "image_impl.h"

#include <openjpeg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TILES = 4096, SMALL_PX = 1 << 24 };

typedef struct {
    const image_file *f;
    size_t at;
    bool warned; /* while decoding: data are missing or damaged */
    char why[200];
} source;

static void keep(source *s, const char *text)
{
    if (s->why[0]) return;
    snprintf(s->why, sizeof s->why, "%s", text);
    s->why[strcspn(s->why, "\n")] = '\0';
}

static void on_error(const char *text, void *self)
{
    keep(self, text);
}

static void on_warning(const char *text, void *self)
{
    ((source *)self)->warned = true;
    keep(self, text);
}

static OPJ_SIZE_T on_read(void *out, OPJ_SIZE_T n, void *self)
{
    source *s = self;
    if (s->at >= s->f->size) return (OPJ_SIZE_T)-1;
    if (n > s->f->size - s->at) n = s->f->size - s->at;
    memcpy(out, s->f->bytes + s->at, n);
    s->at += n;
    return n;
}

static OPJ_OFF_T on_skip(OPJ_OFF_T n, void *self)
{
    source *s = self;
    if (n < 0 || (uint64_t)n > s->f->size - s->at) return -1;
    s->at += (size_t)n;
    return n;
}

static OPJ_BOOL on_seek(OPJ_OFF_T at, void *self)
{
    source *s = self;
    if (at < 0 || (uint64_t)at > s->f->size) return OPJ_FALSE;
    s->at = (size_t)at;
    return OPJ_TRUE;
}

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Where the codestream begins: of a JP2, in its first box jp2c. NULL: nowhere. */
static const uint8_t *codestream(const image_file *f)
{
    const uint8_t *p = f->bytes, *end = p + f->size;
    if (p[0] == 0xff) return p;
    while (end - p >= 16) {
        uint64_t size = big32(p), head = 8;
        bool is_code = memcmp(p + 4, "jp2c", 4) == 0;
        if (size == 1) size = (uint64_t)big32(p + 8) << 32 | big32(p + 12), head = 16;
        if (is_code) return p + head;
        if (size < head || size > (uint64_t)(end - p)) return NULL;
        p += size;
    }
    return NULL;
}

/* Every tile has a part: the library leaves those that have none black. c: the codestream. */
static status check_tiles(const image_file *f, const uint8_t *c, uint64_t n_tiles)
{
    enum { SOT = 0xff90 };
    const uint8_t *end = f->bytes + f->size, *p = c + 2;
    bool seen[MOST_TILES] = {false};
    uint64_t n_seen = 0;
    while (end - p >= 4 && (p[0] << 8 | p[1]) != SOT) p += 2 + (p[2] << 8 | p[3]); /* the main header */
    while (end - p >= 12 && (p[0] << 8 | p[1]) == SOT) {
        unsigned tile = (unsigned)(p[4] << 8 | p[5]);
        uint32_t size = big32(p + 6);
        if (tile < n_tiles && !seen[tile]) seen[tile] = true, n_seen++;
        if (size == 0) break; /* the rest of the file */
        if (size < 12 || size > (uint64_t)(end - p)) break;
        p += size;
    }
    if (n_seen == n_tiles) return OK;
    return fail(E_FORMAT, "%s: is truncated or damaged: %llu of %llu tiles are there", f->path, (unsigned long long)n_seen,
                (unsigned long long)n_tiles);
}

static status check_sizes(const image_file *f)
{
    const uint8_t *c = codestream(f), *end = f->bytes + f->size;
    if (!c || end - c < 42 || big32(c) != 0xff4fff51) return fail(E_FORMAT, "%s: is truncated or damaged: no codestream", f->path);
    const uint8_t *siz = c + 8; /* after SOC, SIZ, its length and Rsiz: eight numbers, then how many components */
    uint32_t n[8];
    for (int i = 0; i < 8; i++) n[i] = big32(siz + 4 * i);
    int components = siz[32] << 8 | siz[33];
    if (n[0] <= n[2] || n[1] <= n[3] || !n[4] || !n[5]) return fail(E_FORMAT, "%s: has no pixels", f->path);
    uint32_t width = n[0] - n[2], height = n[1] - n[3];
    status st = image_size_check(f->path, width, height);
    if (st != OK) return st;
    if (components != 1) return fail(E_FORMAT, "%s: has %d samples a pixel; one is expected", f->path, components);
    uint64_t px = (uint64_t)width * height, across = ((uint64_t)n[0] + n[4] - 1) / n[4], down = ((uint64_t)n[1] + n[5] - 1) / n[5];
    if (px > SMALL_PX && px > (uint64_t)f->size * 1024)
        return fail(E_FORMAT, "%s: is truncated or damaged: claims %u x %u pixels, its %zu bytes cannot hold them", f->path, width, height,
                    f->size);
    if (across > MOST_TILES || down > MOST_TILES || across * down > MOST_TILES)
        return fail(E_FORMAT, "%s: has %llu tiles; at most %d are read", f->path, (unsigned long long)(across * down), MOST_TILES);
    return check_tiles(f, c, across * down);
}

static status damaged(const source *s)
{
    return fail(E_FORMAT, "%s: is truncated or damaged%s%s", s->f->path, s->why[0] ? ": " : "", s->why);
}

static status put_rows(image_sink *k, const opj_image_comp_t *c)
{
    status st = OK;
    uint8_t *row;
    bool bytes = c->prec <= 8;
    int64_t top = (1 << (c->sgnd ? c->prec - 1 : c->prec)) - 1;
    image_kind kind = c->sgnd ? (bytes ? IMAGE_I8 : IMAGE_I16) : (bytes ? IMAGE_U8 : IMAGE_U16);
    TRY(image_size_check(k->f->path, c->w, c->h));
    image_sink_open(k, c->w, c->h, kind, top);
    TRY(image_sink_memory(k));
    TRY(image_sink_raw(k, (size_t)c->w * 2, &row));
    for (uint32_t y = 0; y < c->h; y++) {
        const OPJ_INT32 *v = c->data + (size_t)y * c->w;
        for (uint32_t x = 0; x < c->w; x++) {
            uint16_t s = (uint16_t)v[x];
            if (bytes)
                row[x] = (uint8_t)s;
            else
                memcpy(row + (size_t)x * 2, &s, sizeof s);
        }
        TRY(image_sink_put(k, 0, y, row, c->w));
    }
done:
    return st;
}

static status decode(image_sink *k, opj_codec_t *codec, opj_stream_t *stream, source *s, opj_image_t **im)
{
    status st = OK;
    opj_dparameters_t how;
    opj_set_default_decoder_parameters(&how);
    opj_set_error_handler(codec, on_error, s);
    opj_set_warning_handler(codec, on_warning, s);
    if (!opj_setup_decoder(codec, &how) || !opj_read_header(stream, codec, im)) TRY(damaged(s));
    s->warned = false; /* of headers: boxes that it does not know */
    s->why[0] = '\0';
    if (!opj_decode(codec, stream, *im) || !opj_end_decompress(codec, stream) || s->warned) TRY(damaged(s));
    const opj_image_comp_t *c = (*im)->comps;
    if ((*im)->numcomps != 1 || !c->data) TRY(fail(E_FORMAT, "%s: has %u samples a pixel; one is expected", s->f->path, (*im)->numcomps));
    if (c->prec < 2 || c->prec > 16) TRY(fail(E_FORMAT, "%s: has %u-bit samples; 2 to 16 bits are read", s->f->path, c->prec));
    TRY(put_rows(k, c));
done:
    return st;
}

status image_jp2_decode(image_sink *k)
{
    status st = check_sizes(k->f);
    if (st != OK) return st;
    source s = {.f = k->f};
    opj_image_t *im = NULL;
    opj_codec_t *codec = opj_create_decompress(k->f->bytes[0] == 0xff ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
    opj_stream_t *stream = opj_stream_default_create(OPJ_TRUE);
    if (codec && stream) {
        opj_stream_set_user_data(stream, &s, NULL);
        opj_stream_set_user_data_length(stream, k->f->size);
        opj_stream_set_read_function(stream, on_read);
        opj_stream_set_skip_function(stream, on_skip);
        opj_stream_set_seek_function(stream, on_seek);
        st = decode(k, codec, stream, &s, &im);
    } else {
        st = fail(E_NOMEM, "%s: no memory for its decoder", k->f->path);
    }
    if (im) opj_image_destroy(im);
    if (stream) opj_stream_destroy(stream);
    if (codec) opj_destroy_codec(codec);
    return st;
}
