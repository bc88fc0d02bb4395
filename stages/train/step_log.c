/* step_log.c -- log.jsonl: one line of figures per step; and the cost of a step in this process. */
#include "train.h"

#include "micon/base/clock.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

step_cost step_cost_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (step_cost){.seconds = clock_s(), .processor = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec, .allocations = mem_allocations()};
}

step_cost step_cost_since(const step_cost *from)
{
    step_cost now = step_cost_now();
    return (step_cost){.seconds = now.seconds - from->seconds,
                       .processor = now.processor - from->processor,
                       .allocations = now.allocations - from->allocations};
}

/* Resident memory of this process. */
static double resident_mb(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld", &pages, &resident) != 2) resident = 0;
    if (f) fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

status step_log_open(FILE **out, const char *path, int64_t step)
{
    status st = OK;
    char *old = NULL, *dir = path_dir(path);
    size_t size = 0, keep = 0;
    TRY(path_make_dirs(dir));
    if (step > 0 && path_exists(path)) {
        TRY(path_read(path, &old, &size, SIZE_MAX / 2));
        for (char *line = old, *end; *line && (end = strchr(line, '\n')); line = end + 1) {
            const char *at = strstr(line, "\"step\": ");
            if (at && at < end && atoll(at + 8) > step) break;
            keep = (size_t)(end + 1 - old);
        }
    }
    TRY(path_write(path, old ? old : "", keep));
    if (!(*out = fopen(path, "a"))) TRY(fail(E_IO, "%s: cannot be written", path));
done:
    free(old);
    free(dir);
    return st;
}

status step_log_write(FILE *f, int64_t step, int64_t batch, const step_result *s, const step_cost *c, double lr, double norm,
                      const validation *v)
{
    if (!f) return OK;
    fprintf(f,
            "{\"step\": %lld, \"loss\": %.9g, \"contrast\": %.9g, \"generated\": %.9g, \"aux\": %.9g, \"lr\": %.9g, \"grad_norm\": %.9g, "
            "\"items_per_s\": %.4g, \"seconds\": %.4g, \"processor_s\": %.4g, \"compute_s\": %.4g, \"wait_s\": %.4g, \"comm_s\": %.4g, "
            "\"comm_hidden_s\": %.4g, "
            "\"comm_bytes\": %lld, \"fell_back\": %lld, \"memory_mb\": %.2f, \"allocations\": %lld",
            (long long)step, s->loss, s->contrast, s->generated, s->aux, lr, norm, (double)batch / c->seconds, c->seconds, c->processor,
            s->compute_s, s->wait_s, s->comm_s, s->hidden_s, (long long)s->bytes, (long long)s->fell_back, resident_mb(),
            (long long)c->allocations);
    if (v && isfinite(v->top1)) fprintf(f, ", \"valid_top1\": %.6g", v->top1);
    if (v && isfinite(v->chance)) fprintf(f, ", \"valid_chance\": %.6g", v->chance);
    if (v) fprintf(f, ", \"valid_queries\": %lld", (long long)v->queries);
    if (v && isfinite(v->loss)) fprintf(f, ", \"valid_loss\": %.9g", v->loss);
    fprintf(f, "}\n");
    int failed = ferror(f), flushed = fflush(f), error = errno;
    clearerr(f); /* unwritten text stays in the buffer until the next call */
    if (failed || flushed != 0) return fail(E_IO, "cannot write a line of the log: %s", strerror(error));
    return OK;
}
