/* provenance.c -- what an output was made from. */
#include "micon/stage/provenance.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"
#include "micon/provenance/output_record.h"
#include "micon/provenance/written_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void provenance_config(const stage *g, text *made_from)
{
    config_show(&g->cfg, g->def->affects, made_from);
}

void provenance_put(store *s, const stage *g, const char *made_from, uint64_t inputs_sum)
{
    char d[DIGEST_TEXT], program[80];
    snprintf(program, sizeof program, "micon-%s", g->def->name);
    store_put_text(s, MADE_BY_PROGRAM, program);
    store_put_text(s, MADE_BY_VERSION, MICON_VERSION);
    store_put_text(s, MADE_FROM, made_from);
    store_put_text(s, MADE_FROM_INPUTS, digest_show(inputs_sum, d));
}

static bool text_is(const store_file *f, const char *path, const char *want)
{
    char *got = NULL;
    bool same = store_read_text(f, path, &got) == OK && strcmp(got, want) == 0;
    free(got);
    return same;
}

static bool made_from_is(const store_file *f, const char *made_from)
{
    char *got = NULL;
    bool same = store_read_text(f, MADE_FROM, &got) == OK && output_record_same(got, made_from);
    free(got);
    return same;
}

bool provenance_current(const char *path, const char *kind, int format, const stage *g, const char *made_from, uint64_t inputs_sum)
{
    store_file *f = NULL;
    char d[DIGEST_TEXT], program[80];
    snprintf(program, sizeof program, "micon-%s", g->def->name);
    bool current = path_exists(path) && store_open(&f, path, kind, format) == OK && text_is(f, MADE_BY_PROGRAM, program) &&
                   made_from_is(f, made_from) && text_is(f, MADE_FROM_INPUTS, digest_show(inputs_sum, d));
    store_close(&f);
    msg_clear(); /* an unreadable file is not current: it is computed again */
    return current;
}

status provenance_record(const stage *g, const char *name, const char *output, const char *made_from, uint64_t inputs_sum, uint64_t content)
{
    char program[80], *path = output_record_path(&g->cfg, g->def->name, name);
    snprintf(program, sizeof program, "micon-%s", g->def->name);
    status st = output_record_write(path, program, output, made_from, inputs_sum, content);
    free(path);
    return st;
}

status provenance_split(const stage *g)
{
    names below = {0};
    names_add(&below, WORK_SPLIT);
    status st = written_files_record(&g->cfg, "split", "split", &below);
    names_free(&below);
    return st;
}

char *provenance_inputs_file(const stage *g, const char *name)
{
    return config_status_file(&g->cfg, g->def->name, name, "inputs");
}
