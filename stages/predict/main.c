/* main.c -- micon-predict: structures that no well holds -> the profiles that the generator predicts for them, the nearest treatments of
 * the screen, and how far to trust it (docs/method.md 6). Reads finished embeddings, no images. */
#include "predict.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/nn/kernels.h"
#include "micon/stage/doses.h"
#include "micon/stage/plates.h"
#include "micon/stage/provenance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The state of one run. */
typedef struct {
    source from;
    structures s; /* rank 0 */
    int64_t n;    /* of them */
    known_treatments known;
    training_compounds training;
    trust trust;
    predicted p;
    char *model, *compounds, *csv, *h5;
    text made_from;
} job;

static status read_model(job *j)
{
    status st = OK;
    const config *c = &j->from.g->cfg;
    char *run = text_encode_name(c->train.run), *below = xasprintf(WORK_MODELS "/%s/" MODEL_FILE, run);
    j->model = *c->embed.model ? config_path(c, c->embed.model) : config_work(c, below);
    if (!path_exists(j->model)) TRY(fail(E_FAILED, "%s is not there: run micon-train first, or name a model with embed.model", j->model));
    TRY(model_read(&j->from.m, j->model, &j->from.model_digest));
    if (!j->from.m.has_generator)
        TRY(fail(E_FAILED, "%s has no generator, so it predicts no profiles: only train.method: micon trains one", j->model));
    if (j->from.m.has_dose) TRY(doses_check(c, j->model));
done:
    free(run);
    free(below);
    return st;
}

/* The screen's own fingerprints: they must be of the kind that the model was trained on. */
static status read_compounds(job *j)
{
    status st = OK;
    store_file *f = NULL;
    char *kind = NULL;
    const config *c = &j->from.g->cfg;
    const char *want = compound_kind_name((compound_kind)c->featurize.fingerprint);
    j->compounds = config_work(c, WORK_COMPOUNDS);
    if (!path_exists(j->compounds)) TRY(fail(E_FAILED, "%s is not there: run micon-featurize first", j->compounds));
    TRY(store_open(&f, j->compounds, COMPOUNDS_KIND, COMPOUNDS_FORMAT));
    TRY(store_read_text(f, "uns/fingerprint", &kind));
    if (strcmp(kind, "vectors") == 0)
        TRY(fail(E_FAILED, "the screen's compounds have vectors from a file (featurize.vectors): of a structure no such vector is known"));
    TRY(compound_vectors_read(&j->from.v, j->compounds));
    if (strcmp(kind, want) != 0 || j->from.v.d != c->featurize.bits || j->from.v.d != j->from.m.bits)
        TRY(fail(E_FAILED, "%s has %s of %lld bits, the configuration %s of %lld, the model %d bits: they must be the same", j->compounds,
                 kind, (long long)j->from.v.d, want, (long long)c->featurize.bits, j->from.m.bits));
done:
    store_close(&f);
    free(kind);
    return st;
}

/* predictions/RUN/NAME.csv and .h5, NAME the structures' file without its folder and ending. */
static void name_outputs(job *j, const char *file)
{
    const config *c = &j->from.g->cfg;
    char *base = xstrdup(path_base(file)), *run = text_encode_name(c->train.run);
    if (text_ends(base, ".gz")) base[strlen(base) - 3] = '\0';
    char *dot = strrchr(base, '.');
    if (dot && dot != base) *dot = '\0';
    char *name = text_encode_name(base), *below_csv = xasprintf(WORK_PREDICTIONS "/%s/%s.csv", run, name),
         *below_h5 = xasprintf(WORK_PREDICTIONS "/%s/%s.h5", run, name);
    j->csv = config_work(c, below_csv), j->h5 = config_work(c, below_h5);
    free(base);
    free(run);
    free(name);
    free(below_csv);
    free(below_h5);
}

/* Vectors [n, bits] of this rank's structures, in whole chunks, and doses of all; rank 0 has all fingerprints. */
static status share_vectors_all(job *j, int64_t *first, int64_t *n, float **out, double **dose)
{
    status st = OK;
    const stage *g = j->from.g;
    int64_t bits = j->from.m.bits, chunks;
    char *block = (char *)j->s.fingerprint;
    size_t size = (size_t)(j->s.rows.n_rows * bits / 8), dose_size = j->s.dose ? (size_t)j->s.rows.n_rows * sizeof **dose : 0;
    uint8_t *bit = NULL;
    char *doses = (char *)j->s.dose;
    TRY(comm_bcast_all(g->comm, 0, &block, &size));
    if (j->from.m.has_dose) TRY(comm_bcast_all(g->comm, 0, &doses, &dose_size));
    *dose = (double *)(void *)doses;
    j->n = (int64_t)size / (bits / 8);
    partition((j->n + CHUNK - 1) / CHUNK, g->size, g->rank, first, &chunks);
    *first = *first * CHUNK < j->n ? *first * CHUNK : j->n;
    *n = *first + chunks * CHUNK < j->n ? chunks * CHUNK : j->n - *first;
    TRY_ALL(g->comm, mem_alloc(out, (size_t)(*n * bits), sizeof **out, "compound vectors"));
    TRY_ALL(g->comm, mem_alloc(&bit, (size_t)bits, 1, "compound vectors"));
    for (int64_t i = 0; i < *n; i++) {
        compound_unpack((const uint8_t *)block + (*first + i) * (bits / 8), (int)bits, bit);
        for (int64_t b = 0; b < bits; b++) (*out)[i * bits + b] = bit[b];
    }
done:
    if (g->rank != 0) free(block);
    free(bit);
    return st;
}

