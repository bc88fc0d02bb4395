/* outputs.c -- the files of a run: their names, whether they are up to date, the report's tables, the records beside them. */
#include "evaluate.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/provenance/written_files.h"
#include "micon/stage/provenance.h"
#include "micon/store/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The last only with evaluate.pairs. */
enum { METRICS_JSON, METRICS_CSV, COMPOUNDS_CSV, BY_COMPOUND_CSV, WELLS_CSV, REPORT_HTML, PAIRS_CSV, N_REPORT_FILES };
static const char *const report_files[N_REPORT_FILES] = {[METRICS_JSON] = "metrics.json",   [METRICS_CSV] = "metrics.csv",
                                                         [COMPOUNDS_CSV] = "compounds.csv", [BY_COMPOUND_CSV] = REPORT_BY_COMPOUND,
                                                         [WELLS_CSV] = "wells.csv",         [REPORT_HTML] = REPORT_PAGE,
                                                         [PAIRS_CSV] = "pairs.csv"};

static int n_report_files(const config *c)
{
    return c->evaluate.pairs.pos_sameby.n ? N_REPORT_FILES : PAIRS_CSV;
}

void outputs_name(outputs *o, const config *c)
{
    o->run = text_encode_name(c->train.run);
    char *folder = xasprintf(WORK_REPORTS "/%s", o->run);
    o->profiles = profiles_path(c, false);
    o->consensus = profiles_path(c, true);
    o->folder = config_work(c, folder);
    free(folder);
}

void outputs_free(outputs *o)
{
    free(o->run);
    free(o->profiles);
    free(o->consensus);
    free(o->folder);
}

bool outputs_current(const outputs *o, const stage *g, const char *made_from, uint64_t sum)
{
    bool there = provenance_current(o->profiles, PROFILES_KIND, PROFILES_FORMAT, g, made_from, sum) &&
                 provenance_current(o->consensus, PROFILES_KIND, PROFILES_FORMAT, g, made_from, sum);
    for (int i = 0; i < n_report_files(&g->cfg) && there; i++) {
        char *path = path_join(o->folder, report_files[i]);
        uint64_t digest;
        there = path_exists(path) && written_files_check(path, &digest) == OK; /* a damaged one is made again */
        free(path);
    }
    msg_clear();
    return there;
}

void outputs_sweep(const outputs *o)
{
    char *folder = path_dir(o->profiles), *pictures = path_join(o->folder, REPORT_PICTURES);
    path_sweep_parts(folder, NULL);
    path_sweep_parts(o->folder, NULL);
    path_sweep_parts(pictures, NULL);
    free(pictures);
    free(folder);
}

/* ---- the report's files, rank 0 ---- */

static status write_text(const outputs *o, int file, text *t)
{
    char *path = path_join(o->folder, report_files[file]);
    status st = path_write(path, text_str(t), t->n);
    text_clear(t);
    free(path);
    return st;
}

/* The average precision of each well in both forms of the profiles, and that of a random order, the same for both. by [2]; name: of the
 * three columns. */
static status add_average_precision(const ap_scores *by, const char *const name[3], int64_t n, frame *f)
{
    status st = OK;
    double *chance = NULL;
    int col;
    for (int which = 0; which < 2; which++) {
        const ap_scores *s = &by[which];
        if (!s->ap) continue;
        if (!chance) {
            TRY(mem_alloc(&chance, (size_t)n, sizeof *chance, "average precisions"));
            TRY(ap_chances(s, n, chance));
            TRY(frame_add_col(f, name[2], FRAME_F64, &col));
            memcpy(f->col[col].v.f64, chance, (size_t)n * sizeof *chance);
        }
        TRY(frame_add_col(f, name[which], FRAME_F64, &col));
        memcpy(f->col[col].v.f64, s->ap, (size_t)n * sizeof *s->ap);
    }
done:
    free(chance);
    return st;
}

