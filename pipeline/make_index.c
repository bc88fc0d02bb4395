/* make_index.c -- `micon index`: a LoadData table of the images below folders that a microscope exported. */
#include "driver.h"

#include "micon/acquisition/plate_files.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_ROWS = 3, SHOWN_FILES = 3 };

/* --channel Ch1=DNA: rename channel Ch1 to DNA. */
static status rename_channels(plate_files *f, const names *given)
{
    char shown[200];
    for (size_t i = 0; i < given->n; i++) {
        const char *to = strchr(given->item[i], '=');
        size_t n = to ? (size_t)(to - given->item[i]) : 0, renamed = 0;
        text_show(shown, sizeof shown, given->item[i]);
        if (n == 0 || !to[1]) return fail(E_USAGE, "--channel: '%s' is not OLD=NEW, such as Ch1=DNA", shown);
        for (size_t k = 0; k < f->n; k++) {
            if (strlen(f->item[k].channel) != n || strncmp(f->item[k].channel, given->item[i], n) != 0) continue;
            free(f->item[k].channel);
            f->item[k].channel = xstrdup(to + 1);
            renamed++;
        }
        if (!renamed) return fail(E_USAGE, "--channel: '%s': no image has the channel before the '='", shown);
    }
    return OK;
}

/* The number of plates, wells and sites; the files are sorted by them. */
static void count(const plate_files *f, size_t *plates, size_t *wells, size_t *sites)
{
    *plates = *wells = *sites = 0;
    for (size_t i = 0; i < f->n; i++) {
        const plate_file *a = &f->item[i], *b = i ? a - 1 : NULL;
        bool plate = !b || strcmp(a->plate, b->plate) != 0, well = plate || strcmp(a->well, b->well) != 0;
        *plates += plate;
        *wells += well;
        *sites += well || a->site != b->site;
    }
}

static void show(const plate_files *f, const char *csv, const names *notes)
{
    size_t plates, wells, sites, lines = 0;
    names channel = {0};
    text all = {0};
    count(f, &plates, &wells, &sites);
    plate_files_channels(f, &channel);
    for (size_t i = 0; i < channel.n; i++) text_addf(&all, "%s%s", i ? ", " : "", channel.item[i]);
    for (const char *p = csv; *p && lines <= SHOWN_ROWS; p++) {
        putchar(*p);
        lines += *p == '\n';
    }
    printf("%zu image%s: %zu plate%s, %zu well%s, %zu site%s; channels: %s\n", f->n, f->n == 1 ? "" : "s", plates, plates == 1 ? "" : "s",
           wells, wells == 1 ? "" : "s", sites, sites == 1 ? "" : "s", text_str(&all));
    size_t missing = f->planes ? 0 : sites * channel.n - f->n;
    if (missing) printf("%zu image%s missing: not every site has every channel\n", missing, missing == 1 ? " is" : "s are");
    for (size_t i = 0; i < notes->n; i++) printf("%s\n", notes->item[i]);
    for (size_t i = 0; i < f->told.n; i++) printf("%s\n", f->told.item[i]);
    if (f->n_thumbnails) printf("%lld thumbnails left out\n", (long long)f->n_thumbnails);
    if (f->unknown.n) printf("%zu TIFF file%s left out, not understood by name:\n", f->unknown.n, f->unknown.n == 1 ? "" : "s");
    for (size_t i = 0; i < f->unknown.n && i < SHOWN_FILES; i++) printf("    %s\n", f->unknown.item[i]);
    names_free(&channel);
    text_free(&all);
}

status command_index(call *c)
{
    status st = OK;
    plate_files f = {0};
    names notes = {0};
    text csv = {0}, wells_csv = {0};
    char shown[300], *dir = path_dir(c->a.out), *wells = path_join(dir, "well.csv");
    if (path_exists(c->a.out))
        TRY(fail(E_FAILED, "%s exists; remove it, or name another file with --out", text_show(shown, sizeof shown, c->a.out)));
    for (size_t i = 0; i < c->a.rest.n; i++) TRY(plate_files_find(&f, c->a.rest.item[i], c->a.pattern));
    for (size_t i = 0; f.n == 0 && i < f.told.n; i++) log_warn("%s", f.told.item[i]);
    if (f.n == 0)
        TRY(fail(E_FAILED,
                 "no image is understood below %s (%zu TIFF files%s%s); --pattern says how files are named, such as "
                 "'{plate}/{well}_s{site}_{channel}.tif'",
                 text_show(shown, sizeof shown, c->a.rest.item[0]), f.unknown.n, f.unknown.n ? ", the first is " : "",
                 f.unknown.n ? f.unknown.item[0] : ""));
    TRY(rename_channels(&f, &c->a.channels));
    TRY(plate_files_choose(&f, c->a.planes, &notes));
    plate_files_csv(&f, &csv);
    size_t n_wells = plate_files_wells_csv(&f, &wells_csv);
    if (n_wells && path_exists(wells))
        TRY(fail(E_FAILED, "%s exists, where the compounds of the assay's layout would be written; remove it, or write to another folder",
                 text_show(shown, sizeof shown, wells)));
    if (n_wells) TRY(path_write(wells, wells_csv.s, wells_csv.n));
    TRY(path_write(c->a.out, csv.s, csv.n));
    show(&f, csv.s, &notes);
    log_info("%s", c->a.out);
    if (n_wells) log_info("%s: %zu well%s, from the assay's layout", wells, n_wells, n_wells == 1 ? "" : "s");
done:
    free(dir);
    free(wells);
    text_free(&wells_csv);
    plate_files_free(&f);
    names_free(&notes);
    text_free(&csv);
    return st;
}
