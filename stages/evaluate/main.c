/* main.c -- micon-evaluate: embeddings to wells, normalized and corrected; the profile store, the metrics, the report. */
#include "advice.h"
#include "claims.h"
#include "corrections.h"

#include "micon/base/clock.h"
#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/mpi/progress.h"
#include "micon/nn/kernels.h"
#include "micon/nn/method.h"
#include "micon/stage/foreign_helper.h"
#include "micon/stage/plates.h"
#include "micon/stage/provenance.h"
#include "micon/stage/shared_split.h"
#include "micon/store/store.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    bool compare, csv;
    char *gallery, *compound;
    names wells;
    char *transform_with, *export, *append, *wait; /* csv, export, append, wait: old spellings, see check_arguments */
} evaluate_args;

/* Metrics of one form of the profiles, which rank 0 holds; d_cf: features of its predicted profiles. */
static status measure_all(stage *g, const wells *w, metric_input in, int64_t d_cf, results *r, names *notes)
{
    status st = OK;
    TRY(wells_share_matrix_all(g->comm, &in.x, w->n, &in.d));
    TRY(wells_share_matrix_all(g->comm, &in.cf, w->n_cf, &d_cf));
    const metric_input all = {
        .x = in.x, .cf = d_cf == in.d ? in.cf : NULL, .d = in.d, .corrected = in.corrected, .cross = in.cross, .fitted = in.fitted};
    TRY(metrics_all(g->comm, w, &all, &g->cfg.evaluate, r, notes));
done:
    if (g->rank != 0) {
        free(in.x);
        free(in.cf);
    }
    return st;
}

/* Reduce the wells to the store's features, and note how they are transformed. */
static status carry_all(stage *g, wells *w, origin *from, transform_params *like)
{
    status st = OK;
    char *path = config_path(&g->cfg, g->cfg.evaluate.transform_with);
    bool table = g->cfg.evaluate.profiles.n > 0 || method_table[g->cfg.train.method].measured;
    TRY_ALL(g->comm, g->rank == 0 ? transform_fit_features(like, w, table, path) : OK);
    char *note =
        xasprintf("transformed as %s: %zu of %zu features; %s; %s%s", path_base(path), like->var.n, like->features.n,
                  like->normalize == SCALE_NONE      ? "not normalized"
                  : transform_params_one_group(like) ? "normalized with its numbers"
                                                     : "normalized by group, each on its own wells",
                  like->reshape != RESHAPE_NONE ? "ranks among these wells; " : "", like->sphere.k > 0 ? "its sphering" : "no sphering");
    names_add(&from->notes, note);
    log_info("%s", note);
    free(note);
    if (like->harmony) {
        note = xasprintf("%s was corrected by Harmony, which cannot be applied to other wells: these are not corrected by it",
                         path_base(path));
        names_add(&from->notes, note);
        if (g->rank == 0) log_warn("%s", note);
        free(note);
    }
done:
    free(path);
    return st;
}

static status evaluate_all(stage *g, progress *p, wells *w, transformed *c, transform_params *like, trials *tried, results *r, names *notes)
{
    status st = OK;
    double from = clock_s();
    crossfit cross;
    progress_say(p, "normalizing");
    TRY_ALL(g->comm, g->rank == 0 ? wells_label(w, &g->cfg, notes) : OK);
    if (g->cfg.evaluate.batch_correction == CORRECTION_AUTO) {
        progress_say(p, "trying corrections");
        TRY(corrections_choose_all(g->comm, w, &g->cfg.evaluate, tried, notes));
        log_info("%s", text_str(&tried->sentence));
    }
    /* after the trials, which may take compounds out of E */
    TRY_ALL(g->comm, g->rank == 0 ? pairs_label(w, &g->cfg.evaluate.pairs, notes) : OK);
    TRY_ALL(g->comm, g->rank == 0 ? relations_read(w, &g->cfg, notes) : OK);
    if (g->rank == 0) transform_settle(&g->cfg.evaluate, w, notes);
    TRY_ALL(g->comm, g->rank == 0 ? transform_correct(c, w, &g->cfg.evaluate, like, notes) : OK);
    TRY(wells_share_all(w, g->comm));
    TRY(map_wells_all(g->comm, c, w->n, (uint32_t)g->cfg.evaluate.seed));
    TRY(control_folds_share_all(g->comm, w, &c->cross, &cross));
    log_info("%lld wells, %lld features: transformed in %.1f s", (long long)w->n, (long long)w->d, clock_s() - from);
    progress_add(p, g->rank == 0);
    int state[] = {c->corrected, c->has_sphere && !c->carried && cross.n_fold == 0};
    MPI_Bcast(state, 2, MPI_INT, 0, g->comm);
    const int corrected = state[0];
    *r = (results){.draws = g->cfg.evaluate.bootstrap,
                   .seed = (uint32_t)g->cfg.evaluate.seed,
                   .active = g->rank == 0,
                   .as_0_1 = g->cfg.evaluate.recipe == RECIPE_0_1,
                   .fitted = state[1]};
    for (int which = 0; which <= corrected; which++) {
        from = clock_s();
        progress_say(p, which ? "metrics with correction" : "metrics without correction");
        if (which) /* after Harmony the profiles are components: sphered predictions cannot be compared with them, even at equal length */
            TRY(measure_all(g, w, (metric_input){c->final, c->cf_final, c->d_final, true, cross.n_fold > 0 ? &cross : NULL, state[1]},
                            c->final == c->pca ? 0 : c->d_sphere, r, notes));
        else
            TRY(measure_all(g, w, (metric_input){c->norm, c->cf_norm, c->d_norm, false, NULL, false}, c->d_norm, r, notes));
        log_info("metrics %s correction in %.1f s", which ? "with" : "without", clock_s() - from);
        progress_add(p, g->rank == 0);
    }
done:
    return st;
}

