/* main.c -- micon-featurize: fingerprints of the compounds, or vectors from a file, one row per compound, to work/compounds.h5. */
#include "featurize.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/provenance/written_files.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Processes that were started before MPI: for Open Babel, and for HDF5 files of others. */
typedef struct {
    worker *compounds;
    foreign_reader *foreign;
} helpers;

/* The state of one run. */
typedef struct {
    stage *s;
    worker *w;
    foreign_reader *foreign;
    char *path, *status_file, *memory; /* the output; its progress; the digests of its inputs */
    input_digests in;
    screen_coverage coverage; /* rank 0 */
    text made_from;           /* rank 0 */
    features f;
} job;

static bool has_vectors(const stage *s)
{
    return s->cfg.featurize.vectors[0] != '\0';
}

static status check_options(const stage *s)
{
    const featurize_args *a = s->options;
    int64_t bits = s->cfg.featurize.bits;
    if (bits & (bits - 1)) return fail(E_USAGE, "featurize.bits: %lld is not a power of two", (long long)bits);
    if (a->nearest[0] && has_vectors(s))
        return fail(E_USAGE, "--nearest compares fingerprints; featurize.vectors is set, so there are none");
    if (s->plates.n) return fail(E_USAGE, "--plate: compounds do not belong to plates");
    if (!has_vectors(s) && s->cfg.screen.compound.n == 0)
        return fail(
            E_USAGE,
            "%s: screen.compound names no table; or set featurize.vectors, or train.method: simclr, paclr or pretrained, which need no "
            "structures",
            s->cfg.path);
    return OK;
}

static status find_inputs(const stage *s, input_digests *in)
{
    status st = OK;
    names files = {0};
    char *pattern = NULL;
    if (has_vectors(s)) {
        pattern = config_path(&s->cfg, s->cfg.featurize.vectors);
        TRY(input_digests_add(in, pattern));
    }
    for (size_t i = 0; i < s->cfg.screen.compound.n && !has_vectors(s); i++) {
        free(pattern);
        pattern = config_path(&s->cfg, s->cfg.screen.compound.item[i]);
        size_t before = files.n;
        TRY(path_glob(&files, s->cfg.dir, s->cfg.screen.compound.item[i]));
        if (files.n == before) {
            st = fail(E_IO, "%s: screen.compound: there is no file %s", s->cfg.path, pattern);
            goto done;
        }
    }
    for (size_t i = 0; i < files.n; i++) TRY(input_digests_add(in, files.item[i]));
done:
    free(pattern);
    names_free(&files);
    return st;
}

/* What determines the output, apart from the bytes of the inputs. */
static void describe(job *j)
{
    char d[DIGEST_TEXT];
    provenance_config(j->s, &j->made_from);
    text_addf(&j->made_from, "index rows: %s\n", digest_show(j->coverage.rows, d));
    if (!has_vectors(j->s)) text_addf(&j->made_from, "library: %s\nstandardization: %s\n", compound_library(), compound_rules);
}

/* Rank 0: is the output there, and was it made from the same inputs and options? */
static status check_current(job *j, bool *current)
{
    status st = OK;
    *current = false;
    TRY(coverage_read(&j->coverage, &j->s->cfg));
    describe(j);
    if (j->s->force) goto done;
    if (!j->s->verify) input_digests_recall(&j->in, j->memory);
    for (size_t i = 0; i < j->in.n; i++) {
        input *in = &j->in.item[i];
        if (!in->known) TRY(digest_file(in->path, &in->digest));
        in->known = true;
    }
    *current = provenance_current(j->path, COMPOUNDS_KIND, COMPOUNDS_FORMAT, j->s, text_str(&j->made_from), input_digests_digest(&j->in));
done:
    return st;
}

static void say_counts(const features *f)
{
    long long rows = features_count(f, "rows"), compared = features_count(f, "keys_compared");
    log_info("%lld rows: %lld read, %lld rejected, %lld repeats; %lld identifiers are %lld compounds; %lld rows changed by standardization",
             rows, (long long)features_count(f, "read"), (long long)features_count(f, "rejected"), (long long)features_count(f, "repeats"),
             (long long)features_count(f, "identifiers"), (long long)features_count(f, "compounds"),
             (long long)features_count(f, "changed"));
    if (compared) log_info("InChIKeys: %lld of %lld differ from the table's", (long long)features_count(f, "keys_different"), compared);
    if (features_count(f, "all_zero")) log_warn("%lld vectors are all zero", (long long)features_count(f, "all_zero"));
    int line = frame_col(&f->rejects, "Line"), file = frame_col(&f->rejects, "Table"), reason = frame_col(&f->rejects, "Reason");
    for (int64_t r = 0; r < f->rejects.n_rows && r < 5; r++)
        log_warn("%s:%lld: rejected: %s", frame_text(&f->rejects, r, file), (long long)f->rejects.col[line].v.i64[r],
                 frame_text(&f->rejects, r, reason));
    if (f->rejects.n_rows > 5) log_warn("... and %lld more rejected rows (uns/rejects)", (long long)f->rejects.n_rows - 5);
}

