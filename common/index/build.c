/* build.c -- making an index: the steps in turn, each in a file of its own. */
#include "block_impl.h"
#include "build_impl.h"

status index_build(screen_index **out, const index_options *o)
{
    status st = OK;
    findings found = {0};
    joined_rows j = {0};
    index_builder b = {.o = o, .found = &found, .n_ch = (int)o->channels->n};
    if (o->channels->n > INDEX_MAX_CHANNELS) TRY(fail(E_USAGE, "screen.channels: more than %d channels", INDEX_MAX_CHANNELS));
    TRY(builder_init(&b));
    TRY(table_files_list(&b.table, o, &found));
    for (size_t i = 0; i < b.table.n; i++)
        if (b.table.item[i].role == TABLE_IMAGES) TRY(read_images(&b, i));
    TRY(read_plate_tables(&b));
    TRY(join_plates(&b));
    TRY(sort_rows(&b));
    TRY(choose_planes(&b));
    TRY(join_wells(&b));
    TRY(join_compounds(&b));
    TRY(join_columns(&b, &j));
    TRY(number_classes(&b, &j));
    check_joined_rows(&b, &j);
    TRY(index_serialize(&b, &j, out));
done:
    joined_rows_free(&j);
    builder_free(&b);
    findings_free(&found);
    return st;
}
