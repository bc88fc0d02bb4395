/* features_check.c -- features_check SITES.h5 CELLS.h5 SIDE: do micon-measure's files of a plate of images of SIDE x SIDE pixels agree with
 * each other? Cells are in the order of sites and of their numbers; those count whose nucleus is not at the image's edge; a site's row
 * holds the count, medians and deviations of its cells that count, QC_ columns their number and size, uns/wells the sums and means over
 * sites. Prints every difference (at most ten), then what there is and the CRC-32 of both X; exit 1 where there are differences. */
#include "micon/config/file_formats.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct {
    frame obs, wells;
    names var;
    float *x;
    size_t width;
} table;

static int n_wrong;
static int64_t n_counted;

static void wrong(const char *what, int64_t row, double got, double want)
{
    if (n_wrong++ < 10) printf("%s, row %lld: %.9g, not %.9g\n", what, (long long)row, got, want);
}

static void same(const char *what, int64_t row, double got, double want)
{
    if (!(isnan(got) && isnan(want)) && !(fabs(got - want) <= 1e-6 * fabs(want))) wrong(what, row, got, want);
}

static void need(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "features_check: %s %s\n", what, msg_get());
    exit(1);
}

static table open_table(const char *path, const char *kind, int format)
{
    table t = {0};
    store_file *f = NULL;
    int n_dims;
    int64_t dims[4];
    need(store_open(&f, path, kind, format) == OK && store_dims(f, "X", &n_dims, dims) == OK, path);
    need(store_read_frame(f, "obs", &t.obs) == OK && store_read_texts(f, "var/_index", &t.var) == OK, path);
    if (strcmp(kind, FEATURES_KIND) == 0) need(store_read_frame(f, "uns/wells", &t.wells) == OK, path);
    t.width = (size_t)dims[1];
    t.x = calloc((size_t)dims[0] * t.width + 1, sizeof *t.x);
    need(t.x && dims[0] == t.obs.n_rows && t.var.n == t.width && store_read_rows(f, "X", STORE_F32, 0, dims[0], t.x) == OK, path);
    store_close(&f);
    return t;
}

static int column(const frame *f, const char *name)
{
    int at = frame_col(f, name);
    need(at >= 0, name);
    return at;
}

static int64_t whole(const frame *f, int64_t row, const char *name)
{
    return f->col[column(f, name)].v.i64[row];
}

