/* plan_calibrate.c -- micon plan --calibrate: runs the stages on a few sites of this screen, and keeps the ratio to the built-in rates for
 * later plans; --network: sums between ranks, by micon-train. */
#include "driver.h"

#include "micon/base/clock.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"
#include "micon/formats/csv.h"
#include "micon/index/index.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLE_SITES = 48, SAMPLE_OF_WELL = 6, LIMIT_S = 45, PATIENCE_S = 15 };
static const double STEP_S = 5, STEPS_S = 15; /* of training: one step, all steps, at the built-in rate */
static const double WORK_S = 0.5;             /* shorter work, at the built-in rate, cannot be told from the start */

/* ---- the sample: a table of the first sites of the first plate ---- */
static void add_cell(text *t, const char *value, bool first)
{
    if (!first) text_add(t, ",");
    csv_quote(t, value);
}

static void add_site(const screen_index *ix, int64_t row, const char *compound, const char *here, text *t)
{
    static const int cols[] = {INDEX_SOURCE, INDEX_BATCH, INDEX_PLATE, INDEX_WELL, INDEX_SITE};
    text path = {0};
    char page[24];
    for (int i = 0; i < 5; i++) add_cell(t, index_cell(ix, row, cols[i]), i == 0);
    add_cell(t, compound, false);
    for (int k = 0; k < index_n_channels(ix); k++) {
        const char *name = index_path(ix, row, k, &path);
        char *full = path_join(here, name), *dir = path_dir(full);
        add_cell(t, *name ? path_base(full) : "", false);
        add_cell(t, *name ? dir : "", false);
        snprintf(page, sizeof page, "%d", index_page(ix, row, k));
        if (index_page(ix, row, k) >= 0) add_cell(t, index_page_named(ix, row, k) ? page : "", false);
        free(full);
        free(dir);
    }
    text_add(t, "\n");
    text_free(&path);
}

/* The first sites of the first wells. Their compounds are made up, so that even a few wells include untreated cells and pairs of wells to
 * train on. */
static void add_sites(const call *c, const screen_index *ix, const char *here, text *t)
{
    const char *kept = c->cfg.screen.control.n ? c->cfg.screen.control.item[0] : "";
    names others = {0};
    int64_t n = index_plate_at(ix, 0).n, wells = 0, treated = 0, taken = 0;
    for (int64_t row = 0; row < n; row++) {
        const char *own = index_cell(ix, row, INDEX_COMPOUND);
        if (*own && names_find(&c->cfg.screen.control, own) < 0 && names_find(&others, own) < 0) names_add(&others, own);
    }
    for (int64_t row = 0; row < n && taken < SAMPLE_SITES; wells++) {
        int64_t end = index_well_end(ix, row);
        const char *compound = wells % 3 == 0 || !others.n ? kept : others.item[(size_t)(treated++ / 2) % others.n];
        for (int64_t k = row; k < end && k < row + SAMPLE_OF_WELL && taken < SAMPLE_SITES; k++, taken++) add_site(ix, k, compound, here, t);
        row = end;
    }
    names_free(&others);
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
    add_sites(c, ix, here, &t);
    TRY(path_write(path, text_str(&t), t.n));
done:
    index_free(&ix);
    text_free(&t);
    return st;
}

/* ---- the measurement ---- */
/* As `micon run` with many plates: one rank per plate. */
static int64_t ranks_of(const plan *p, const step *s)
{
    return s->plate >= 0 ? 1 : p->ranks;
}