/* Rank 0: the record beside the file, for the driver. */
static status record(const job *j)
{
    store_file *f = NULL;
    status st = store_open(&f, j->path, COMPOUNDS_KIND, COMPOUNDS_FORMAT);
    if (st == OK)
        st = provenance_record(j->s, "compounds", j->path, text_str(&j->made_from), input_digests_digest(&j->in), store_digest(f));
    store_close(&f);
    return st == OK ? input_digests_remember(&j->in, j->memory) : st;
}

static status finish_all(job *j, progress *p)
{
    status st = OK, local = OK;
    if (j->s->rank == 0) {
        local = coverage_check(&j->coverage, &j->f, &j->s->cfg);
        say_counts(&j->f);
    }
    TRY_ALL(j->s->comm, local);
    TRY(features_write_all(j->s, &j->f, p, j->path, text_str(&j->made_from), input_digests_digest(&j->in)));
done:
    return st;
}

static void add_text(features *f, const char *name, const char *value)
{
    names_add(&f->text_name, name);
    names_add(&f->text_value, value);
}

static progress *start_progress_all(const job *j, const char *unit, int64_t total)
{
    return progress_start_all(
        j->s->comm, &(progress_info){.file = j->status_file, .stage = "featurize", .name = "compounds", .unit = unit, .total = total});
}

/* ---- fingerprints ---- */
typedef struct {
    compound_tables t;
    results r;
    merged m;
    int bits;
} fingerprints;

static status fill_fingerprints(void *ctx, int64_t first, int64_t n, void *out)
{
    const fingerprints *p = ctx;
    for (int64_t k = 0; k < n; k++) compound_unpack(p->r.of[p->m.row[first + k]].fingerprint, p->bits, (uint8_t *)out + k * p->bits);
    return OK;
}

static status merge_rows(fingerprints *p)
{
    status st = OK;
    merge_row *rows = NULL;
    TRY(mem_alloc(&rows, (size_t)p->t.n_rows, sizeof *rows, "rows to be merged"));
    for (int64_t i = 0; i < p->t.n_rows; i++) {
        const result *r = &p->r.of[i];
        rows[i].id = p->t.row[i].id;
        if (rows[i].id[0] && compound_is_kept(r->state)) rows[i].identity = r->key[0] ? r->key : r->smiles;
    }
    TRY(compound_merge(&p->m, rows, p->t.n_rows));
    if (p->m.n_compounds == 0) {
        const compound_row *row = &p->t.row[0];
        st = fail(E_FAILED, "%s:%lld: %s; no row of the compound table is usable", compound_row_path(&p->t, row), (long long)row->line,
                  row->id[0] ? p->r.of[0].reason : "the row has no identifier");
    }
done:
    free(rows);
    return st;
}

static status fingerprint_tables(job *j, const fingerprints *p)
{
    char name[32];
    features *f = &j->f;
    const char *kind = compound_kind_name((compound_kind)j->s->cfg.featurize.fingerprint);
    for (int b = 0; b < p->bits; b++) {
        snprintf(name, sizeof name, "%s_%d", kind, b);
        names_add(&f->columns, name);
    }
    add_text(f, "fingerprint", kind);
    add_text(f, "library", compound_library());
    add_text(f, "standardization", compound_rules);
    return output_tables_make(f, &p->t, &p->r, &p->m);
}

