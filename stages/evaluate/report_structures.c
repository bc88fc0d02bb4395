/* report_structures.c -- structures for the cards, as micon-featurize laid them out. */
#include "report_data.h"

#include "micon/base/log.h"
#include "micon/base/path.h"
#include "micon/provenance/written_files.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWINGS_MOST = 6 << 20, FILE_MOST = 1 << 30 }; /* bytes: the page stays below 15 MB with them */

/* ["COMPOUND",{..}]: the drawing of a compound that has wells here. False: the line is not of this form. */
static bool add_drawing(text *t, const wells *w, const char *line, size_t n, bool *first)
{
    json_t *value = json_loadb(line, n, 0, NULL), *drawing = json_array_get(value, 1);
    const char *name = json_string_value(json_array_get(value, 0));
    bool is = name && json_is_object(drawing);
    int64_t compound = is ? intern_find(&w->compound_name, name) : -1;
    char *shown = compound >= 0 ? json_dumps(drawing, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    if (shown) {
        text_addf(t, "%s\"%lld\":", *first ? "" : ",\n", (long long)compound);
        text_add(t, shown);
        *first = false;
    }
    free(shown);
    json_decref(value);
    return is;
}

void report_structures(text *t, const config *cfg, const wells *w)
{
    char *path = config_work(cfg, WORK_STRUCTURES), *data = NULL;
    size_t size = 0, begin = t->n;
    int64_t lost = 0;
    uint64_t digest;
    bool first = true;
    text_add(t, "\"structures\":{");
    if (path_exists(path) && (written_files_check(path, &digest) != OK || path_read(path, &data, &size, FILE_MOST) != OK)) {
        log_warn("the report has no structures: %s", msg_get());
        msg_clear();
    }
    for (char *line = data, *end; line && (end = strchr(line, '\n')) && t->n - begin < DRAWINGS_MOST; line = end + 1)
        lost += !add_drawing(t, w, line, (size_t)(end - line), &first);
    text_add(t, "}");
    if (lost) log_warn("%s: %lld lines are no structures: the report leaves them out", path, (long long)lost);
    free(data);
    free(path);
}
