/* t_prefetch.c -- run: limit=60 : blocks made ahead: order, room, failures, an early stop. */
#include "../tap.h"
#include "micon/base/prefetch.h"

#include <stdatomic.h>
#include <unistd.h>

typedef struct {
    atomic_long made; /* numbers filled so far */
    int64_t fail_at;
} maker;

static status fill(void *ctx, int64_t k, void *block)
{
    maker *m = ctx;
    if (k == m->fail_at) return fail(E_IO, "number %lld cannot be made", (long long)k);
    int64_t *v = block;
    for (int i = 0; i < 100; i++) v[i] = 1000 * k + i;
    atomic_fetch_add(&m->made, 1);
    return OK;
}

static void order(void)
{
    maker m = {.fail_at = -1};
    prefetch *a = NULL;
    double wait_s = 0;
    int bad = 0, far = 0;
    ok(prefetch_start(&a, 3, 100 * sizeof(int64_t), 7, 200, fill, &m) == OK, "started");
    for (int64_t k = 7; k < 207; k++) {
        void *block;
        if (prefetch_next(a, &block, &wait_s) != OK) {
            bad++;
            break;
        }
        if (k % 10 == 0) usleep(1000); /* the thread has time to overwrite what is borrowed, if it would */
        far += atomic_load(&m.made) > k - 7 + 3;
        for (int i = 0; i < 100; i++) bad += ((int64_t *)block)[i] != 1000 * k + i;
    }
    ok(bad == 0, "every block once, in order, untouched while it is borrowed");
    ok(far == 0, "never more than the blocks that there are");
    prefetch_stop(&a);
    ok(a == NULL, "stopped");
    prefetch_stop(&a);
}

static void failure(void)
{
    maker m = {.fail_at = 4};
    prefetch *a = NULL;
    void *block;
    double wait_s = 0;
    int good = 0;
    ok(prefetch_start(&a, 3, 800, 0, 10, fill, &m) == OK, "started");
    usleep(2000); /* the failure is there before the caller comes */
    for (int k = 0; k < 4; k++) good += prefetch_next(a, &block, &wait_s) == OK;
    ok(good == 4, "what was made before a failure is handed out");
    ok(prefetch_next(a, &block, &wait_s) == E_IO, "a failure comes out at its number");
    same(msg_get(), "number 4 cannot be made", "with its message");
    msg_clear();
    prefetch_stop(&a);
}

static void early(void)
{
    maker m = {.fail_at = -1};
    prefetch *a = NULL;
    ok(prefetch_start(&a, 2, 800, 0, 1000000, fill, &m) == OK, "started");
    prefetch_stop(&a);
    ok(atomic_load(&m.made) <= 2, "an early stop does not wait for all");
    ok(prefetch_start(&a, 2, 800, 0, 0, fill, &m) == OK, "nothing to make");
    prefetch_stop(&a);
}

int main(void)
{
    order();
    failure();
    early();
    return tap_done();
}
