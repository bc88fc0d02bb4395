/* t_step_log.c -- the training's log: what a line says when something is not known, and a disk that is full. */
#include "../tap.h"

#include <stdlib.h>

/* A stage's part: it is in no library. */
#include "../../stages/train/step_log.c"

static char *line_of(const validation *v)
{
    char *s = NULL;
    size_t n = 0;
    const step_result r = {.loss = 1.5};
    const step_cost c = {.seconds = 0.5};
    FILE *f = open_memstream(&s, &n);
    if (!f || step_log_write(f, 7, 3, &r, &c, 0.1, 2, v) != OK) ok(0, "a line is written");
    if (f) fclose(f);
    return s;
}

int main(void)
{
    const validation asked = {.top1 = 0.5, .chance = 0.25, .queries = 4, .loss = NAN}, mute = {.top1 = NAN, .chance = NAN, .loss = NAN};
    const step_result r = {.loss = 1};
    const step_cost c = {.seconds = 1};
    char *none = line_of(NULL), *a = line_of(&asked), *b = line_of(&mute);
    ok(strstr(none, "{\"step\": 7, \"loss\": 1.5,") == none && strstr(none, "\"items_per_s\": 6,"), "a step");
    ok(!strstr(none, "valid_"), "without validation");
    ok(strstr(a, ", \"valid_top1\": 0.5, \"valid_chance\": 0.25, \"valid_queries\": 4}"), "a validation that has no loss");
    ok(strstr(b, ", \"valid_queries\": 0}") && !strstr(b, "nan") && !strstr(b, "valid_top1"), "a validation that has no query");
    free(none);
    free(a);
    free(b);
    FILE *full = fopen("/dev/full", "a");
    if (ok(full, "/dev/full is there")) {
        ok(step_log_write(full, 1, 1, &r, &c, 0, 0, NULL) == E_IO && strstr(msg_get(), "No space left"), "a full disk is said");
        fclose(full);
    }
    msg_clear();
    return tap_done();
}
