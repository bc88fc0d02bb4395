/* micon-simulate: a screen of several centres with known truth. Sites are shared out over the ranks; every picture, table and name
 * follows from the options alone. The plates' tables are written when all pictures are there. */
#include "micon/base/fault.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/mpi/progress.h"
#include "micon/stage/stage.h"
#include "simulate.h"

#include <math.h>
#include <stdlib.h>

#define AT(field) offsetof(sim_options, field)
static const opt options[] = {
    {NULL, "out", OPT_TEXT, AT(out), "", 0, 0, NULL, 0,
     "folder for the screen: new, empty, or begun with the same options (it is then completed)"},
    {NULL, "sources", OPT_INT, AT(sources), "3", 1, 20, NULL, 0, "centres"},
    {NULL, "batches", OPT_INT, AT(batches), "2", 1, 50, NULL, 0, "batches per source"},
    {NULL, "plates", OPT_INT, AT(plates), "1", 1, 100, NULL, 0, "plates per batch"},
    {NULL, "wells", OPT_INT, AT(wells), "96", 6, 1536, NULL, 0, "wells per plate, row by row; a sixth of them are controls"},
    {NULL, "sites", OPT_INT, AT(sites), "2", 1, 36, NULL, 0, "fields of view per well"},
    {NULL, "compounds", OPT_INT, AT(compounds), "24", 1, 459, NULL, 0, "compounds; a third of them have no effect"},
    {NULL, "doses", OPT_INT, AT(doses), "1", 1, 8, NULL, 0,
     "doses of each compound, half a decade apart, the highest 0.01 mmol/l; 1: wells have no dose"},
    {NULL, "structure", OPT_REAL, AT(structure), "0.6", 0, 1, NULL, 0, "share of the effects' variance that the fingerprint explains"},
    {NULL, "layout", OPT_CHOICE, AT(layout), "random", 0, 0, "random|fixed", 0,
     "random: compounds change places from plate to plate; fixed: every batch repeats the same plates, as target plates do"},
    {NULL, "position", OPT_REAL, AT(position), "0", 0, 10, NULL, 0,
     "what a well's position does to its cells, the same on all plates: sd of each factor; a compound's effect is about 1"},
    {NULL, "size", OPT_INT, AT(size), "256", 32, 4096, NULL, 0, "image height in pixels at the first source; others differ"},
    {NULL, "masks", OPT_YES, AT(masks), "no", 0, 0, NULL, 0,
     "write true label images of nuclei and cells too: FileName_NucleiObjects, FileName_CellsObjects"},
    {NULL, "seed", OPT_INT, AT(seed), "1", 0, 4294967295.0, NULL, 0, "random seed: each seed gives another screen"},
    {.name = NULL},
};

/* What one rank draws with. */
typedef struct {
    sim_plate plate;
    int64_t plate_at; /* -1: none yet */
    picture pic;
    uint16_t *px[SIM_FILES]; /* channels, then the picture's masks */
    int64_t drawn;
} desk;

static void desk_free(desk *d)
{
    screen_plate_free(&d->plate);
    picture_free(&d->pic);
    for (int c = 0; c < SIM_FILES; c++) FREE(d->px[c]);
}

static status desk_turn(desk *d, const sim_options *o, int64_t plate_at)
{
    status st = OK;
    if (d->plate_at == plate_at) return OK;
    screen_plate_free(&d->plate);
    d->plate_at = -1;
    TRY(screen_plate(&d->plate, o, plate_at));
    d->plate_at = plate_at;
    if (d->pic.width == d->plate.width && d->pic.height == d->plate.height) {
        d->pic.um = d->plate.camera.um;
        goto done;
    }
    picture_free(&d->pic);
    TRY(picture_init(&d->pic, d->plate.width, d->plate.height, d->plate.camera.um));
    for (int c = 0; c < files_a_site(o); c++) {
        FREE(d->px[c]);
        TRY(mem_alloc(&d->px[c], (size_t)d->plate.width * (size_t)d->plate.height, sizeof(uint16_t), "a picture"));
    }
    for (int m = 0; m < N_MASKS; m++) d->pic.mask[m] = d->px[CHANNELS + m];
done:
    return st;
}

static bool site_is_there(const sim_options *o, const sim_plate *p, int well, int site)
{
    bool all = true;
    for (int c = 0; c < files_a_site(o) && all; c++) {
        char *path = files_image(o, p, well, site, c);
        all = files_image_is_there(path);
        free(path);
    }
    return all;
}