/* The parameters of a store, after its digest was verified; the options become those that it was made with. */
static status read_transform_all(stage *g, transform_params *like)
{
    status st = OK;
    store_file *f = NULL;
    uint64_t digest;
    char *path = config_path(&g->cfg, g->cfg.evaluate.transform_with);
    TRY_ALL(g->comm, g->rank == 0 ? store_verify(path, &digest) : OK);
    TRY_ALL(g->comm, store_open(&f, path, PROFILES_KIND, PROFILES_FORMAT));
    TRY_ALL(g->comm, transform_params_read(like, f, path));
    transform_adopt(like, &g->cfg.evaluate);
done:
    store_close(&f);
    free(path);
    return st;
}

static status make_all(stage *g, const screen_index *ix, const screen_split *split, origin *from, const outputs *o)
{
    status st = OK;
    wells w = {0};
    transformed c = {0};
    results r = {0};
    advice a = {0};
    trials tried = {0};
    transform_params like = {0};
    bool carried = *g->cfg.evaluate.transform_with;
    uint64_t sum = g->rank == 0 ? input_digests_digest(&from->in) : 0; /* only rank 0 writes it */
    char *file = config_status_file(&g->cfg, "evaluate", o->run, "json");
    const progress_info info = {.file = file, .stage = "evaluate", .name = o->run, .unit = "steps", .total = 5};
    progress *p = progress_start_all(g->comm, &info);
    if (g->rank == 0) outputs_sweep(o);
    if (carried) TRY(read_transform_all(g, &like));
    progress_say(p, ix ? "reading embeddings" : "reading tables");
    if (ix)
        TRY(embeddings_read_all(g, ix, split, &w, &from->notes));
    else
        TRY_ALL(g->comm, g->rank == 0 ? profiles_read(g, &w, &from->notes) : OK);
    progress_add(p, g->rank == 0);
    w.model = from->model ? from->model : "";
    w.representation = !ix                                                 ? "table"
                       : method_table[g->cfg.train.method].measured        ? "features"
                       : g->cfg.embed.representation == REPRESENTATION_RAW ? "raw"
                                                                           : "projected";
    if (carried) TRY(carry_all(g, &w, from, &like));
    TRY(evaluate_all(g, p, &w, &c, carried ? &like : NULL, &tried, &r, &from->notes));
    progress_say(p, "writing");
    TRY_ALL(g->comm, g->rank == 0 ? advice_make(&a, &r, &w, &g->cfg.evaluate) : OK);
    advice_json(&a, &r.told);
    trials_json(&tried, &r.told);
    TRY_ALL(g->comm, g->rank == 0 ? outputs_write_report(o, g, &w, &c, &r, &from->notes) : OK);
    TRY(write_consensus_all(g, o->consensus, &w, &c, text_str(&from->made_from), sum));
    TRY(write_profiles_all(g, o->profiles, &w, &c, text_str(&from->made_from), sum));
    progress_add(p, g->rank == 0);
    if (g->rank == 0) claims_log(&r);
    if (a.sentence.n) log_info("%s", text_str(&a.sentence));
    log_info("%s/report.html", o->folder);
done:
    progress_end_all(&p, st);
    wells_free(&w);
    transformed_free(&c);
    results_free(&r);
    advice_free(&a);
    trials_free(&tried);
    transform_params_free(&like);
    free(file);
    return st;
}

