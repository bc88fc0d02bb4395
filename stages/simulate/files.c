/* files.c -- what a simulated screen looks like on disk, which is what a real one looks like:
 *     images/SOURCE__BATCH__PLATE/load_data.csv and Images/A01_s1_DNA.tif ..    one table a plate, one file a channel and site
 *     metadata/{plate,well,compound}.csv.gz                                     as JUMP's
 *     screen.yaml                                                               ready for micon
 *     truth/{compounds,wells}.csv                                               what no real screen has
 *     simulate.txt                                                              the options: which screen this folder holds */
#define _GNU_SOURCE /* syncfs */
#include "micon/base/digest.h"
#include "micon/base/fault.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"
#include "micon/formats/image.h"
#include "simulate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static const char *const file_names[SIM_FILES] = {"DNA", "ER", "RNA", "AGP", "Mito", "NucleiObjects", "CellsObjects"};

int files_a_site(const sim_options *o)
{
    return o->masks ? SIM_FILES : CHANNELS;
}

/* Centres list their channels in different orders. */
static int channel_in(const sim_plate *p, int i)
{
    static const int orders[][CHANNELS] = {{DNA, ER, RNA, AGP, MITO}, {MITO, AGP, RNA, ER, DNA}, {ER, AGP, MITO, DNA, RNA}};
    return orders[p->source_at % 3][i];
}

char *files_plate_dir(const sim_options *o, const sim_plate *p)
{
    char *source = text_encode_name(p->source), *batch = text_encode_name(p->batch), *plate = text_encode_name(p->plate);
    char *dir = xasprintf("%s/images/%s__%s__%s", o->out, source, batch, plate);
    free(source);
    free(batch);
    free(plate);
    return dir;
}

static char *image_name(const sim_options *o, int well, int site, int file)
{
    char name[8];
    screen_well_name(o, well, name);
    return xasprintf("%s_s%d_%s.tif", name, site + 1, file_names[file]);
}

char *files_image(const sim_options *o, const sim_plate *p, int well, int site, int file)
{
    char *dir = files_plate_dir(o, p), *name = image_name(o, well, site, file), *path = xasprintf("%s/Images/%s", dir, name);
    free(dir);
    free(name);
    return path;
}

static status write_image(const char *path, const sim_plate *p, const uint16_t *px, bool mask)
{
    static const image_compression by_source[] = {IMAGE_NONE, IMAGE_LZW, IMAGE_DEFLATE};
    status st = OK;
    char *part = path_part(path);
    image_format format = {.bits = p->camera.bits == 8 && !mask ? 8 : 16, .compression = by_source[p->source_at % 3]};
    TRY(fault("write an image"));
    TRY(image_write_tiff(part, px, p->width, p->height, &format));
    if (rename(part, path) != 0) TRY(fail(E_IO, "%s: cannot rename to %s: %s", part, path, strerror(errno)));
done:
    if (st != OK) unlink(part);
    free(part);
    return st;
}

bool files_image_is_there(const char *path)
{
    int64_t size = 0, when;
    if (!path_exists(path)) return false;
    return path_stat(path, &size, &when) == OK && size > 0; /* 0: what a power cut leaves of a file that was not yet on the disk */
}

/* Images are not synced one by one (an fsync takes milliseconds, a screen has thousands of images) but all at once, before the tables that
 * name them are written. */
