/* calibrate.c -- micon plan --calibrate: the stages on a few sites of this very screen, timed; how far that is from the built-in rates is
 * kept for later plans. */
#include "driver.h"

#include "micon/csv.h"
#include "micon/index.h"
#include "micon/log.h"
#include "micon/mem.h"
#include "micon/path.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLE_SITES = 48, LIMIT_S = 60 };
#define START_S 1.0

void rates_read(rates *r, const config *c)
{
    char *path = config_work(c, "status/rates.json");
    json_t *o = path_exists(path) ? json_load_file(path, 0, NULL) : NULL, *f = json_object_get(o, "factor");
    const json_t *starts = json_object_get(o, "start_s");
    *r = (rates){.measured = json_is_object(f)};
    for (int i = 0; i < N_STAGES; i++) {
        double v = json_number_value(json_object_get(f, stage_table[i].name));
        double start = json_number_value(json_object_get(starts, stage_table[i].name));
        r->factor[i] = v > 0 && isfinite(v) ? v : 1;
        r->start_s[i] = start > 0 && isfinite(start) ? start : START_S;
    }
    json_decref(o);
    free(path);
}

static void add_numbers(text *t, const char *key, const double v[N_STAGES], const bool measured[N_STAGES])
{
    bool any = false;
    text_addf(t, ", \"%s\": {", key);
    for (int i = 0; i < N_STAGES; i++) {
        if (!measured[i]) continue;
        text_addf(t, "%s\"%s\": %.4g", any ? ", " : "", stage_table[i].name, v[i]);
        any = true;
    }
    text_add(t, "}");
}

static status rates_write(const rates *r, const bool measured[N_STAGES], const config *c)
{
    text t = {0};
    char *path = config_work(c, "status/rates.json"), host[256] = "";
    gethostname(host, sizeof host - 1);
    text_add(&t, "{\"format\": 1, \"host\": ");
    text_add_json(&t, host);
    add_numbers(&t, "start_s", r->start_s, measured);
    add_numbers(&t, "factor", r->factor, measured);
    text_add(&t, "}\n");
    status st = path_write(path, text_str(&t), t.n);
    text_free(&t);
    free(path);
    return st;
}

/* ---- the sample: a table of the first sites of the first plate ---- */
static void add_cell(text *t, const char *value, bool first)
{
    if (!first) text_add(t, ",");
    csv_quote(t, value);
}

static void add_site(const screen_index *ix, int64_t row, const char *here, text *t)
{
    static const int cols[] = {INDEX_SOURCE, INDEX_BATCH, INDEX_PLATE, INDEX_WELL, INDEX_SITE, INDEX_COMPOUND};
    text path = {0};
    char page[24];
    for (int i = 0; i < 6; i++) add_cell(t, index_cell(ix, row, cols[i]), i == 0);
    for (int k = 0; k < index_n_channels(ix); k++) {
        const char *name = index_path(ix, row, k, &path);
        char *full = path_join(here, name), *dir = path_dir(full);
        add_cell(t, *name ? path_base(full) : "", false);
        add_cell(t, *name ? dir : "", false);
        snprintf(page, sizeof page, "%d", index_page(ix, row, k));
        if (index_page(ix, row, k) >= 0) add_cell(t, page, false);
        free(full);
        free(dir);
    }
    text_add(t, "\n");
    text_free(&path);
}

static status write_sample(const call *c, const char *path)
{
    status st = OK;
    screen_index *ix = NULL;
    text t = {0};
    char here[4096];
    if (!getcwd(here, sizeof here)) TRY(fail(E_IO, "the current folder: %s", strerror(errno)));
    TRY(screen_index_open(&ix, &c->cfg));
    if (!index_n_plates(ix)) TRY(fail(E_FAILED, "%s: the tables name no plate; 'micon check' lists what is wrong", c->path));
    text_add(&t, "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_JCP2022");
    for (int k = 0; k < index_n_channels(ix); k++) {
        static const char *const heads[] = {"FileName_Orig", "PathName_Orig", "Frame_"};
        for (int h = 0; h < (index_page(ix, 0, k) >= 0 ? 3 : 2); h++) {
            char *head = xasprintf("%s%s", heads[h], index_channel(ix, k));
            add_cell(&t, head, false);
            free(head);
        }
    }
    text_add(&t, "\n");
    int64_t n = index_plate_at(ix, 0).n;
    for (int64_t row = 0; row < n && row < SAMPLE_SITES; row++) add_site(ix, row, here, &t);
    TRY(path_write(path, text_str(&t), t.n));
done:
    index_free(&ix);
    text_free(&t);
    return st;
}

/* ---- the measurement ---- */
static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* As `micon run` would with many plates: a rank each. */
static int64_t ranks_of(const plan *p, const step *s)
{
    return s->plate >= 0 ? 1 : p->ranks;
}

