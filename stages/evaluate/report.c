/* report.c -- report.html: the page and the data that it draws: metrics.json unchanged, the wells, the treatments, similarity of
 * replicates, the training's log. */
#include "report_data.h"

#include "micon/base/log.h"
#include "micon/base/path.h"
#include "micon/provenance/written_files.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The page's scripts, in the order of their parts on the page. */
extern const char report_data_js[], report_verdict_js[], report_hits_js[], report_card_js[], report_images_js[], report_structure_js[],
    report_map_js[], report_plates_js[], report_trust_js[], report_training_js[];

/* Step, loss and validation of a line of the log; its times and memory differ between equal runs. The line is parsed and written again: one
 * that JSON.parse refuses would leave the whole page blank. False: not an object. */
static bool add_step(text *t, const char *line, size_t n, bool first)
{
    static const char *const key[] = {"step", "loss", "valid_top1", "valid_chance"};
    json_t *value = json_loadb(line, n, JSON_DECODE_INT_AS_REAL, NULL);
    bool is = json_is_object(value), any = false;
    if (is) text_add(t, first ? "{" : ",{");
    for (size_t k = 0; is && k < sizeof key / sizeof *key; k++) {
        const json_t *v = json_object_get(value, key[k]);
        if (!json_is_real(v)) continue;
        text_addf(t, "%s\"%s\":%.9g", any ? "," : "", key[k], json_real_value(v));
        any = true;
    }
    if (is) text_add(t, "}");
    json_decref(value);
    return is;
}

/* The log's lines that are objects; the others are counted. */
static void add_log(text *t, const char *path)
{
    enum { MOST = 64 << 20 };
    char *data = NULL;
    size_t size = 0;
    int64_t taken = 0, lost = 0;
    uint64_t digest;
    text_add(t, "\"log\":[");
    if (path_exists(path) && (written_files_check(path, &digest) != OK || path_read(path, &data, &size, MOST) != OK)) {
        log_warn("no training curve: %s", msg_get());
        msg_clear();
    }
    for (char *line = data, *end; line && (end = strchr(line, '\n')); line = end + 1) {
        if (end == line) continue;
        if (add_step(t, line, (size_t)(end - line), taken == 0))
            taken++;
        else
            lost++;
    }
    text_add(t, "]");
    if (lost) log_warn("%s: %lld lines are not JSON objects: the training curve leaves them out", path, (long long)lost);
    free(data);
}

status report_write(const char *folder, const config *cfg, const wells *w, const transformed *c, const results *r, const char *json,
                    const char *log_jsonl)
{
    status st = OK;
    text data = {0}, page = {0};
    char *path = path_join(folder, REPORT_PAGE), *pictures = path_join(folder, REPORT_PICTURES);
    const char *const scripts[] = {report_data_js,
                                   report_verdict_js,
                                   report_images_js,
                                   report_structure_js,
                                   report_card_js,
                                   report_hits_js,
                                   report_map_js,
                                   report_plates_js,
                                   report_trust_js,
                                   report_training_js,
                                   NULL};
    text_add(&data, "{\"about\":");
    metric_table_json(&data, cfg->evaluate.pairs.pos_sameby.n ? cfg->evaluate.pairs.name : "");
    text_add(&data, ",\n\"metrics\":");
    text_add(&data, json);
    text_add(&data, ",\n");
    TRY(report_wells(&data, w, c));
    text_add(&data, ",\n");
    TRY(report_quality(&data, w));
    text_add(&data, ",\n");
    TRY(report_treatments(&data, w, c, r));
    text_add(&data, ",\n");
    TRY(report_heat(&data, w, c, r));
    text_add(&data, ",\n");
    report_structures(&data, cfg, w);
    text_add(&data, ",\n");
    add_log(&data, log_jsonl);
    TRY(report_images(&data, cfg, pictures, w, c, r));
    text_add(&data, "}");
    report_page(&page, text_str(&data), scripts);
    TRY(path_write(path, text_str(&page), page.n));
done:
    free(path);
    free(pictures);
    text_free(&data);
    text_free(&page);
    return st;
}