status files_sync(const sim_options *o)
{
    int fd = open(o->out, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return fail(E_IO, "%s: %s", o->out, strerror(errno));
    bool good = syncfs(fd) == 0;
    int why = errno;
    close(fd);
    return good ? OK : fail(E_IO, "%s: cannot bring the images to the disk: %s", o->out, strerror(why));
}

status files_site(const sim_options *o, const sim_plate *p, int well, int site, uint16_t *const px[SIM_FILES], bool again)
{
    status st = OK;
    for (int c = 0; c < files_a_site(o) && st == OK; c++) {
        char *path = files_image(o, p, well, site, c);
        if (again || !files_image_is_there(path)) st = write_image(path, p, px[c], c >= CHANNELS);
        free(path);
    }
    return st;
}

status files_load_data(const sim_options *o, const sim_plate *p)
{
    status st = OK;
    text t = {0};
    char *dir = files_plate_dir(o, p), *path = path_join(dir, "load_data.csv");
    for (int i = 0; i < CHANNELS; i++) text_addf(&t, "FileName_Orig%s,", file_names[channel_in(p, i)]);
    for (int i = CHANNELS; i < files_a_site(o); i++) text_addf(&t, "FileName_%s,", file_names[i]);
    for (int i = 0; i < CHANNELS; i++) text_addf(&t, "PathName_Orig%s,", file_names[channel_in(p, i)]);
    for (int i = CHANNELS; i < files_a_site(o); i++) text_addf(&t, "PathName_%s,", file_names[i]);
    text_add(&t, "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site\n");
    for (int well = 0; well < o->wells; well++) {
        for (int site = 0; site < o->sites; site++) {
            char name[8];
            for (int i = 0; i < files_a_site(o); i++) {
                char *file = image_name(o, well, site, i < CHANNELS ? channel_in(p, i) : i);
                text_addf(&t, "%s,", file);
                free(file);
            }
            for (int i = 0; i < files_a_site(o); i++) text_add(&t, "Images,");
            screen_well_name(o, well, name);
            text_addf(&t, "%s,%s,%s,%s,%d\n", p->source, p->batch, p->plate, name, site + 1);
        }
    }
    TRY(fault("write load_data.csv"));
    TRY(path_write(path, t.s, t.n));
done:
    text_free(&t);
    free(path);
    free(dir);
    return st;
}

/* ---- tables ---- */

static status write_below(const sim_options *o, const char *name, const void *data, size_t size)
{
    char *path = path_join(o->out, name);
    status st = fault("write a table");
    if (st == OK) st = path_write(path, data, size);
    free(path);
    return st;
}

/* zlib's own gzip header: no name, no time, so the same text gives the same bytes. */
static status write_gz(const sim_options *o, const char *name, const text *t)
{
    status st = OK;
    z_stream z = {0};
    unsigned char *out = NULL;
    if (t->n > UINT32_MAX / 2) TRY(fail(E_INTERNAL, "%s: too large a table", name));
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) TRY(fail(E_NOMEM, "%s: zlib cannot start", name));
    size_t room = deflateBound(&z, (uLong)t->n);
    out = xmalloc(room);
    z.next_in = (unsigned char *)t->s;
    z.avail_in = (uInt)t->n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    int end = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    if (end != Z_STREAM_END) TRY(fail(E_INTERNAL, "%s: zlib ended with %d", name, end));
    TRY(write_below(o, name, out, room - z.avail_out));
done:
    free(out);
    return st;
}

static const char *content_id(const sim_options *o, int content, const sim_compound *list)
{
    return content == WELL_EMPTY ? SIM_EMPTY : content == WELL_CONTROL ? SIM_CONTROL : list[content % o->compounds].id;
}

/* ",DOSE" in mM with --doses; none of controls. */
static void add_dose(const sim_options *o, int content, text *t)
{
    if (o->doses == 1) return;
    text_add(t, ",");
    if (content >= 0) text_addf(t, "%.4g", pow(10, morphology_dose((int)(content / o->compounds))));
}

