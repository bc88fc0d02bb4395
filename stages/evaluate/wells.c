/* wells.c -- what the columns of obs mean: codes for sources, batches, plates, treatments, mechanisms; and their broadcast. */
#include "evaluate.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"

#include <stdlib.h>
#include <string.h>

void wells_free(wells *w)
{
    int32_t *code[] = {w->source,   w->batch,       w->plate,    w->label,    w->compound, w->group,    w->target,
                       w->cf_batch, w->cf_compound, w->cf_group, w->cf_plate, w->cf_label, w->position, w->pair_code};
    for (size_t i = 0; i < sizeof code / sizeof *code; i++) free(code[i]);
    frame_free(&w->obs);
    frame_free(&w->cf);
    frame_free(&w->cleaned);
    names_free(&w->var);
    names_free(&w->unseen);
    free(w->x);
    free(w->exact);
    free(w->cf_x);
    free(w->control);
    free(w->set);
    free(w->evaluated);
    free(w->label_compound);
    free(w->relation);
    free(w->target_start);
    free(w->target_column);
    intern_free(&w->label_name);
    intern_free(&w->compound_name);
    intern_free(&w->group_name);
    intern_free(&w->pair_name);
}

static status need(const frame *f, const char *name, int *col)
{
    *col = frame_col(f, name);
    return *col >= 0 ? OK : fail(E_FORMAT, "the profiles have no column %s", name);
}

/* Mechanisms: the configured column, or the first usual one that exists; a label's are those of its first well, separated by '|'. */
static status label_targets(wells *w, const char *given, const uint8_t *treated)
{
    static const char *const known[] = {"Metadata_target_list", "Metadata_target", "Metadata_targets",
                                        "Metadata_moa",         "Metadata_MOA",    "Metadata_mechanism"};
    status st = OK;
    intern_table seen = {0};
    int col = -1;
    size_t n = 0, cap = 0;
    uint8_t *done_label = NULL;
    names *of = xcalloc((size_t)w->n_label + 1, sizeof *of);
    if (*given) TRY(wells_find_column(&w->obs, given, "evaluate.columns.mechanism", &col));
    for (size_t i = 0; i < sizeof known / sizeof *known && col < 0; i++) col = frame_col(&w->obs, known[i]);
    TRY(mem_alloc(&w->target_start, (size_t)w->n_label + 1, sizeof *w->target_start, "mechanisms"));
    TRY(mem_alloc(&done_label, (size_t)w->n_label + 1, 1, "mechanisms"));
    if (col >= 0) w->target_column = xstrdup(w->obs.col[col].name);
    for (int64_t i = 0; i < w->n && col >= 0; i++) {
        text t = {0};
        if (!treated[i] || done_label[w->label[i]]) continue;
        done_label[w->label[i]] = 1;
        frame_show(&w->obs, i, col, &t);
        names_split(&of[w->label[i]], text_str(&t), '|');
        text_free(&t);
    }
    for (int32_t l = 0; l < w->n_label; l++) {
        w->target_start[l] = (int64_t)n;
        for (size_t k = 0; k < of[l].n; k++) {
            uint32_t id;
            if (!*of[l].item[k] || names_find(&of[l], of[l].item[k]) != (long)k) continue;
            TRY(intern_add(&seen, of[l].item[k], &id));
            TRY(mem_grow(&w->target, &cap, n + 1, sizeof *w->target, "mechanisms"));
            w->target[n++] = (int32_t)id;
        }
    }
    w->target_start[w->n_label] = (int64_t)n;
    w->n_target = (int32_t)seen.n;
done:
    for (int32_t l = 0; l < w->n_label; l++) names_free(&of[l]);
    free(of);
    free(done_label);
    intern_free(&seen);
    return st;
}