/* Run one step of the sample; seconds: the wall clock. */
static status time_step(const call *sample, const plan *p, const step *s, const names *mpirun, const char *log, double *seconds)
{
    status st = OK;
    process run = {.pid = -1};
    size_t n = 0;
    char **argv = xcalloc(mpirun->n + sample->plain.n + 4, sizeof *argv), ranks[24], *program = NULL;
    snprintf(ranks, sizeof ranks, "%lld", (long long)ranks_of(p, s));
    program = driver_program(sample, stage_table[s->stage].program);
    for (size_t i = 0; i < mpirun->n; i++) argv[n++] = mpirun->item[i];
    argv[n++] = (char *)"-n";
    argv[n++] = ranks;
    argv[n++] = program;
    for (size_t i = 0; i < sample->plain.n; i++) argv[n++] = sample->plain.item[i];
    double t0 = now_s();
    TRY(process_start(&run, argv, mpi_settings, log));
    while (!process_ended(&run, false)) {
        struct timespec pause = {0, 20000000L};
        nanosleep(&pause, NULL);
        if (now_s() - t0 > LIMIT_S || stop_asked()) process_signal(&run, stop_asked() ? SIGTERM : SIGKILL);
    }
    *seconds = now_s() - t0;
    if (stop_asked()) TRY(fail(E_AGAIN, "stopped on request"));
    if (run.exit) {
        char *why = process_reason(log, run.exit);
        st = fail(E_FAILED, "%s", why);
        free(why);
    }
done:
    free(argv);
    free(program);
    return st;
}

static void add_set(call *sample, const char *key, const char *value)
{
    char *set = xasprintf("%s=%s", key, value);
    names_add(&sample->a.sets, set);
    names_add(&sample->plain, "--set");
    names_add(&sample->plain, set);
    free(set);
}

/* The same screen with the sample's table, in a folder of its own. */
static status open_sample(call *sample, const call *c, const char *dir)
{
    char *csv_file = path_join(dir, "sample.csv"), *work = path_join(dir, "work");
    *sample = (call){.name = c->name, .path = c->path, .bin = c->bin};
    sample->a.ranks = c->a.ranks;
    names_add(&sample->plain, c->path);
    for (size_t i = 1; i < c->plain.n; i++) names_add(&sample->plain, c->plain.item[i]);
    for (size_t i = 0; i < c->a.sets.n; i++) names_add(&sample->a.sets, c->a.sets.item[i]);
    add_set(sample, "screen.index", csv_file);
    add_set(sample, "screen.work", work);
    add_set(sample, "screen.plate", "");
    add_set(sample, "screen.well", "");
    add_set(sample, "tile.max_bad", "1");
    add_set(sample, "train.steps", "10");
    status st = write_sample(c, csv_file);
    if (st == OK) st = config_read(&sample->cfg, c->path, &sample->a.sets);
    free(csv_file);
    free(work);
    return st;
}

static status measure(const call *sample, rates *r, bool measured[N_STAGES], const char *dir)
{
    status st = OK;
    plan p = {0};
    names mpirun = {0};
    unsigned failed = 0;
    char *log = path_join(dir, "log");
    TRY(mpirun_find(&mpirun));
    TRY(plan_make(&p, sample));
    p.rates = (rates){.measured = true};
    for (int i = 0; i < N_STAGES; i++) p.rates.factor[i] = 1; /* and nothing for the start: the work alone */
    plan_estimate(&p, &sample->cfg);
    for (size_t i = 0; i < p.n; i++) {
        const step *s = &p.step[i];
        double seconds = 0, again = 0;
        if (!step_wants_run(s) || s->seconds <= 0 || stage_needs(&sample->cfg, s->stage) & failed) continue;
        status one = time_step(sample, &p, s, &mpirun, log, &seconds);
        if (one == OK) one = time_step(sample, &p, s, &mpirun, log, &again); /* it finds all up to date: what every start costs */
        if (one == E_AGAIN) TRY(one);
        if (one != OK) {
            log_warn("%s could not be measured (%s): the built-in rate stays", stage_table[s->stage].name, msg_get());
            msg_clear();
            failed |= 1u << s->stage;
            continue;
        }
        r->start_s[s->stage] = fmin(again, seconds);
        r->factor[s->stage] = fmax(seconds - again, 0.02 * seconds) * (double)ranks_of(&p, s) / (s->seconds * (double)p.ranks);
        measured[s->stage] = true;
        log_info("%s: %.2g s for the sample, %.2g s of it for the start, %.2g times the built-in rate", stage_table[s->stage].name, seconds,
                 again, r->factor[s->stage]);
    }
done:
    plan_free(&p);
    names_free(&mpirun);
    free(log);
    return st;
}

status rates_calibrate(call *c)
{
    status st = OK;
    work_lock lock = {NULL};
    rates r = {.measured = true};
    bool measured[N_STAGES] = {false};
    call sample = {0};
    char *found = config_work(&c->cfg, "status/calibrate"), *dir = NULL;
    if (c->cfg.evaluate.profiles.n) TRY(fail(E_USAGE, "--calibrate measures with images: this configuration has a table of profiles"));
    TRY(lock_take(&lock, c));
    clean_own_folder(found);
    TRY(path_make_dirs(found));
    if (!(dir = realpath(found, NULL))) TRY(fail(E_IO, "%s cannot be found again", found));
    stop_catch();
    TRY(open_sample(&sample, c, dir));
    TRY(measure(&sample, &r, measured, dir));
    TRY(rates_write(&r, measured, &c->cfg));
done:
    if (lock.path) clean_own_folder(found);
    lock_release(&lock);
    config_free(&sample.cfg);
    names_free(&sample.plain);
    names_free(&sample.a.sets);
    free(found);
    free(dir);
    return st;
}