/* Are two rows of one well and site? */
static bool same_site(const frame *a, int64_t i, const frame *b, int64_t j)
{
    static const char *const key[] = {"Metadata_Well", "Metadata_Site"};
    text s = {0}, t = {0};
    for (int k = 0; k < 2; k++) {
        frame_show(a, i, column(a, key[k]), &s);
        frame_show(b, j, column(b, key[k]), &t);
        text_add(&s, "\n");
        text_add(&t, "\n");
    }
    bool yes = strcmp(text_str(&s), text_str(&t)) == 0;
    text_free(&s);
    text_free(&t);
    return yes;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, int64_t n)
{
    if (n == 0) return NAN;
    qsort(v, (size_t)n, sizeof *v, by_number);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double feature(const table *t, int64_t row, const char *name)
{
    long at = names_find(&t->var, name);
    need(at >= 0, name);
    return (double)t->x[(size_t)row * t->width + (size_t)at];
}

/* Cells without a nucleus are not looked at. */
static void check_edges(const table *cells, double side)
{
    int counts = column(&cells->obs, "Counts");
    for (int64_t i = 0; i < cells->obs.n_rows; i++) {
        double left = feature(cells, i, "Nuclei_AreaShape_BoundingBoxMinimum_X"),
               top = feature(cells, i, "Nuclei_AreaShape_BoundingBoxMinimum_Y");
        double right = feature(cells, i, "Nuclei_AreaShape_BoundingBoxMaximum_X"),
               bottom = feature(cells, i, "Nuclei_AreaShape_BoundingBoxMaximum_Y");
        bool inside = left > 0 && top > 0 && right < side && bottom < side, yes = cells->obs.col[counts].v.yes[i];
        n_counted += yes;
        if (!isnan(left) && yes != inside) wrong("Counts", i, yes, inside);
    }
}

/* Cells [first, end) are those of the site. */
static void check_site(const table *sites, int64_t site, const table *cells, int64_t first, int64_t end)
{
    const float *row = sites->x + (size_t)site * sites->width;
    double *v = calloc((size_t)(end - first) + 1, sizeof *v);
    int counts = column(&cells->obs, "Counts");
    int64_t counted = 0, n;
    need(v != NULL, "memory");
    for (int64_t i = first; i < end; i++) {
        counted += cells->obs.col[counts].v.yes[i];
        if (i > first && whole(&cells->obs, i, "ObjectNumber") <= whole(&cells->obs, i - 1, "ObjectNumber"))
            wrong("ObjectNumber does not rise", i, 0, 0);
    }
    same("QC_Cells", site, (double)whole(&sites->obs, site, "QC_Cells"), (double)counted);
    same("QC_Border", site, (double)whole(&sites->obs, site, "QC_Border"), (double)(end - first - counted));
    same("Cells_Count", site, (double)row[0], (double)counted);
    for (size_t f = 0; f < cells->width; f++) {
        n = 0;
        for (int64_t i = first; i < end; i++) {
            float x = cells->x[(size_t)i * cells->width + f];
            if (cells->obs.col[counts].v.yes[i] && isfinite(x)) v[n++] = (double)x;
        }
        double middle = median(v, n);
        same(sites->var.item[1 + f], site, (double)row[1 + f], middle);
        for (int64_t i = 0; i < n; i++) v[i] = fabs(v[i] - middle);
        double far = median(v, n); /* of floats around a float: as exact as these */
        if (!(fabs((double)row[1 + cells->width + f] - far) <= 1e-6 * (fabs(middle) + far)) && !isnan(far))
            wrong(sites->var.item[1 + cells->width + f], site, (double)row[1 + cells->width + f], far);
    }
    long area = names_find(&cells->var, "Nuclei_AreaShape_Area");
    need(area >= 0, "Nuclei_AreaShape_Area");
    n = 0;
    for (int64_t i = first; i < end; i++) {
        double a = (double)cells->x[(size_t)i * cells->width + (size_t)area];
        if (cells->obs.col[counts].v.yes[i] && a > 0) v[n++] = sqrt(4 * a / M_PI);
    }
    median(v, n);
    same("QC_NucleusPx", site, frame_real(&sites->obs, site, column(&sites->obs, "QC_NucleusPx")), n ? v[n / 2] : 0);
    free(v);
}

static void check_wells(const table *sites)
{
    const frame *o = &sites->obs, *w = &sites->wells;
    int name = column(o, "Metadata_Well"), well = column(w, "Metadata_Well"), px = column(o, "QC_NucleusPx");
    int64_t row = 0;
    for (int64_t k = 0; k < w->n_rows; k++) {
        int64_t n = 0, cells = 0, border = 0, sized = 0;
        double sum = 0;
        for (; row < o->n_rows && strcmp(frame_text(o, row, name), frame_text(w, k, well)) == 0; row++, n++) {
            cells += whole(o, row, "QC_Cells");
            border += whole(o, row, "QC_Border");
            sized += whole(o, row, "QC_Cells") > 0;
            if (whole(o, row, "QC_Cells") > 0) sum += frame_real(o, row, px);
        }
        same("Sites", k, (double)whole(w, k, "Sites"), (double)n);
        same("Cells", k, (double)whole(w, k, "Cells"), (double)cells);
        same("Border", k, (double)whole(w, k, "Border"), (double)border);
        same("Cells_a_site", k, frame_real(w, k, column(w, "Cells_a_site")), n ? (double)cells / (double)n : NAN);
        same("Nucleus_px", k, frame_real(w, k, column(w, "Nucleus_px")), sized ? sum / (double)sized : NAN);
    }
    same("wells end at site", w->n_rows, (double)row, (double)o->n_rows);
}

int main(int argc, char **argv)
{
    if (argc != 4) return fprintf(stderr, "usage: features_check SITES.h5 CELLS.h5 SIDE\n"), 2;
    table sites = open_table(argv[1], FEATURES_KIND, FEATURES_FORMAT), cells = open_table(argv[2], CELLS_KIND, CELLS_FORMAT);
    int64_t at = 0;
    need(sites.width == 1 + 2 * cells.width, "columns of sites");
    for (int64_t s = 0; s < sites.obs.n_rows; s++) {
        int64_t first = at;
        while (at < cells.obs.n_rows && same_site(&cells.obs, at, &sites.obs, s)) at++;
        check_site(&sites, s, &cells, first, at);
    }
    same("cells end at", 0, (double)at, (double)cells.obs.n_rows);
    check_wells(&sites);
    check_edges(&cells, strtod(argv[3], NULL));
    uLong crc = crc32(0, (const Bytef *)sites.x, (uInt)((size_t)sites.obs.n_rows * sites.width * sizeof(float)));
    crc = crc32(crc, (const Bytef *)cells.x, (uInt)((size_t)cells.obs.n_rows * cells.width * sizeof(float)));
    printf("%lld sites, %lld of %lld cells count, %lld wells, %d wrong, values %08lx\n", (long long)sites.obs.n_rows, (long long)n_counted,
           (long long)cells.obs.n_rows, (long long)sites.wells.n_rows, n_wrong, crc);
    return n_wrong > 0;
}