static void describe(job *j)
{
    char d[DIGEST_TEXT];
    provenance_config(j->from.g, &j->made_from);
    text_addf(&j->made_from, "model: %s\n", digest_show(j->from.model_digest, d));
    text_addf(&j->made_from, "compounds: %s\n", digest_show(j->from.v.digest, d));
    text_addf(&j->made_from, "structures: %s\n", digest_show(j->s.digest, d));
}

static void say(const job *j)
{
    text words = {0};
    log_info("%lld structure%s on %lld plates, beside %lld treatments; the model was trained on %zu compounds", (long long)j->n,
             j->n == 1 ? "" : "s", (long long)j->known.n_plates, (long long)j->known.n, j->from.m.compounds.n);
    trust_words(&j->trust, trust_bin(&j->trust, NAN), &words);
    log_info("predictions of this screen: %s", text_str(&words));
    log_info("%s", j->csv);
    text_free(&words);
}

static status check_arguments(const stage *g)
{
    char shown[200];
    if (g->plates.n) return fail(E_USAGE, "--plate: predictions are means over the screen's plates; leave it out");
    if (g->arguments.n < 1) return fail(E_USAGE, "missing file of structures; usage: micon predict screen.yaml SMILES_FILE");
    if (g->arguments.n > 1)
        return fail(E_USAGE, "'%s' is one argument too many; usage: micon predict screen.yaml SMILES_FILE",
                    text_show(shown, sizeof shown, g->arguments.item[1]));
    return OK;
}

static status read_inputs_all(job *j)
{
    status st = OK;
    stage *g = j->from.g;
    const char *file = g->arguments.item[0];
    TRY_ALL(g->comm, read_model(j));
    TRY_ALL(g->comm, read_compounds(j));
    TRY_ALL(g->comm, g->rank == 0 ? structures_read(&j->s, g->keep, &g->cfg, j->from.m.has_dose, file) : OK);
    name_outputs(j, file);
    TRY_ALL(g->comm, known_treatments_read(&j->known, &j->from));
    TRY_ALL(g->comm, training_compounds_find(&j->training, &j->from));
done:
    return st;
}

static void job_free(job *j)
{
    structures_free(&j->s);
    known_treatments_free(&j->known);
    training_compounds_free(&j->training);
    predicted_free(&j->p);
    compound_vectors_free(&j->from.v);
    model_free(&j->from.m);
    index_free(&j->from.ix);
    text_free(&j->made_from);
    free(j->model);
    free(j->compounds);
    free(j->csv);
    free(j->h5);
}

static status predict_all(stage *g)
{
    status st = OK;
    job j = {.from = {.g = g}};
    float *x = NULL;
    double *dose = NULL; /* rank 0: the structures' own */
    int64_t first = 0, n = 0;
    TRY(check_arguments(g));
    TRY(plates_index_all(g, &j.from.ix));
    kernels_set_threads(1); /* a product's last bits would depend on how many ranks share the machine */
    TRY(read_inputs_all(&j));
    TRY(share_vectors_all(&j, &first, &n, &x, &dose));
    const compound_rows asked = {.x = x, .dose = dose ? dose + first : NULL};
    TRY(trust_measure_all(&j.trust, &j.from, &j.known, &j.training));
    TRY_ALL(g->comm, predicted_make(&j.p, &j.from, &j.known, &asked, n));
    describe(&j);
    uint64_t inputs = digest_mix(digest_mix(digest_mix(0, j.from.model_digest), j.from.v.digest), j.s.digest);
    const prediction_output o = {.s = &j.s,
                                 .known = &j.known,
                                 .training = &j.training,
                                 .trust = &j.trust,
                                 .csv = j.csv,
                                 .h5 = j.h5,
                                 .made_from = text_str(&j.made_from),
                                 .inputs = inputs};
    TRY(output_write_all(&j.from, &o, &j.p, first, j.n));
    say(&j);
done:
    if (g->rank != 0) free(dose);
    job_free(&j);
    free(x);
    return st;
}

static status start_worker(stage *g)
{
    worker *w = NULL;
    status st = compound_worker_start(&w);
    g->keep = w;
    return st;
}

static void stop_worker(stage *g)
{
    worker *w = g->keep;
    worker_stop(&w);
    g->keep = NULL;
}

int main(int argc, char **argv)
{
    static const stage_def def = {
        .name = "predict",
        .summary =
            "predict profiles for the structures in SMILES_FILE (a SMILES and a name a line, or a table with a column SMILES) by the "
            "generator of train.run from the screen's untreated wells, find the treatments nearest to them, and say how far to trust "
            "it: work/predictions/RUN/NAME.csv and .h5. Reads finished embeddings",
        .sections = "screen featurize embed train.run",
        .affects = AFFECTS_EMBEDDINGS | AFFECTS_COMPOUNDS,
        .arguments = "SMILES_FILE",
        .run_all = predict_all,
        .before_mpi = start_worker,
        .after_mpi = stop_worker,
    };
    return stage_main(argc, argv, &def);
}