/* Codes of the predictions, by the names that the wells have. A prediction for a plate or compound without wells gets -1. */
static status label_predictions(wells *w, const int *place)
{
    status st = OK;
    int32_t **code[] = {&w->cf_batch, &w->cf_compound, &w->cf_group, &w->cf_plate, &w->cf_label};
    intern_table plates = {0};
    int64_t *of_plate = NULL;
    text t = {0};
    for (size_t k = 0; k < sizeof code / sizeof *code; k++)
        TRY(mem_alloc(code[k], (size_t)w->n_cf, sizeof **code[k], "predicted profiles"));
    TRY(mem_alloc(&of_plate, (size_t)w->n_plate, sizeof *of_plate, "plates")); /* a well of each */
    for (int64_t i = 0; i < w->n; i++) {
        uint32_t id;
        text_clear(&t);
        for (int k = 0; k < 3; k++) text_addf(&t, "%s|", frame_text(&w->obs, i, place[k]));
        TRY(intern_add(&plates, text_str(&t), &id));
        of_plate[id] = i;
    }
    for (int64_t i = 0; i < w->n_cf; i++) {
        text_clear(&t);
        for (int k = 0; k < 3; k++) text_addf(&t, "%s|", frame_text(&w->cf, i, k));
        int64_t plate = intern_find(&plates, text_str(&t)), well = plate < 0 ? -1 : of_plate[plate];
        w->cf_plate[i] = well < 0 ? -1 : w->plate[well];
        w->cf_batch[i] = well < 0 ? -1 : w->batch[well];
        w->cf_group[i] = well < 0 ? -1 : w->group[well];
        w->cf_compound[i] = (int32_t)intern_find(&w->compound_name, frame_text(&w->cf, i, 3));
        w->cf_label[i] = (int32_t)intern_find(&w->label_name, frame_text(&w->cf, i, 4));
        w->cf_by_label |= *frame_text(&w->cf, i, 4) != '\0';
    }
done:
    intern_free(&plates);
    free(of_plate);
    text_free(&t);
    return st;
}

/* Notes treatments with a single evaluated well, which has no replicate. */
static status tell_single(const wells *w, names *notes)
{
    int64_t *count = NULL, single = 0, some = 0;
    status st = mem_alloc(&count, (size_t)w->n_label, sizeof *count, "treatments");
    if (st != OK) return st;
    for (int64_t i = 0; i < w->n; i++)
        if (w->evaluated[i]) count[w->label[i]]++;
    for (int32_t l = 0; l < w->n_label; l++) single += count[l] == 1, some += count[l] > 0;
    if (single > 0) {
        char *note =
            xasprintf("%lld of %lld evaluated treatments have a single well: without replicates they are left out of retrieval and mAP",
                      (long long)single, (long long)some);
        names_add(notes, note);
        log_warn("%s", note);
        free(note);
    }
    free(count);
    return OK;
}

/* A code for each row and column, the same on all plates. */
static status code_positions(wells *w)
{
    status st = OK;
    intern_table known = {0};
    int col;
    TRY(need(&w->obs, "Metadata_Well", &col));
    TRY(mem_alloc(&w->position, (size_t)w->n, sizeof *w->position, "positions"));
    for (int64_t i = 0; i < w->n; i++) {
        char well[8];
        uint32_t id;
        const char *name = frame_text(&w->obs, i, col);
        TRY(intern_add(&known, text_well(name, well) ? well : name, &id));
        w->position[i] = (int32_t)id;
    }
    w->n_position = (int32_t)known.n;
done:
    intern_free(&known);
    return st;
}

/* Treatments whose evaluated wells, two or more, are all at one position: there, a shared position looks like a shared effect. */
static status note_positions(const wells *w, names *notes)
{
    status st = OK;
    int32_t *at = NULL;
    int64_t *count = NULL, fixed = 0, replicated = 0;
    uint8_t *moved = NULL;
    TRY(mem_alloc(&at, (size_t)w->n_label, sizeof *at, "treatments"));
    TRY(mem_alloc(&count, (size_t)w->n_label, sizeof *count, "treatments"));
    TRY(mem_alloc(&moved, (size_t)w->n_label, 1, "treatments"));
    for (int64_t i = 0; i < w->n; i++) {
        int32_t l = w->label[i];
        if (!w->evaluated[i]) continue;
        if (count[l]++ == 0) at[l] = w->position[i];
        if (w->position[i] != at[l]) moved[l] = 1;
    }
    for (int32_t l = 0; l < w->n_label; l++) replicated += count[l] > 1, fixed += count[l] > 1 && !moved[l];
    if (2 * fixed > replicated) {
        char *note =
            xasprintf("%lld of %lld replicated treatments (%.0f %%) are at one well position on all plates: effects of the position "
                      "raise retrieval, mAP and percent replicating (docs/evaluation.md)",
                      (long long)fixed, (long long)replicated, 100.0 * (double)fixed / (double)replicated);
        names_add(notes, note);
        log_warn("%s", note);
        free(note);
    }
done:
    free(at);
    free(count);
    free(moved);
    return st;
}

