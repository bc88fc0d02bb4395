/* predict.h -- the parts of micon-predict. Local, but where the name ends in _all. */
#ifndef PREDICT_H
#define PREDICT_H
#include "micon/compound/worker.h"
#include "micon/config/file_formats.h"
#include "micon/index/index.h"
#include "micon/nn/counterfactual.h"
#include "micon/nn/model.h"
#include "micon/stage/compound_vectors.h"
#include "micon/stage/stage.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

enum {
    CHUNK = 64, /* rows of a chunk of the file: ranks share whole ones */
    SHOWN = 5   /* messages of one kind; the others are counted */
};

/* What predictions are made from. */
typedef struct {
    stage *g;
    screen_index *ix;
    model m;
    uint64_t model_digest;
    vectors v; /* of the screen's compounds */
} source;

/* ---- structures.c: the structures that were asked for, on rank 0 ---- */
typedef struct {
    frame rows;           /* usable ones, each compound (at a dose) once: Line, Name, SMILES (as given), Canonical, InChIKey; Dose */
    frame rejects;        /* the others: Line, SMILES, Reason */
    uint8_t *fingerprint; /* [rows.n_rows][bits / 8] */
    double *dose;         /* [rows.n_rows] log10, of a model with doses */
    size_t cap, dose_cap;
    uint64_t digest; /* of the file's bytes */
} structures;
/* with_dose: each structure comes with a dose. */
status structures_read(structures *out, worker *w, const config *c, bool with_dose, const char *path) MUST_USE;
void structures_free(structures *s);

/* ---- plates.c: what the screen's embeddings say ---- */
/* A plate's controls, and the wells' projected profiles normalized on its controls (docs/method.md 6). */
typedef struct {
    int64_t n_controls, n_wells;
    float *controls; /* [n_controls, dim] of the model: sites with an unflagged tile */
    float *wells;    /* [n_wells, projection], normalized */
    int32_t *class;  /* [n_wells] treated ones, index_class */
    double *center, *scale;
} plate_profiles;
/* Without embeddings, or with fewer than 2 untreated wells: n_controls is 0. */
status plate_profiles_read(plate_profiles *out, const source *from, int64_t plate) MUST_USE;
void plate_profiles_free(plate_profiles *p);
/* n rows [n, projection], in place. */
void plate_profiles_normalize(const plate_profiles *p, int64_t projection, float *x, int64_t n);

/* The screen's treatments that have wells: the mean of their wells' normalized profiles, of length 1. */
typedef struct {
    int64_t n, n_plates;   /* treatments; plates that are used */
    int32_t *class;        /* [n] */
    const char **compound; /* [n] as the wells name it; borrowed from the index */
    float *x;              /* [n, projection] */
    uint8_t *plate_used;   /* [plates of the index] */
} known_treatments;
status known_treatments_read(known_treatments *out, const source *from) MUST_USE;
void known_treatments_free(known_treatments *k);

/* ---- profiles.c: what the generator says ---- */
typedef struct {
    int64_t n;
    float *x, *projected;        /* [n, dim], [n, projection]: means over plates */
    float *normalized;           /* [n, projection]: mean over plates of the normalized, of length 1 */
    double *by_plate, *by_batch; /* [n] mean cosine between two plates' normalized profiles, two batches'; NaN of one */
} predicted;
status predicted_make(predicted *out, const source *from, const known_treatments *k, const compound_rows *c, int64_t n) MUST_USE;
void predicted_free(predicted *p);

/* ---- trust.c: how far a prediction can be trusted ---- */
/* Fingerprints of the compounds that the model was trained on. */
typedef struct {
    int64_t n;
    int bits;
    uint8_t *fingerprint; /* [n][bits / 8] */
    const char **key;     /* [n] borrowed from the model */
} training_compounds;
status training_compounds_find(training_compounds *out, const source *from) MUST_USE;
void training_compounds_free(training_compounds *t);
/* The most similar one (Tanimoto): its place; -1 and NaN without any. */
int64_t training_compounds_nearest(const training_compounds *t, const uint8_t *fingerprint, double *similarity);
/* Row of `vectors`, 0 and 1, as a fingerprint. */
void pack_vector(const vectors *v, int64_t row, uint8_t *fingerprint);

enum { TRUST_BINS = 3 };
/* Compounds of the screen that training never saw: how many there are by similarity to the nearest training compound, and of how many the
 * own wells are among the nearest tenth of all treatments. The last entry: all. */
typedef struct {
    int64_t n[TRUST_BINS + 1], found[TRUST_BINS + 1];
    double chance[TRUST_BINS + 1]; /* expected number found in a random order */
    int64_t tenth, treatments;
} trust;
extern const double trust_bounds[TRUST_BINS + 1];
status trust_measure_all(trust *t, const source *from, const known_treatments *k, const training_compounds *training) MUST_USE;
/* The bin that speaks for a similarity: its own, or all where that has too few compounds; -1: nothing can be said. */
int trust_bin(const trust *t, double similarity);
void trust_words(const trust *t, int bin, text *out);

/* ---- output.c ---- */
enum { NEAREST = 5 };
typedef struct {
    const structures *s; /* rank 0 */
    const known_treatments *known;
    const training_compounds *training;
    const trust *trust;
    const char *csv, *h5, *made_from;
    uint64_t inputs;
} prediction_output;
/* p: this rank's rows [first, first + p->n) of n. */
status output_write_all(const source *from, const prediction_output *o, const predicted *p, int64_t first, int64_t n) MUST_USE;

#endif