static status sync_split_all(stage *g, const screen_index *ix, screen_split *split)
{
    text notes = {0};
    status st = shared_split_all(g, ix, split, &notes);
    if (st == OK && notes.n) log_info("%s", text_str(&notes));
    text_free(&notes);
    return st;
}

/* A path on the command line is relative to the current folder, one in the configuration to its own: make it absolute. */
static status name_store(stage *g, const char *given)
{
    char *whole = realpath(given, NULL);
    if (!whole) return fail(E_FAILED, "--transform-with: %s: %s", given, strerror(errno));
    free(g->cfg.evaluate.transform_with);
    g->cfg.evaluate.transform_with = whole;
    return OK;
}

/* List the store among the inputs. Rank 0. */
static status add_store(const stage *g, const outputs *o, origin *from)
{
    status st = OK;
    store_file *f = NULL;
    transform_params p = {0};
    struct stat is, out;
    char *path = config_path(&g->cfg, g->cfg.evaluate.transform_with), d[DIGEST_TEXT];
    TRY(store_open(&f, path, PROFILES_KIND, PROFILES_FORMAT));
    if (stat(path, &is) == 0 && stat(o->profiles, &out) == 0 && is.st_dev == out.st_dev && is.st_ino == out.st_ino)
        TRY(fail(E_USAGE, "%s would be overwritten by what it transforms: copy it elsewhere first, or name another run or work folder",
                 path));
    TRY(transform_params_read(&p, f, path));
    TRY(input_digests_add(&from->in, path));
    from->in.item[from->in.n - 1].digest = transform_params_digest(&p); /* not the file's: rows may be added to a shared store */
    from->in.item[from->in.n - 1].known = true;
    text_addf(&from->made_from, "transformed as: %s\n", digest_show(transform_params_digest(&p), d));
done:
    transform_params_free(&p);
    store_close(&f);
    free(path);
    return st;
}

/* List the table of relations among the inputs. Rank 0. */
static status add_relations(const stage *g, origin *from)
{
    status st = OK;
    char *path = config_path(&g->cfg, g->cfg.evaluate.relations);
    TRY(input_digests_add(&from->in, path));
    TRY(digest_file(path, &from->in.item[from->in.n - 1].digest));
    from->in.item[from->in.n - 1].known = true;
done:
    free(path);
    return st;
}

static status check_arguments(const stage *g, const evaluate_args *a)
{
    if (*a->append || *a->wait) return fail(E_USAGE, "--append is now a command of its own: micon store add screen.yaml STORE");
    if (*a->export || a->csv)
        return fail(E_USAGE, "--%s is now a command of its own: micon export screen.yaml FOLDER", a->csv ? "csv" : "export");
    if (*a->gallery && !*a->compound && a->wells.n == 0)
        return fail(E_USAGE, "--gallery of what? Name a compound with --compound, or wells with --well PLATE/WELL");
    if (!*a->gallery && (*a->compound || a->wells.n)) return fail(E_USAGE, "--compound and --well choose what --gallery draws");
    if (*a->gallery && (a->compare || *a->transform_with))
        return fail(E_USAGE, "--gallery draws from finished tiles: it cannot be combined with --compare or --transform-with");
    if (a->compare && *a->transform_with)
        return fail(E_USAGE, "--compare reads finished runs: it cannot be combined with --transform-with");
    if (g->arguments.n && !a->compare)
        return fail(E_USAGE, "'%s' is one argument too many: runs are named after --compare", g->arguments.item[0]);
    return OK;
}