/* E of docs/method.md 8. */
static status mark_evaluated(wells *w, const uint8_t *treated, const config *cfg, names *notes)
{
    status st = OK;
    int64_t n = 0;
    int set = frame_col(&w->obs, "Metadata_Set");
    bool trained =
        !cfg->evaluate.profiles.n && cfg->train.method != METHOD_PRETRAINED && cfg->train.method != METHOD_CLASSICAL && !*cfg->embed.model;
    bool all = cfg->evaluate.wells == WELLS_ALL ||
               (cfg->evaluate.wells == WELLS_AUTO && !w->own_set && !trained && cfg->evaluate.recipe != RECIPE_0_1);
    TRY(mem_alloc(&w->evaluated, (size_t)w->n, 1, "wells"));
    TRY(mem_alloc(&w->set, (size_t)w->n, 1, "wells"));
    for (int64_t i = 0; i < w->n; i++) {
        w->set[i] = NO_SET;
        for (int s = 0; set >= 0 && s < SET_COUNT; s++)
            if (strcmp(frame_text(&w->obs, i, set), split_set_name((split_set)s)) == 0) w->set[i] = (uint8_t)s;
        w->evaluated[i] = treated[i] && (all || w->set[i] != SET_TRAIN);
        n += w->evaluated[i];
    }
    if (n == 0) {
        memcpy(w->evaluated, treated, (size_t)w->n);
        names_add(notes, "no well was held out of training: all treated wells are evaluated, and the figures say nothing about new data");
    }
    if (all && set >= 0) names_add(notes, "all treated wells are evaluated, whatever the split: the model was not trained on this screen");
    TRY(tell_single(w, notes));
    TRY(note_positions(w, notes));
done:
    return st;
}

status wells_label(wells *w, const config *cfg, names *notes)
{
    status st = OK;
    static const char *const name[] = {"Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Compound", "Metadata_pert_type"};
    int place[5], *label_col = xcalloc(cfg->screen.treatment.n + 1, sizeof *label_col), group_col = -1, n_treated = 0;
    uint8_t *treated = NULL;
    intern_table source = {0}, batch = {0}, plate = {0};
    const char *by = cfg->evaluate.normalize_by;
    for (int k = 0; k < 5; k++) TRY(need(&w->obs, name[k], &place[k]));
    label_col[0] = place[3];
    for (size_t k = 0; k < cfg->screen.treatment.n; k++)
        TRY(wells_find_column(&w->obs, cfg->screen.treatment.item[k], "screen.treatment", &label_col[k + 1]));
    TRY(mem_alloc(&w->control, (size_t)w->n, 1, "wells"));
    TRY(mem_alloc(&treated, (size_t)w->n, 1, "wells"));
    for (int64_t i = 0; i < w->n; i++) {
        const char *type = frame_text(&w->obs, i, place[4]);
        w->control[i] = strcmp(type, "negcon") == 0;
        treated[i] = !w->control[i] && strcmp(type, "empty") != 0;
        n_treated += treated[i];
    }
    TRY(wells_code_rows(&w->obs, place, 1, NULL, &source, &w->source, &w->n_source));
    TRY(wells_code_rows(&w->obs, place, 2, NULL, &batch, &w->batch, &w->n_batch));
    TRY(wells_code_rows(&w->obs, place, 3, NULL, &plate, &w->plate, &w->n_plate));
    TRY(wells_code_rows(&w->obs, label_col, 1 + (int)cfg->screen.treatment.n, treated, &w->label_name, &w->label, &w->n_label));
    TRY(wells_code_rows(&w->obs, label_col, 1, treated, &w->compound_name, &w->compound, &w->n_compound));
    if (strcmp(by, "none") != 0) TRY(wells_find_column(&w->obs, by, "evaluate.normalize_by", &group_col));
    if (group_col == place[2]) /* plates of one name at two sources are different */
        TRY(wells_code_rows(&w->obs, place, 3, NULL, &w->group_name, &w->group, &w->n_group));
    else
        TRY(wells_code_rows(&w->obs, &group_col, group_col >= 0, NULL, &w->group_name, &w->group, &w->n_group));
    TRY(code_positions(w));
    TRY(label_targets(w, cfg->evaluate.columns.mechanism, treated));
    TRY(label_predictions(w, place));
    TRY(mark_evaluated(w, treated, cfg, notes));
    if (w->n_source < 2) names_add(notes, "there is only one source: retrieval across sources has no possible match");
    if (w->n_batch < 2)
        names_add(notes,
                  "there is only one batch: retrieval across batches has no possible match, retrieval across plates takes its place");
    if (w->n_label < 2) names_add(notes, "there is only one treatment: nothing can be told apart");
    if (n_treated == 0) TRY(fail(E_FAILED, "the profiles have no treated well: there is nothing to evaluate"));
done:
    free(label_col);
    free(treated);
    intern_free(&source);
    intern_free(&batch);
    intern_free(&plate);
    return st;
}