/* Metadata, quality, coordinates and average precision of every well. */
static status wells_csv(const wells *w, const transformed *c, const results *r, text *out)
{
    status st = OK;
    frame f = {0};
    int64_t *row = NULL;
    int col;
    static const char *const name[] = {"UMAP_1", "UMAP_2", "PC_1", "PC_2"};
    static const char *const ap[] = {"AP_Uncorrected", "AP_Corrected", "AP_Chance"};
    static const char *const pairs[] = {"AP_Pairs_Uncorrected", "AP_Pairs_Corrected", "AP_Pairs_Chance"};
    TRY(mem_alloc(&row, (size_t)w->n, sizeof *row, "wells"));
    for (int64_t i = 0; i < w->n; i++) row[i] = i;
    TRY(frame_take(&f, &w->obs, row, w->n));
    for (int k = 0; k < 4; k++) {
        TRY(frame_add_col(&f, name[k], FRAME_F32, &col));
        for (int64_t i = 0; i < w->n; i++)
            if (k < 2)
                f.col[col].v.f32[i] = c->umap[2 * i + k];
            else if (k - 2 < c->d_pca)
                f.col[col].v.f32[i] = c->pca[i * c->d_pca + k - 2];
    }
    if (!r->as_0_1) TRY(add_average_precision(r->by_well, ap, w->n, &f));
    TRY(add_average_precision(r->pairs_by_well, pairs, w->n, &f));
    frame_show_csv(&f, out);
done:
    frame_free(&f);
    free(row);
    return st;
}

static status write_pairs(const outputs *o, const stage *g, const wells *w, const results *r)
{
    text t = {0};
    if (n_report_files(&g->cfg) == N_REPORT_FILES) {
        pairs_show_csv(r, w, &t);
        status st = write_text(o, PAIRS_CSV, &t);
        text_free(&t);
        return st;
    }
    char *path = path_join(o->folder, report_files[PAIRS_CSV]); /* of an earlier configuration */
    unlink(path);
    free(path);
    return OK;
}

static status record_report(const outputs *o, const stage *g)
{
    names below = {0};
    for (int i = 0; i < n_report_files(&g->cfg); i++) {
        char *name = xasprintf(WORK_REPORTS "/%s/%s", o->run, report_files[i]);
        names_add(&below, name);
        free(name);
    }
    status st = written_files_record(&g->cfg, "evaluate", o->run, &below);
    names_free(&below);
    return st;
}

status outputs_write_report(const outputs *o, const stage *g, const wells *w, const transformed *c, const results *r, const names *notes)
{
    status st = OK;
    text t = {0}, json = {0};
    char *below = xasprintf(WORK_MODELS "/%s/" MODEL_LOG, o->run), *log = config_work(&g->cfg, below);
    written_files_forget(&g->cfg, "evaluate", o->run);
    TRY(path_make_dirs(o->folder));
    results_show_json(r, g, w, notes, &json);
    text_add(&t, text_str(&json));
    TRY(write_text(o, METRICS_JSON, &t));
    results_show_csv(r, &t);
    TRY(write_text(o, METRICS_CSV, &t));
    results_show_compounds(r, w, &t);
    TRY(write_text(o, COMPOUNDS_CSV, &t));
    results_show_by_compound(r, w, &t);
    TRY(write_text(o, BY_COMPOUND_CSV, &t));
    TRY(wells_csv(w, c, r, &t));
    TRY(write_text(o, WELLS_CSV, &t));
    TRY(write_pairs(o, g, w, r));
    TRY(report_write(o->folder, &g->cfg, w, c, r, text_str(&json), log));
    TRY(record_report(o, g));
done:
    text_free(&t);
    text_free(&json);
    free(below);
    free(log);
    return st;
}

status outputs_record(const stage *g, const outputs *o, const origin *from)
{
    status st = OK;
    store_file *f = NULL;
    char *memory = provenance_inputs_file(g, o->run);
    TRY(store_open(&f, o->profiles, PROFILES_KIND, PROFILES_FORMAT));
    TRY(input_digests_remember(&from->in, memory));
    TRY(provenance_record(g, o->run, o->profiles, text_str(&from->made_from), input_digests_digest(&from->in), store_digest(f)));
done:
    store_close(&f);
    free(memory);
    return st;
}
