/* plates.c -- what every stage over plates does the same way. */
#include "micon/stage/plates.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"
#include "micon/index/findings.h"
#include "micon/mpi/comm.h"
#include "micon/store/store.h"

#include <stdlib.h>

/* Rank 0 alone looks whether the tables have changed, which may be a file for each plate. The others map the file that holds its index, or
 * get its bytes. */
static status share_index_all(const stage *g, screen_index **ix, const char *dir, const char *cache)
{
    status st = OK;
    uint64_t content = g->rank == 0 ? index_content(*ix) : 0;
    MPI_Bcast(&content, 1, MPI_UINT64_T, 0, g->comm);
    if (g->rank != 0 && index_load(ix, cache, dir) != OK) msg_clear();
    if (g->rank != 0 && *ix && index_content(*ix) != content) index_free(ix);
    int all_have = *ix != NULL;
    MPI_Allreduce(MPI_IN_PLACE, &all_have, 1, MPI_INT, MPI_MIN, g->comm);
    if (all_have) return OK;
    char *data = NULL;
    size_t size = 0;
    if (g->rank == 0) data = (char *)(uintptr_t)index_bytes(*ix, &size);
    TRY(comm_bcast_all(g->comm, 0, &data, &size));
    if (!*ix) st = index_from_bytes(ix, data, size, dir);
    if (g->rank != 0) free(data);
    TRY_ALL(g->comm, st);
done:
    return st;
}

status plates_index_all(stage *g, screen_index **ix)
{
    status st = OK;
    index_options o = index_options_of(&g->cfg);
    char *cache = index_cache_name(&g->cfg);
    text t = {0};
    TRY_ALL(g->comm, g->rank == 0 ? index_open(ix, &o, cache) : OK);
    TRY(share_index_all(g, ix, o.dir, cache));
    const findings *found = index_findings(*ix);
    bool the_error = found->n == 1 && findings_count(found, FINDING_ERROR) == 1; /* the verdict says it */
    if (found->n > 0 && !the_error && g->rank == 0) {
        findings_show(found, &t);
        log_warn("the tables:\n%.*s", (int)t.n - 1, text_str(&t));
    }
    TRY_ALL(g->comm, findings_verdict(found));
done:
    text_free(&t);
    free(cache);
    return st;
}

static status choose(const stage *g, const screen_index *ix, int64_t **chosen, int64_t *n)
{
    status st = OK;
    *n = g->plates.n ? (int64_t)g->plates.n : index_n_plates(ix);
    *chosen = xcalloc((size_t)*n, sizeof **chosen);
    for (int64_t i = 0; i < *n; i++) {
        if (g->plates.n)
            TRY(index_find_plate(ix, g->plates.item[i], &(*chosen)[i]));
        else
            (*chosen)[i] = i;
    }
done:
    return st;
}

status plates_chosen_all(const stage *g, const screen_index *ix, int64_t **chosen, int64_t *n)
{
    return agree_all(g->comm, choose(g, ix, chosen, n));
}

status plates_each_all(stage *g, const int64_t *chosen, int64_t n, status (*one_all)(void *ctx, int64_t plate), void *ctx)
{
    int64_t failed = 0;
    char first[1000] = "";
    for (int64_t i = 0; i < n; i++) {
        status st = one_all(ctx, chosen[i]);
        if (st == OK) continue;
        if (st != E_FAILED && st != E_FORMAT) return st;
        if (failed++ == 0)
            msg_take(first, sizeof first);
        else if (g->rank == 0)
            log_warn("%s", msg_get());
        msg_clear();
    }
    if (failed == 0) return OK;
    if (n == 1) return fail(E_FAILED, "%s", first);
    return fail(E_FAILED, "%lld of %lld plates failed, the others are done; the first: %s", (long long)failed, (long long)n, first);
}

status plates_verify(const stage *g, const screen_index *ix, const int64_t *chosen, int64_t n, const char *compounds)
{
    status st = OK;
    uint64_t digest;
    char *tiles = NULL;
    for (int64_t i = g->rank; i < n; i += g->size) {
        free(tiles);
        tiles = plates_file(g, ix, WORK_TILES, chosen[i]);
        if (path_exists(tiles)) TRY(store_verify(tiles, &digest));
    }
    if (compounds && n % g->size == g->rank && path_exists(compounds)) TRY(store_verify(compounds, &digest));
done:
    free(tiles);
    return st;
}

status plates_look_for_files(const screen_index *ix, int64_t p, bool illumination, double max_bad, const char *label)
{
    findings found = {0};
    text t = {0};
    index_check_files(ix, p, 1, illumination, max_bad, &found);
    status st = findings_verdict(&found);
    if (st != OK && found.n > 1) {
        findings_show(&found, &t);
        log_warn("%s:\n%s", label, text_str(&t));
    }
    text_free(&t);
    findings_free(&found);
    return fail_within(st, "%s", label);
}

char *plates_file(const stage *g, const screen_index *ix, const char *folder, int64_t p)
{
    index_plate at = index_plate_at(ix, p);
    return config_plate_file(&g->cfg, folder, at.source, at.batch, at.plate);
}

char *plates_label(const screen_index *ix, int64_t p)
{
    index_plate at = index_plate_at(ix, p);
    return xasprintf("%s/%s/%s", at.source, at.batch, at.plate);
}