/* Run one step of the sample; seconds: wall clock. A step that takes longer than LIMIT_S is asked to stop. */
static status time_step(const call *sample, const plan *p, const step *s, const names *mpirun, const char *log, double *seconds)
{
    status st = OK;
    launch run = {.p = {.pid = -1}};
    size_t n = 0;
    int told = 0;
    char **argv = xcalloc(mpirun->n + sample->plain.n + 4, sizeof *argv), ranks[24], *program = NULL;
    snprintf(ranks, sizeof ranks, "%lld", (long long)ranks_of(p, s));
    program = driver_program(sample, stage_table[s->stage].name);
    for (size_t i = 0; i < mpirun->n; i++) argv[n++] = mpirun->item[i];
    argv[n++] = (char *)"-n";
    argv[n++] = ranks;
    argv[n++] = program;
    for (size_t i = 0; i < sample->plain.n; i++) argv[n++] = sample->plain.item[i];
    double t0 = clock_s();
    TRY(launch_start(&run, argv, log));
    while (!process_ended(&run.p, false)) {
        struct timespec pause = {0, 20000000L};
        nanosleep(&pause, NULL);
        double spent = clock_s() - t0;
        if (stop_asked())
            process_signal(&run.p, SIGTERM);
        else if (spent > LIMIT_S + PATIENCE_S)
            process_signal(&run.p, SIGKILL);
        else if (spent > LIMIT_S && told++ == 0)
            process_signal(&run.p, stage_table[s->stage].stop_signal);
    }
    *seconds = clock_s() - t0;
    if (stop_asked()) TRY(fail(E_AGAIN, "stopped on request"));
    if (run.p.exit) {
        char *why = step_failure_reason(log, run.p.exit);
        st = fail(E_FAILED, "%s", why);
        free(why);
    }
done:
    launch_end(&run);
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

/* A batch that the sample can fill, and as many steps as fit into STEPS_S. */
static status shorten_training(call *sample, const call *c)
{
    config *f = &sample->cfg;
    char number[24];
    f->train.steps = 1;
    double step_s = estimate_train_s(f) / (double)process_cores();
    int64_t most = SAMPLE_SITES / 3 * 2, batch = f->train.batch, ranks = c->a.ranks > 0 ? c->a.ranks : process_cores();
    if (step_s > STEP_S) batch = (int64_t)((double)batch * STEP_S / step_s);
    if (batch > most) batch = most;
    if (batch < 2 * ranks) batch = 2 * ranks;
    step_s *= (double)batch / (double)f->train.batch;
    double steps = fmin(12, fmax(3, STEPS_S / step_s));
    snprintf(number, sizeof number, "%lld", (long long)batch);
    add_set(sample, "train.batch", number);
    snprintf(number, sizeof number, "%d", (int)steps);
    add_set(sample, "train.steps", number);
    config_free(f);
    return config_read(f, c->path, &sample->a.sets);
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
    add_set(sample, "screen.treatment", "[]");
    add_set(sample, "tile.max_bad", "1");
    add_set(sample, "split.unseen_sources", "[]"); /* one plate: nothing can be held out */
    add_set(sample, "split.test_batches", "0");
    add_set(sample, "split.valid_batches", "0");
    add_set(sample, "split.unseen_compounds", "0");
    add_set(sample, "train.valid_every", "0");
    add_set(sample, "train.early_stop", "0");
    status st = write_sample(c, csv_file);
    if (st == OK) st = config_read(&sample->cfg, c->path, &sample->a.sets);
    if (st == OK) st = shorten_training(sample, c);
    free(csv_file);
    free(work);
    return st;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median time of a training step from log.jsonl; the first steps also measure convolutions. *n: steps logged. */
static double step_seconds(const config *c, size_t *logged)
{
    double s[64] = {0};
    size_t n = 0, size = 0;
    char *run = text_encode_name(c->train.run), *below = xasprintf(WORK_MODELS "/%s/" MODEL_LOG, run), *path = config_work(c, below),
         *data = NULL;
    if (path_exists(path) && path_read(path, &data, &size, 1 << 20) != OK) msg_clear();
    for (const char *p = data; p && (p = strstr(p, "\"seconds\": ")) != NULL && n < sizeof s / sizeof *s; n++) s[n] = strtod(p += 11, NULL);
    qsort(s, n, sizeof *s, by_value);
    free(data);
    free(path);
    free(below);
    free(run);
    *logged = n;
    return n ? s[n / 2] : 0;
}

/* From a run of a step and a second one that found it done: the cost of a start, and the ratio of the work to the built-in rate. */
static void conclude(rates *r, const call *sample, const plan *p, const step *s, double seconds, double again)
{
    double work = seconds - again, start = fmin(again, seconds), built_in = s->seconds * (double)p->ranks / (double)ranks_of(p, s);
    size_t logged = 0;
    double step_s = stage_table[s->stage].trains ? step_seconds(&sample->cfg, &logged) : 0;
    if (logged) {
        work = step_s * (double)sample->cfg.train.steps;
        start = seconds - step_s * (double)logged;
    } else if (built_in < WORK_S) {
        work = built_in;
        start = seconds - built_in;
    }
    r->factor[s->stage] = fmax(work, 0.02 * seconds) / built_in;
    if (!logged && built_in < WORK_S) r->factor[s->stage] = 1;
    r->start_s[s->stage] = fmax(0, start);
    log_info("%s: %.2g s for the sample, %.2g s of it for the start, %.2g times the built-in rate", stage_table[s->stage].name, seconds,
             r->start_s[s->stage], r->factor[s->stage]);
}

static status measure(const call *sample, rates *r, bool measured[MAX_STAGES], const char *dir)
{
    status st = OK;
    plan p = {0};
    names mpirun = {0};
    unsigned failed = 0;
    char *log = path_join(dir, "log");
    TRY(mpirun_find(&mpirun));
    TRY(plan_make(&p, sample));
    p.rates = (rates){.measured = true};
    for (int i = 0; i < n_stages; i++) p.rates.factor[i] = 1; /* no start time: the work alone */
    plan_estimate(&p, &sample->cfg);
    for (size_t i = 0; i < p.n; i++) {
        const step *s = &p.step[i];
        double seconds = 0, again = 0;
        size_t logged = 0;
        if (!step_wants_run(s) || s->seconds <= 0 || stage_needs(&sample->cfg, s->stage) & failed) continue;
        status one = time_step(sample, &p, s, &mpirun, log, &seconds);
        if (one == OK) {
            one = time_step(sample, &p, s, &mpirun, log, &again); /* all is up to date now: the cost of a start */
        } else if (one != E_AGAIN && seconds > LIMIT_S && stage_table[s->stage].trains && step_seconds(&sample->cfg, &logged) > 0) {
            log_info("train: stopped after %zu steps, which are enough; what needs its model keeps its built-in rate", logged);
            msg_clear();
            failed |= 1u << s->stage;
            one = OK;
        }
        if (one == E_AGAIN) TRY(one);
        if (one != OK) {
            log_warn("%s could not be measured (%s): the built-in rate stays", stage_table[s->stage].name, msg_get());
            msg_clear();
            failed |= 1u << s->stage;
            continue;
        }
        conclude(r, sample, &p, s, seconds, again);
        measured[s->stage] = true;
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
    bool measured[MAX_STAGES] = {false};
    call sample = {0};
    char *found = config_work(&c->cfg, STATUS_CALIBRATE), *dir = NULL;
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
    if (lock.held) clean_own_folder(found);
    lock_release(&lock);
    config_free(&sample.cfg);
    names_free(&sample.plain);
    names_free(&sample.a.sets);
    free(found);
    free(dir);
    return st;
}

/* ---- sums between ranks ---- */

/* Without -n the ranks are those of the allocation, where we are in a job, else this machine's cores. */
static size_t ranks_argument(const call *c, char **argv, char *number, size_t size)
{
    int64_t cores = process_cores(), ranks = c->a.ranks > 0 ? c->a.ranks : getenv("SLURM_JOB_ID") ? 0 : cores < 2 ? 2 : cores;
    if (ranks == 0) return 0;
    snprintf(number, size, "%lld", (long long)ranks);
    argv[0] = (char *)"-n";
    argv[1] = number;
    return 2;
}

status network_calibrate(call *c)
{
    status st = OK;
    launch run = {.p = {.pid = -1}};
    names mpirun = {0};
    int trains = 0;
    while (!stage_table[trains].trains) trains++;
    char *program = driver_program(c, stage_table[trains].name), **argv = NULL, number[24];
    size_t n = 0;
    TRY(mpirun_find(&mpirun));
    argv = xcalloc(mpirun.n + c->plain.n + 5, sizeof *argv);
    for (size_t i = 0; i < mpirun.n; i++) argv[n++] = mpirun.item[i];
    n += ranks_argument(c, argv + n, number, sizeof number);
    argv[n++] = program;
    for (size_t i = 0; i < c->plain.n; i++) argv[n++] = c->plain.item[i];
    argv[n++] = (char *)"--network";
    stop_catch();
    TRY(launch_start(&run, argv, NULL));
    while (!process_ended(&run.p, false)) {
        struct timespec pause = {0, 20000000L};
        nanosleep(&pause, NULL);
        if (stop_asked()) process_signal(&run.p, SIGTERM);
    }
    if (stop_asked()) TRY(fail(E_AGAIN, "stopped on request"));
    if (run.p.exit) TRY(fail(E_FAILED, "the network could not be measured: %s ended with exit status %d", argv[0], run.p.exit));
done:
    launch_end(&run);
    names_free(&mpirun);
    free(program);
    free(argv);
    return st;
}