static status write_plate_and_well(const sim_options *o, const sim_compound *list)
{
    status st = OK;
    text plates = {0}, wells = {0}, truth = {0};
    text_add(&plates, "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_PlateType\n");
    const char *dose = o->doses > 1 ? "," SIM_DOSE : "";
    text_addf(&wells, "Metadata_Source,Metadata_Plate,Metadata_Well,Metadata_JCP2022%s\n", dose);
    text_add(&truth, "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_JCP2022,crowding");
    for (int k = 0; k < FACTORS; k++) text_addf(&truth, ",%s", factor_names[k]);
    text_addf(&truth, "%s\n", dose);
    for (int64_t at = 0; at < screen_plates(o); at++) {
        sim_plate p;
        TRY(screen_plate(&p, o, at));
        text_addf(&plates, "%s,%s,%s,COMPOUND\n", p.source, p.batch, p.plate);
        for (int well = 0; well < o->wells; well++) {
            char name[8];
            sim_well w;
            const char *id = content_id(o, p.content[well], list);
            screen_well_name(o, well, name);
            screen_well(&w, &p, list, o, well);
            text_addf(&wells, "%s,%s,%s,%s", p.source, p.plate, name, id);
            add_dose(o, p.content[well], &wells);
            text_add(&wells, "\n");
            text_addf(&truth, "%s,%s,%s,%s,%s,%.6f", p.source, p.batch, p.plate, name, id, w.crowding);
            for (int k = 0; k < FACTORS; k++) text_addf(&truth, ",%.6f", w.factor[k]);
            add_dose(o, p.content[well], &truth);
            text_add(&truth, "\n");
        }
        screen_plate_free(&p);
    }
    TRY(write_gz(o, "metadata/plate.csv.gz", &plates));
    TRY(write_gz(o, "metadata/well.csv.gz", &wells));
    TRY(write_below(o, "truth/wells.csv", truth.s, truth.n));
done:
    text_free(&plates);
    text_free(&wells);
    text_free(&truth);
    return st;
}

static status write_compounds(const sim_options *o, const sim_compound *list)
{
    status st = OK;
    text t = {0}, truth = {0};
    text_add(&t, "Metadata_JCP2022,Metadata_InChIKey,Metadata_SMILES,Metadata_Name,Metadata_target\n");
    text_add(&t, SIM_CONTROL ",IAZDPXIOMUYVGZ-UHFFFAOYSA-N,CS(C)=O,DMSO,\n");
    text_addf(&truth, "Metadata_JCP2022,Metadata_Name,mechanism,active,%sstrength", o->doses > 1 ? "half_log10_mM," : "");
    for (int k = 0; k < FACTORS; k++) text_addf(&truth, ",%s", factor_names[k]);
    text_add(&truth, "\n");
    for (int64_t i = 0; i < o->compounds; i++) {
        const sim_compound *c = &list[i];
        text_addf(&t, "%s,%s,%s,", c->id, c->key, c->smiles);
        csv_quote(&t, c->name);
        text_add(&t, ",");
        csv_quote(&t, c->active ? c->mechanism : "");
        text_add(&t, "\n");
        text_addf(&truth, "%s,", c->id);
        csv_quote(&truth, c->name);
        text_add(&truth, ",");
        csv_quote(&truth, c->mechanism);
        text_addf(&truth, ",%s", c->active ? "yes" : "no");
        if (o->doses > 1) text_addf(&truth, ",%.6f", c->half);
        text_addf(&truth, ",%.6f", c->strength);
        for (int k = 0; k < FACTORS; k++) text_addf(&truth, ",%.6f", c->factor[k]);
        text_add(&truth, "\n");
    }
    TRY(write_gz(o, "metadata/compound.csv.gz", &t));
    TRY(write_below(o, "truth/compounds.csv", truth.s, truth.n));
done:
    text_free(&t);
    text_free(&truth);
    return st;
}

status files_tables(const sim_options *o, const sim_compound *list)
{
    status st = OK;
    text t = {0};
    TRY(write_compounds(o, list));
    TRY(write_plate_and_well(o, list));
    text_add(&t, "screen:\n  name: simulated\n  index: images/*/load_data.csv\n  plate: metadata/plate.csv.gz\n"
                 "  well: metadata/well.csv.gz\n  compound: metadata/compound.csv.gz\n  channels: [DNA, ER, RNA, AGP, Mito]\n"
                 "  control: " SIM_CONTROL "\n  work: work\n");
    if (o->doses > 1) text_add(&t, "  treatment: " SIM_DOSE "\n");
    text_addf(&t, "tile:\n  size: %d\n", o->size < 224 ? (int)o->size : 224);
    /* With one batch a source there is none to hold out. */
    text_addf(&t, "split:\n  test_batches: %d\n", o->batches > 1 ? 1 : 0);
    TRY(write_below(o, "screen.yaml", t.s, t.n));
done:
    text_free(&t);
    return st;
}

