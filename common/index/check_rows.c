/* check_rows.c -- findings in the joined rows: plates without controls, sites without a channel, unknown compounds. */
#include "build_impl.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char *table_at(const index_builder *b, uint32_t row)
{
    return b->table.item[b->rows.col[R_TABLE].v[row]].opened;
}

static unsigned line_at(const index_builder *b, uint32_t row)
{
    return b->rows.col[R_LINE].v[row];
}

/* Controls and channels, plate by plate. */
static void report_plate(index_builder *b, const joined_rows *j, const plate_span *p, bool any_controls)
{
    uint32_t first = b->order[p->first];
    const char *source = builder_text(b, p->source), *batch = builder_text(b, p->batch), *plate = builder_text(b, p->plate);
    int64_t controls = 0;
    for (int64_t i = p->first; i < p->first + p->n; i++) controls += j->kind[i] == WELL_CONTROL;
    if (!controls)
        findings_add(b->found, FINDING_WARNING, "plates without controls", "%s:%u: %s/%s/%s; %s", table_at(b, first), line_at(b, first),
                     source, batch, plate,
                     any_controls ? "controls of its batch or source are used instead" : "no other plate has any either");
    for (int k = 0; k < b->n_ch; k++) {
        const uint32_t *file = b->rows.col[channel_col(k, CH_FILE)].v;
        int64_t without = 0;
        for (int64_t i = p->first; i < p->first + p->n; i++) without += file[b->order[i]] == 0;
        const char *channel = b->o->channels->item[k];
        if (without == p->n)
            findings_add(b->found, FINDING_ERROR, "plates without a channel", "%s:%u: no site of %s/%s/%s has channel %s",
                         table_at(b, first), line_at(b, first), source, batch, plate, channel);
        else
            for (int64_t i = p->first; without && i < p->first + p->n; i++) {
                uint32_t row = b->order[i];
                if (!file[row])
                    findings_add(b->found, FINDING_WARNING, "sites without a channel", "%s:%u: %s site %s of %s/%s/%s has no %s",
                                 table_at(b, row), line_at(b, row), builder_text(b, b->rows.col[R_WELL].v[row]),
                                 builder_text(b, b->rows.col[R_SITE].v[row]), source, batch, plate, channel);
            }
    }
}

/* Two channels of a site that name one file: a column was copied. */
static void report_shared(index_builder *b, uint32_t row)
{
    const grid_col *c = b->rows.col;
    for (int k = 1; k < b->n_ch; k++)
        for (int m = 0; m < k; m++) {
            uint32_t file = c[channel_col(k, CH_FILE)].v[row];
            if (!file || file != c[channel_col(m, CH_FILE)].v[row] ||
                c[channel_col(k, CH_FOLDER)].v[row] != c[channel_col(m, CH_FOLDER)].v[row])
                continue;
            findings_add(b->found, FINDING_WARNING, "sites whose channels share a file", "%s:%u: %s site %s: %s and %s are both %s",
                         table_at(b, row), line_at(b, row), builder_text(b, c[R_WELL].v[row]), builder_text(b, c[R_SITE].v[row]),
                         b->o->channels->item[m], b->o->channels->item[k], builder_text(b, file));
            return;
        }
}

static void report_controls(index_builder *b)
{
    const names *want = b->o->control;
    const uint32_t *used = b->compounds.col[C_ID].v;
    for (size_t i = 0; want && i < want->n && b->n_order; i++) {
        bool found = false;
        for (size_t k = 0; k < b->compounds.n && !found; k++) found = strcmp(builder_text(b, used[k]), want->item[i]) == 0;
        if (!found) findings_add(b->found, FINDING_WARNING, "controls without a well", "screen.control: no well holds '%s'", want->item[i]);
    }
    if (b->n_order && !b->compounds.n)
        findings_add(b->found, FINDING_WARNING, "screens without compounds",
                     "%s:1: no table has a column Metadata_JCP2022 or Metadata_Compound with identifiers: all wells count as empty",
                     table_at(b, b->order[0]));
}

static void report_compounds(index_builder *b, const joined_rows *j)
{
    bool tables = false;
    uint8_t *told = xcalloc(b->compounds.n, 1);
    for (size_t i = 0; i < b->table.n; i++) tables = tables || b->table.item[i].role == TABLE_COMPOUND;
    for (size_t i = 0; tables && i < b->n_order; i++) {
        uint32_t w = b->well_of[i], c = b->compound_of[w];
        if (!c || told[c - 1] || j->kind[i] == WELL_EMPTY || b->compounds.col[C_LINE].v[c - 1]) continue;
        told[c - 1] = 1;
        findings_add(b->found, FINDING_WARNING, "compounds missing from the compound tables", "%s:%u: '%s'",
                     b->table.item[b->wells.col[W_TABLE].v[w]].opened, b->wells.col[W_LINE].v[w],
                     builder_text(b, b->compounds.col[C_ID].v[c - 1]));
    }
    free(told);
}

void check_joined_rows(index_builder *b, const joined_rows *j)
{
    bool any_controls = false;
    for (size_t i = 0; i < b->n_order && !any_controls; i++) any_controls = j->kind[i] == WELL_CONTROL;
    for (size_t p = 0; p < b->n_spans; p++) report_plate(b, j, &b->span[p], any_controls);
    for (size_t i = 0; !b->o->pages && i < b->n_order; i++) report_shared(b, b->order[i]);
    report_controls(b);
    report_compounds(b, j);
    if (!b->n_order && !findings_count(b->found, FINDING_ERROR))
        findings_add(b->found, FINDING_ERROR, "screens without images", "screen.index: the tables hold no rows");
}
