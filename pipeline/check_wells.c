/* check_wells.c -- for micon check: how controls and treatments were recognized, and whether they have the structures that stages need. */
#include "driver.h"

#include "micon/nn/method.h"
#include "micon/table/intern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Why a well is what it is, and how many are. */
typedef struct {
    text why;
    int64_t n;
} reason;

typedef struct {
    reason item[WELL_EMPTY + 1][32];
    int n[WELL_EMPTY + 1];
    int64_t wells[WELL_EMPTY + 1];
} tally;

static void count_reason(tally *t, well_kind kind, const char *why)
{
    enum { MOST = sizeof t->item[0] / sizeof *t->item[0] };
    int i = 0;
    while (i < t->n[kind] && strcmp(text_str(&t->item[kind][i].why), why) != 0) i++;
    if (i == t->n[kind] && i == MOST) i--, text_clear(&t->item[kind][i].why), text_add(&t->item[kind][i].why, "others");
    if (i == t->n[kind]) text_add(&t->item[kind][t->n[kind]++].why, why);
    t->item[kind][i].n++;
}

static const char *cell(const screen_index *ix, int64_t row, const char *column)
{
    int col = index_col(ix, column);
    return col < 0 ? "" : index_cell(ix, row, col);
}

static void explain(const config *c, const screen_index *ix, int64_t row, tally *t)
{
    const char *compound = index_cell(ix, row, INDEX_COMPOUND), *control_type = cell(ix, row, "Metadata_control_type");
    kind_reason by;
    well_kind kind = index_kind_of(&c->screen.control, compound, index_cell(ix, row, INDEX_PERT_TYPE), control_type, &by);
    text why = {0};
    t->wells[kind]++;
    if (kind == WELL_CONTROL && by == KIND_BY_CONTROL_LIST)
        text_addf(&why, "screen.control '%s'", compound);
    else if (kind == WELL_CONTROL)
        text_addf(&why, "%s negcon", by == KIND_BY_CONTROL_TYPE ? "Metadata_control_type" : "Metadata_pert_type");
    else if (kind == WELL_EMPTY && *compound)
        text_addf(&why, "compound '%s'", compound);
    else if (kind == WELL_EMPTY)
        text_add(&why, "no compound");
    else
        text_add(&why, strncmp(control_type, "poscon", 6) == 0 ? "positive controls" : "");
    count_reason(t, kind, text_str(&why));
    text_free(&why);
}

void check_say_wells(const config *c, const screen_index *ix)
{
    static const char *const name[] = {[WELL_TREATED] = "treated", [WELL_CONTROL] = "control", [WELL_EMPTY] = "empty"};
    static const well_kind order[] = {WELL_TREATED, WELL_CONTROL, WELL_EMPTY};
    tally t = {0};
    char shown[200];
    for (int64_t row = 0; row < index_n_rows(ix); row = index_well_end(ix, row)) explain(c, ix, row, &t);
    printf("wells:");
    for (int k = 0; k < 3; k++) {
        const well_kind kind = order[k];
        const char *mark = " (";
        printf("%s %lld %s", k ? ";" : "", (long long)t.wells[kind], name[kind]);
        for (int i = 0; i < t.n[kind]; i++) {
            const reason *r = &t.item[kind][i];
            if (!*text_str(&r->why)) continue;
            printf("%s%lld: %s", mark, (long long)r->n, text_show(shown, sizeof shown, text_str(&r->why)));
            mark = ", ";
        }
        printf("%s", *mark == ',' ? ")" : "");
        for (int i = 0; i < t.n[kind]; i++) text_free(&t.item[kind][i].why);
    }
    printf("\n");
}

/* ---- structures ---- */

/* What micon-featurize needs from the compound tables: a structure for a control, and for each treated compound. Only micon-featurize can
 * tell whether a structure is readable. */
void check_structures(const config *c, const screen_index *ix, findings *f)
{
    intern_table seen = {0};
    int64_t controls = 0, known = 0;
    const char *control = "";
    uint32_t id;
    bool drop = c->featurize.on_missing == ON_MISSING_DROP;
    if (!stage_wanted(c, stage_find("featurize")) || *c->featurize.vectors || !c->screen.compound.n) return;
    for (int64_t row = 0; row < index_n_rows(ix); row = index_well_end(ix, row)) {
        const char *compound = index_cell(ix, row, INDEX_COMPOUND), *smiles = cell(ix, row, "Metadata_SMILES");
        well_kind kind = index_kind(ix, row);
        size_t before = seen.n;
        if (kind == WELL_EMPTY || intern_add(&seen, compound, &id) != OK || seen.n == before) continue;
        if (kind == WELL_CONTROL) {
            controls++, known += *smiles != '\0';
            if (!*smiles) control = compound;
        } else if (!*smiles) {
            findings_add(f, drop ? FINDING_WARNING : FINDING_ERROR, "compounds without a structure",
                         drop ? "'%s' has no SMILES in screen.compound: its wells are left out of training"
                              : "'%s' has no SMILES in screen.compound; complete the table, or set featurize.on_missing: drop",
                         compound);
        }
    }
    if (controls && !known)
        findings_add(f, FINDING_ERROR, "controls without a structure",
                     "'%s' has no SMILES in screen.compound: add its row (CS(C)=O is DMSO), or set screen.control to its identifier there",
                     control);
    msg_clear();
    intern_free(&seen);
}

/* What the training method needs. */
void check_method(const config *c, findings *f)
{
    static const char what[] = "settings that do not go together";
    const method_info *m = &method_table[c->train.method];
    if (c->evaluate.profiles.n || *c->embed.model) return;
    if (m->compounds && c->no_structures)
        findings_add(f, FINDING_ERROR, what,
                     "train.method: %s learns from structures: name a table with a column SMILES in screen.compound, or vectors in "
                     "featurize.vectors; simclr, paclr and pretrained need none",
                     method_name(c->train.method));
    if (c->train.method == METHOD_PRETRAINED && strcmp(c->train.weights, "none") == 0)
        findings_add(f, FINDING_ERROR, what, "train.method: pretrained needs train.weights: a FILE.safetensors of torchvision or timm");
}