/* ---- may we write into this folder ---- */

static bool is_empty_dir(const char *path)
{
    DIR *d = opendir(path);
    if (!d) return false;
    int n = 0;
    for (struct dirent *e; n == 0 && (e = readdir(d));) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n == 0;
}

static void marker_text(const sim_options *o, text *t)
{
    text_addf(t, "micon-simulate " MICON_VERSION "\nsources %lld\nbatches %lld\nplates %lld\nwells %lld\n", (long long)o->sources,
              (long long)o->batches, (long long)o->plates, (long long)o->wells);
    text_addf(t, "sites %lld\ncompounds %lld\nsize %lld\nseed %lld\n", (long long)o->sites, (long long)o->compounds, (long long)o->size,
              (long long)o->seed);
    if (o->structure != 0.6) text_addf(t, "structure %.9g\n", o->structure); /* folders begun before 0.2 do not say it */
    if (o->layout == LAYOUT_FIXED) text_add(t, "layout fixed\n");
    if (o->position > 0) text_addf(t, "position %.9g\n", o->position);
    if (o->masks) text_add(t, "masks yes\n");
    if (o->doses > 1) text_addf(t, "doses %lld\n", (long long)o->doses);
}

/* An earlier simulation's plate folders: the table first, so that no index finds a plate that is half gone. Only what this program
 * wrote goes: load_data.csv and Images/. *.tif; a folder that holds anything else stays. */
static status drop_plates(const sim_options *o)
{
    status st = OK;
    names tables = {0}, images = {0};
    TRY(path_glob(&tables, o->out, "images/*/load_data.csv"));
    TRY(path_glob(&images, o->out, "images/*/Images/*.tif"));
    for (size_t i = 0; i < tables.n; i++)
        if (unlink(tables.item[i]) != 0) TRY(fail(E_IO, "%s: cannot remove: %s", tables.item[i], strerror(errno)));
    for (size_t i = 0; i < images.n; i++) {
        char *dir = path_dir(images.item[i]), *above = path_dir(dir);
        unlink(images.item[i]);
        if (rmdir(dir) == 0) rmdir(above);
        free(dir);
        free(above);
    }
done:
    names_free(&tables);
    names_free(&images);
    return st;
}

status files_claim(const sim_options *o, bool force)
{
    status st = OK;
    text want = {0};
    char *marker = path_join(o->out, "simulate.txt"), *have = NULL;
    size_t size = 0;
    marker_text(o, &want);
    bool marked = path_exists(marker);
    if (path_exists(o->out) && !path_is_dir(o->out)) TRY(fail(E_USAGE, "--out %s: not a folder", o->out));
    if (marked) TRY(path_read(marker, &have, &size, 4096));
    bool same = marked && size == want.n && memcmp(have, want.s, size) == 0;
    if (marked && !same && !force)
        TRY(fail(E_USAGE,
                 "--out %s: holds a screen of other options (see simulate.txt there); choose another folder, or --force to replace it",
                 o->out));
    if (!marked && path_exists(o->out) && !is_empty_dir(o->out) && !force)
        TRY(fail(E_USAGE, "--out %s: the folder holds something else; choose another one, or --force to write there anyway", o->out));
    if (marked && !same) TRY(drop_plates(o));
    static const char *const below[] = {"metadata", "truth", "images"};
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        char *dir = path_join(o->out, below[i]);
        st = path_make_dirs(dir);
        if (st == OK) path_sweep_parts(dir, NULL);
        free(dir);
        if (st != OK) goto done;
    }
    if (!same) TRY(path_write(marker, want.s, want.n));
done:
    text_free(&want);
    free(marker);
    free(have);
    return st;
}