static status make_fingerprints_all(job *j)
{
    status st = OK;
    names below = {0};
    stage *s = j->s;
    fingerprints p = {.bits = (int)s->cfg.featurize.bits};
    progress *bar = NULL;
    char *drawings = NULL;
    TRY_ALL(s->comm, compound_init((compound_kind)s->cfg.featurize.fingerprint));
    st = agree_all(s->comm, compound_tables_read(&p.t, &j->in));
    bar = start_progress_all(j, "rows", p.t.n_rows);
    if (st != OK) goto done;
    TRY(results_make_all(&p.r, s, j->w, bar, &p.t));
    progress_say(bar, "writing");
    TRY_ALL(s->comm, merge_rows(&p));
    j->f = (features){.n = p.m.n_compounds, .d = p.bits, .type = STORE_U8, .fill = fill_fingerprints, .ctx = &p};
    TRY_ALL(s->comm, s->rank == 0 ? fingerprint_tables(j, &p) : OK);
    TRY(finish_all(j, NULL));
    if (s->rank == 0 && j->coverage.treated.n) drawings = config_work(&s->cfg, WORK_STRUCTURES);
    if (s->rank == 0) written_files_forget(&s->cfg, "featurize", "compounds");
    TRY_ALL(s->comm, drawings ? structures_write(&j->coverage, &j->f, j->w, drawings, s->cfg.featurize.time_limit) : OK);
    if (drawings) names_add(&below, WORK_STRUCTURES);
    TRY_ALL(s->comm, s->rank == 0 ? written_files_record(&s->cfg, "featurize", "compounds", &below) : OK);
done:
    names_free(&below);
    free(drawings);
    progress_end_all(&bar, st);
    features_free(&j->f);
    merged_free(&p.m);
    results_free(&p.r);
    compound_tables_free(&p.t);
    return st;
}

/* ---- vectors ---- */
static status make_vectors_all(job *j)
{
    status st = OK;
    vector_file *v = NULL;
    progress *bar = NULL;
    st = agree_all(j->s->comm, vector_file_open(&v, j->foreign, &j->in.item[0]));
    if (st == OK) st = agree_all(j->s->comm, vector_file_features(v, &j->f, j->s->rank == 0));
    bar = start_progress_all(j, "vectors", j->f.n);
    if (st != OK) goto done;
    if (j->s->rank == 0) add_text(&j->f, "fingerprint", "vectors");
    TRY(finish_all(j, bar));
done:
    progress_end_all(&bar, st);
    features_free(&j->f);
    vector_file_close(&v);
    return st;
}

/* What dead runs left half-written. */
static void sweep(const job *j)
{
    char *folder = path_dir(j->path);
    path_sweep_parts(folder, NULL);
    free(folder);
}

/* ---- the stage ---- */
static status featurize_run_all(stage *s)
{
    status st = OK;
    bool current = false;
    const featurize_args *a = s->options;
    const helpers *with = s->keep;
    job j = {.s = s,
             .w = with->compounds,
             .foreign = with->foreign,
             .path = config_work(&s->cfg, WORK_COMPOUNDS),
             .status_file = config_status_file(&s->cfg, "featurize", "compounds", "json"),
             .memory = provenance_inputs_file(s, "compounds")};
    TRY_ALL(s->comm, check_options(s));
    TRY_ALL(s->comm, find_inputs(s, &j.in));
    TRY_ALL(s->comm, s->rank == 0 ? check_current(&j, &current) : OK);
    current = comm_max_i64_all(s->comm, current) != 0;
    if (s->rank == 0) sweep(&j);
    if (current)
        log_info("%s is up to date", j.path);
    else
        TRY(has_vectors(s) ? make_vectors_all(&j) : make_fingerprints_all(&j));
    TRY_ALL(s->comm, s->rank == 0 ? record(&j) : OK);
    if (a->nearest[0]) TRY(nearest_all(s, j.w, j.path));
done:
    input_digests_free(&j.in);
    coverage_free(&j.coverage);
    text_free(&j.made_from);
    free(j.path);
    free(j.status_file);
    free(j.memory);
    return st;
}

static status start_helpers(stage *s)
{
    status st = OK;
    helpers *with = xcalloc(1, sizeof *with);
    s->keep = with;
    TRY(compound_worker_start(&with->compounds));
    TRY(foreign_start(&with->foreign));
done:
    return st;
}

static void stop_helpers(stage *s)
{
    helpers *with = s->keep;
    foreign_stop(&with->foreign); /* the last first: worker.h */
    worker_stop(&with->compounds);
    FREE(s->keep);
}

int main(int argc, char **argv)
{
    static const opt options[] = {
        {NULL, "nearest", OPT_TEXT, offsetof(featurize_args, nearest), "", 0, 0, NULL, 0,
         "SMILES: print the compounds of the table that are most like it, by Tanimoto"},
        {NULL, "k", OPT_INT, offsetof(featurize_args, k), "10", 1, 100000, NULL, 0, "how many of them"},
        {.name = NULL},
    };
    static const stage_def def = {
        .name = "featurize",
        .summary = "compound tables (or outside vectors) into work/compounds.h5",
        .sections = "screen featurize",
        .affects = AFFECTS_COMPOUNDS,
        .options = options,
        .options_size = sizeof(featurize_args),
        .run_all = featurize_run_all,
        .before_mpi = start_helpers,
        .after_mpi = stop_helpers,
    };
    return stage_main(argc, argv, &def);
}
