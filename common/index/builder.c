/* builder.c -- shared by the steps that make an index: their texts, and the report of a table that cannot be read. */
#include "build_impl.h"

#include <stdlib.h>

status builder_init(index_builder *b)
{
    status st = OK;
    size_t at;
    uint32_t id;
    TRY(builder_intern(b, "", &id));
    for (size_t i = 0; i < rows_fixed(b); i++) TRY(grid_add_col(&b->rows, "", &at));
    for (size_t i = 0; i < P_FIXED; i++) TRY(grid_add_col(&b->plates, "", &at));
    for (size_t i = 0; i < W_FIXED; i++) TRY(grid_add_col(&b->wells, "", &at));
    for (size_t i = 0; i < C_FIXED; i++) TRY(grid_add_col(&b->compounds, "", &at));
done:
    return st;
}

void builder_free(index_builder *b)
{
    intern_free(&b->pool);
    table_files_free(&b->table);
    grid_free(&b->rows);
    grid_free(&b->plates);
    grid_free(&b->wells);
    grid_free(&b->compounds);
    free(b->order);
    free(b->member);
    free(b->member_of);
    free(b->plane);
    free(b->plane_of);
    free(b->well_of);
    free(b->compound_of);
    free(b->span);
}

const char *builder_text(const index_builder *b, uint32_t id)
{
    return intern_at(&b->pool, id);
}

status builder_intern(index_builder *b, const char *s, uint32_t *id)
{
    return intern_add(&b->pool, s, id);
}

status builder_report(index_builder *b, status st)
{
    if (st == OK || st == E_NOMEM) return st;
    findings_add(b->found, FINDING_ERROR, "unreadable tables", "%s", msg_get());
    msg_clear();
    return OK;
}

void joined_rows_free(joined_rows *j)
{
    free(j->col_name);
    free(j->cell);
    free(j->kind);
    free(j->class_of);
    free(j->class_name);
    *j = (joined_rows){0};
}