status share_block_all(MPI_Comm comm, int root, void *block, size_t size)
{
    char **p = block;
    return comm_bcast_all(comm, root, p, &size);
}

status wells_share_matrix_all(MPI_Comm comm, float **x, int64_t n, int64_t *d)
{
    MPI_Bcast(d, 1, MPI_INT64_T, 0, comm);
    return share_block_all(comm, 0, x, (size_t)(n * *d) * sizeof **x);
}

status wells_share_all(wells *w, MPI_Comm comm)
{
    status st = OK;
    int64_t head[15] = {w->n,
                        w->d,
                        w->n_source,
                        w->n_batch,
                        w->n_plate,
                        w->n_label,
                        w->n_compound,
                        w->n_group,
                        w->n_target,
                        w->n_cf,
                        w->target_start ? w->target_start[w->n_label] : 0,
                        w->n_position,
                        w->n_pair_group,
                        w->n_pair_code,
                        w->cf_by_label};
    MPI_Bcast(head, 15, MPI_INT64_T, 0, comm);
    w->n = head[0], w->d = head[1], w->n_source = (int32_t)head[2], w->n_batch = (int32_t)head[3], w->n_plate = (int32_t)head[4];
    w->n_label = (int32_t)head[5], w->n_compound = (int32_t)head[6], w->n_group = (int32_t)head[7], w->n_target = (int32_t)head[8];
    w->n_cf = head[9], w->n_position = (int32_t)head[11], w->n_pair_group = (int32_t)head[12];
    w->n_pair_code = (int32_t)head[13], w->cf_by_label = head[14] != 0;
    int32_t **code[] = {&w->source, &w->batch, &w->plate, &w->label, &w->compound, &w->group, &w->position};
    int32_t **cf[] = {&w->cf_batch, &w->cf_compound, &w->cf_group, &w->cf_plate, &w->cf_label};
    uint8_t **flag[] = {&w->control, &w->set, &w->evaluated};
    for (size_t k = 0; k < 7; k++) TRY(share_block_all(comm, 0, code[k], (size_t)w->n * sizeof **code[k]));
    for (size_t k = 0; k < 5; k++) TRY(share_block_all(comm, 0, cf[k], (size_t)w->n_cf * sizeof **cf[k]));
    for (size_t k = 0; k < 3; k++) TRY(share_block_all(comm, 0, flag[k], (size_t)w->n));
    TRY(share_block_all(comm, 0, &w->target_start, ((size_t)w->n_label + 1) * sizeof *w->target_start));
    TRY(share_block_all(comm, 0, &w->target, (size_t)head[10] * sizeof *w->target));
    TRY(share_block_all(comm, 0, &w->pair_code, (size_t)w->n_pair_code * (size_t)w->n * sizeof *w->pair_code));
    TRY_ALL(comm, mem_alloc(&w->label_compound, (size_t)w->n_label, sizeof *w->label_compound, "treatments"));
    for (int64_t i = 0; i < w->n; i++)
        if (w->label[i] >= 0) w->label_compound[w->label[i]] = w->compound[i];
done:
    return st;
}