static status run_all(stage *g)
{
    status st = OK;
    screen_index *ix = NULL;
    screen_split split = {0};
    origin from = {0};
    outputs o = {0};
    int fresh = 0;
    const evaluate_args *a = g->options;
    TRY(check_arguments(g, a));
    if (*a->transform_with) TRY_ALL(g->comm, name_store(g, a->transform_with));
    if (*g->cfg.evaluate.transform_with && g->cfg.evaluate.batch_correction != CORRECTION_NONE)
        TRY(fail(E_USAGE, "evaluate.batch_correction: %s --transform-with",
                 g->cfg.evaluate.batch_correction == CORRECTION_AUTO
                     ? "auto chooses a correction, a store has its own: set it to none with"
                     : "harmony is fitted on all wells together and cannot be taken from a store: set it to none with"));
    outputs_name(&o, &g->cfg);
    if (a->compare) {
        TRY_ALL(g->comm, g->rank == 0 ? compare_runs(g, &g->arguments) : OK);
        goto done;
    }
    if (*a->gallery) {
        if (a->wells.n) TRY(plates_index_all(g, &ix));
        TRY_ALL(g->comm, g->rank == 0 ? gallery_write(g, ix, a->gallery, a->compound, &a->wells) : OK);
        goto done;
    }
    kernels_set_threads(1); /* a product's last bits would depend on how many ranks share the machine */
    if (g->plates.n) TRY(fail(E_USAGE, "--plate: profiles are evaluated over the whole screen; leave it out"));
    if (g->cfg.evaluate.profiles.n) {
        TRY_ALL(g->comm, g->rank == 0 ? profiles_inputs(g, o.run, &from) : OK);
    } else {
        TRY(plates_index_all(g, &ix));
        TRY(sync_split_all(g, ix, &split));
        TRY_ALL(g->comm, embeddings_inputs(g, ix, &split, &from));
    }
    if (*g->cfg.evaluate.transform_with) TRY_ALL(g->comm, g->rank == 0 ? add_store(g, &o, &from) : OK);
    if (*g->cfg.evaluate.relations) TRY_ALL(g->comm, g->rank == 0 ? add_relations(g, &from) : OK);
    if (g->rank == 0 && !g->force) fresh = outputs_current(&o, g, text_str(&from.made_from), input_digests_digest(&from.in));
    MPI_Bcast(&fresh, 1, MPI_INT, 0, g->comm);
    if (fresh)
        log_info("%s: up to date", o.run);
    else
        TRY(make_all(g, ix, &split, &from, &o));
    TRY_ALL(g->comm, g->rank == 0 ? outputs_record(g, &o, &from) : OK);
done:
    index_free(&ix);
    screen_split_free(&split);
    input_digests_free(&from.in);
    text_free(&from.made_from);
    names_free(&from.notes);
    free(from.model);
    outputs_free(&o);
    return st;
}

int main(int argc, char **argv)
{
    static const opt options[] = {
        {NULL, "compare", OPT_FLAG, offsetof(evaluate_args, compare), "", 0, 0, NULL, 0,
         "put the finished reports of runs side by side: a table and a picture, differences with paired intervals"},
        {NULL, "gallery", OPT_TEXT, offsetof(evaluate_args, gallery), "", 0, 0, NULL, 0,
         "draw wells beside controls of their plates to this PNG file, from finished tiles: those of --compound, or of --well"},
        {NULL, "compound", OPT_TEXT, offsetof(evaluate_args, compound), "", 0, 0, NULL, 0,
         "--gallery: a compound's identifier or name; three typical wells and the farthest, by the run's profiles"},
        {NULL, "well", OPT_LIST, offsetof(evaluate_args, wells), "", 0, 0, NULL, 0, "--gallery: PLATE/WELL; may be repeated"},
        {NULL, "transform-with", OPT_TEXT, offsetof(evaluate_args, transform_with), "", 0, 0, NULL, 0,
         "transform these wells as this finished store's were (evaluate.transform_with): its features, selection, sphering and components; "
         "groups (plates) are normalized its way on their own controls, only with normalize_by: none with its numbers too; Harmony cannot "
         "be carried over, the UMAP is computed again"},
        {NULL, "append", OPT_TEXT, offsetof(evaluate_args, append), "", 0, 0, NULL, 0, NULL},
        {NULL, "export", OPT_TEXT, offsetof(evaluate_args, export), "", 0, 0, NULL, 0, NULL},
        {NULL, "wait", OPT_TEXT, offsetof(evaluate_args, wait), "", 0, 0, NULL, 0, NULL},
        {NULL, "csv", OPT_FLAG, offsetof(evaluate_args, csv), "", 0, 0, NULL, 0, NULL},
        {.name = NULL},
    };
    static const stage_def def = {
        .name = "evaluate",
        .summary = "average embeddings to wells, normalize and correct them; write the profile store, the metrics and the report",
        .sections = "screen split embed evaluate train.run train.method",
        .affects = AFFECTS_PROFILES,
        .options = options,
        .options_size = sizeof(evaluate_args),
        .arguments = "[RUN...]",
        .run_all = run_all,
        .before_mpi = foreign_helper_start,
        .after_mpi = foreign_helper_stop,
    };
    return stage_main(argc, argv, &def);
}
