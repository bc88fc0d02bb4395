/* t_index_big.c -- a full JUMP screen: 10 sources x 15 plates, 518,400 sites of 5 channels; joined, cached, opened again.
 * run: long nosan limit=300 */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/index/index.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

static const char *const channel[] = {"DNA", "ER", "RNA", "AGP", "Mito"};

static double seconds(void)
{
    struct timespec a;
    clock_gettime(CLOCK_MONOTONIC, &a);
    return (double)a.tv_sec + 1e-9 * (double)a.tv_nsec;
}

static void add_site(gzFile f, int source, int plate, int w, int site)
{
    for (int k = 0; k < 5; k++)
        gzprintf(
            f,
            "r%02dc%02df%02dp01-ch%d-P%d.tiff,/home/ubuntu/bucket/cpg0016/source_%d/images/P%d__2021-05-31T01_55_50-Measurement1/Images,",
            w / 24 + 1, w % 24 + 1, site, k, plate, source, plate);
    gzprintf(f, "source_%d,P%d,%c%02d,%d,%.4f,JCP2022_%06d\n", source, plate, 'A' + w / 24, w % 24 + 1, site, (w * 9 + site) * 1.37,
             w % 32 == 0 ? 33924 : (w * 7 + plate) % 6000);
}

static void write_screen(const char *dir)
{
    for (int source = 0; source < 10; source++)
        for (int p = 0; p < 15; p++) {
            char *path = xasprintf("%s/source_%d/batch_%d/P%d.csv.gz", dir, source, p / 5, p), *folder = path_dir(path);
            if (path_make_dirs(folder) != OK) return;
            gzFile f = gzopen(path, "wb1");
            for (int k = 0; k < 5; k++) gzprintf(f, "FileName_Orig%s,PathName_Orig%s,", channel[k], channel[k]);
            gzprintf(f, "Metadata_Source,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_PositionX,Metadata_JCP2022\n");
            for (int w = 0; w < 384; w++)
                for (int site = 1; site <= 9; site++) add_site(f, source, p, w, site);
            ok(gzclose(f) == Z_OK, "a plate's table");
            free(path);
            free(folder);
        }
}

int main(void)
{
    const char *dir = tap_dir();
    names images = {0}, channels = {0}, control = {0};
    names_add(&images, "source_*/*/*.csv.gz"), names_add(&control, "JCP2022_033924");
    for (int k = 0; k < 5; k++) names_add(&channels, channel[k]);
    index_options o = {.dir = dir, .images = &images, .channels = &channels, .control = &control};
    char *cache = path_join(dir, "work.index");
    screen_index *a = NULL, *b = NULL;
    struct rusage u;
    write_screen(dir);
    double t0 = seconds();
    ok(index_open(&a, &o, cache) == OK && index_n_rows(a) == 518400 && index_n_plates(a) == 150, "518,400 sites joined");
    double made_s = seconds() - t0;
    getrusage(RUSAGE_SELF, &u);
    ok(findings_count(index_findings(a), FINDING_ERROR) == 0 && path_exists(cache), "without errors, and cached");
    t0 = seconds();
    ok(index_open(&b, &o, cache) == OK && index_n_rows(b) == 518400, "opened again");
    double open_s = seconds() - t0;
    size_t n, m;
    const void *p = index_bytes(a, &n), *q = index_bytes(b, &m);
    ok(n == m && memcmp(p, q, n) == 0, "the same bytes");
    t0 = seconds();
    findings f = {0};
    index_check_files(b, 0, 150, false, 0.05, &f);
    printf("# made in %.2f s, peak %.0f MB, %.0f MB on disk, opened in %.3f s, 2.6 million files missed in %.2f s\n", made_s,
           (double)u.ru_maxrss / 1e3, (double)n / 1e6, open_s, seconds() - t0);
    ok(findings_count(&f, FINDING_ERROR) == 2592000, "every missing file is counted");
    ok(open_s < 1 && u.ru_maxrss < 800000, "in less than a second, from less than 800 MB");
    findings_free(&f), index_free(&a), index_free(&b);
    names_free(&images), names_free(&channels), names_free(&control);
    free(cache);
    return tap_done();
}