static status draw_site(desk *d, const sim_options *o, const sim_compound *list, int64_t at, bool again)
{
    status st = OK;
    int site = (int)(at % o->sites), well = (int)(at / o->sites % o->wells);
    TRY(desk_turn(d, o, at / o->sites / o->wells));
    if (!again && site_is_there(o, &d->plate, well, site)) goto done;
    sim_well w;
    screen_well(&w, &d->plate, list, o, well);
    rng r = rng_at(sim_seed(o), SIM_SITE, 0, (uint64_t)at);
    double crowding = w.crowding * exp(0.22 * rng_normal(&r)), focus = exp(0.07 * rng_normal(&r));
    cells_draw(&d->pic, w.factor, crowding, &r);
    optics_expose(&d->pic, &d->plate.camera, focus, w.gain, sim_seed(o), SIM_NOISE, (uint64_t)at, d->px);
    TRY(files_site(o, &d->plate, well, site, d->px, again));
    d->drawn++;
done:
    return st;
}

/* Pieces of sites, interleaved over the ranks: centres differ in picture size, so contiguous parts would not be equal work. */
static status draw_all(stage *s, const sim_options *o, const sim_compound *list, int64_t *n_drawn)
{
    status st = OK;
    desk d = {.plate_at = -1};
    int64_t total = screen_plates(o) * o->wells * o->sites;
    progress_info info = {.stage = "simulate", .name = "screen", .unit = "fields", .total = total};
    progress *shown = progress_start_all(s->comm, &info);
    for (int64_t at = s->rank; at < total && st == OK; at += s->size) {
        st = draw_site(&d, o, list, at, s->force);
        progress_add(shown, 1);
    }
    if (st == OK) st = files_sync(o);
    *n_drawn = d.drawn;
    desk_free(&d);
    st = agree_all(s->comm, st);
    progress_end_all(&shown, st);
    TRY(st);
    comm_sum_i64_all(s->comm, n_drawn, 1);
done:
    return st;
}

static status check_options(const sim_options *o)
{
    int controls = screen_controls(o->wells), empty = (int)o->wells / 24;
    int64_t room = o->wells - controls - empty, n = o->compounds * o->doses;
    if (!o->out[0]) return fail(E_USAGE, "--out: give a folder for the screen");
    if (o->compounds > list_count()) return fail(E_USAGE, "--compounds: at most %d are known", list_count());
    if (room * o->plates * o->batches < n)
        return fail(
            E_USAGE,
            "--compounds %lld%s: a source of %lld batches x %lld plates has only %lld wells for them; more --wells, --plates or --batches",
            (long long)o->compounds, o->doses > 1 ? " times --doses" : "", (long long)o->batches, (long long)o->plates,
            (long long)(room * o->plates * o->batches));
    if (room * o->plates < n)
        log_warn("%lld %s do not fit in a batch's %lld wells for them: not every batch holds every %s", (long long)n,
                 o->doses > 1 ? "compounds at doses" : "compounds", (long long)(room * o->plates), o->doses > 1 ? "one" : "compound");
    return OK;
}

static status make_plate_dirs(const sim_options *o)
{
    status st = OK;
    for (int64_t at = 0; at < screen_plates(o); at++) {
        sim_plate p;
        TRY(screen_plate(&p, o, at));
        char *dir = files_plate_dir(o, &p), *images = path_join(dir, "Images");
        st = path_make_dirs(images);
        if (st == OK) path_sweep_parts(images, NULL);
        free(images);
        free(dir);
        screen_plate_free(&p);
        if (st != OK) goto done;
    }
done:
    return st;
}

static status write_tables(const sim_options *o, const sim_compound *list)
{
    status st = OK;
    TRY(files_tables(o, list));
    for (int64_t at = 0; at < screen_plates(o); at++) {
        sim_plate p;
        TRY(screen_plate(&p, o, at));
        st = files_load_data(o, &p);
        screen_plate_free(&p);
        if (st != OK) goto done;
    }
done:
    return st;
}

static status simulate_run_all(stage *s)
{
    status st = OK;
    const sim_options *o = s->options;
    size_t bytes = sizeof(sim_compound) * (size_t)o->compounds;
    sim_compound *list = xmalloc(bytes);
    int64_t drawn = 0;

    TRY_ALL(s->comm, check_options(o));
    TRY_ALL(s->comm, s->rank == 0 ? morphology_compounds(list, o) : OK);
    MPI_Bcast(list, (int)bytes, MPI_BYTE, 0, s->comm);
    TRY_ALL(s->comm, s->rank == 0 ? files_claim(o, s->force) : OK);
    TRY_ALL(s->comm, s->rank == 0 ? make_plate_dirs(o) : OK);
    TRY(draw_all(s, o, list, &drawn));
    TRY_ALL(s->comm, s->rank == 0 ? write_tables(o, list) : OK);
    log_info("%s: %lld plates, %lld fields of view drawn, %lld already present", o->out, (long long)screen_plates(o), (long long)drawn,
             (long long)(screen_plates(o) * o->wells * o->sites - drawn));
done:
    free(list);
    return st;
}

int main(int argc, char **argv)
{
    static const stage_def def = {.name = "simulate",
                                  .summary = "draw a screen of several centres with known truth: TIFFs, tables, screen.yaml",
                                  .options = options,
                                  .options_size = sizeof(sim_options),
                                  .run_all = simulate_run_all};
    return stage_main(argc, argv, &def);
}
