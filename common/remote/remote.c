/* remote.c -- objects that were asked for, in their order, and the thread that fetches them. */
#include "remote_impl.h"

#include "micon/base/clock.h"
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/url.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    AHEAD = 4,               /* objects asked for, per transfer at a time */
    FIRST_GUESS = 4 << 20,   /* bytes of an object, before any was met */
    MEMORY = 256 << 20,      /* of a rank, for objects that wait */
    LOST_A_TRANSFER = 2,     /* objects lost one after another, per transfer at a time, after which no more is asked for */
    LOST_S = 30,             /* for this long */
    LONGEST_POLL_MS = 10000, /* whoever has something new wakes the thread */
    SPARE = 8
};

struct remote {
    remote_options o;
    char *s3, *folder;
    cache *cache;
    CURLM *multi;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    /* Guarded by the lock: */
    object *first, *last; /* not yet read, in the order in which they were asked for */
    const object *wanted; /* somebody waits for it */
    int64_t n, n_running;
    size_t held, guess; /* bytes charged; the largest object so far */
    int64_t n_lost;     /* in a row, */
    double lost_at;     /* the last of them */
    bool stop;
    struct {
        uint8_t *bytes;
        size_t cap;
    } spare[SPARE]; /* memory of objects that were read */
    int n_spare;
};

remote *remote_open(const remote_options *o)
{
    remote *r = xcalloc(1, sizeof *r);
    r->o = *o;
    r->o.s3 = r->s3 = xstrdup(o->s3);
    r->o.cache = r->folder = xstrdup(o->cache);
    r->guess = FIRST_GUESS;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->ready, NULL);
    return r;
}

remote *remote_open_for(const config *c, bool fresh)
{
    char *folder = *c->tile.fetch.cache ? config_path(c, c->tile.fetch.cache) : xstrdup("");
    remote *r = remote_open(&(remote_options){.parallel = c->tile.fetch.parallel,
                                              .retries = c->tile.fetch.retries,
                                              .timeout_s = c->tile.fetch.timeout,
                                              .s3 = c->tile.fetch.s3,
                                              .cache = folder,
                                              .cache_bytes = c->tile.fetch.cache_size,
                                              .memory = MEMORY,
                                              .fresh = fresh});
    free(folder);
    return r;
}

static void object_free(object *o)
{
    transfer_free(o);
    free(o->path);
    free(o->bytes);
    free(o->why);
    free(o);
}

/* ---- the thread ---- */

static void take_spare(remote *r, object *o)
{
    if (r->n_spare == 0 || o->cap || o->size_only) return;
    r->n_spare--;
    o->bytes = r->spare[r->n_spare].bytes;
    o->cap = r->spare[r->n_spare].cap;
}

/* May this one begin now? The one that is waited for always may. */
static bool may_begin(const remote *r, const object *o)
{
    if (o == r->wanted) return true;
    return r->n_running < r->o.parallel && r->held + (o->size_only ? 0 : r->guess) <= (size_t)r->o.memory;
}

/* Those that nobody will read leave; those that may begin are marked and returned in begin[0..*n). Returns the seconds until another one
 * has rested enough. With the lock held. */
static double choose(remote *r, object **begin, size_t most, size_t *n)
{
    double now = clock_s(), soonest = LONGEST_POLL_MS / 1000.0;
    *n = 0;
    for (object **at = &r->first, *before = NULL, *o; (o = *at) != NULL;) {
        if (o->dropped) {
            if (o->easy) curl_multi_remove_handle(r->multi, o->easy);
            r->n_running -= o->state == REMOTE_RUNNING;
            r->held -= o->charge;
            *at = o->next;
            if (r->last == o) r->last = before;
            object_free(o);
            continue;
        }
        if (o->charge < o->n) r->held += o->n - o->charge, o->charge = o->n;
        bool lost = r->n_lost >= LOST_A_TRANSFER * r->o.parallel && now - r->lost_at < LOST_S;
        if (o->state == REMOTE_WAITING && lost) {
            object_fail(o, E_IO, "was %s: the %lld before it could not be fetched", o->tries ? "given up" : "not asked for",
                        (long long)r->n_lost);
            o->state = REMOTE_READY;
            pthread_cond_broadcast(&r->ready);
        } else if (o->state == REMOTE_WAITING && o->not_before > now) {
            if (o->not_before - now < soonest) soonest = o->not_before - now;
        } else if (o->state == REMOTE_WAITING && *n < most && may_begin(r, o)) {
            o->state = REMOTE_RUNNING;
            o->charge = o->size_only ? 0 : o->n > r->guess ? o->n : r->guess;
            r->held += o->charge;
            r->n_running++;
            take_spare(r, o);
            begin[(*n)++] = o;
        }
        before = o;
        at = &o->next;
    }
    return soonest;
}

static void finish(remote *r, object *o, bool again, bool lost, double wait_s)
{
    pthread_mutex_lock(&r->lock);
    r->n_running--;
    r->held -= o->charge;
    o->charge = o->n; /* also of one that broke: the bytes stay */
    r->held += o->charge;
    o->state = again ? REMOTE_WAITING : REMOTE_READY;
    o->not_before = again ? clock_s() + wait_s : 0;
    if (!again && o->st == OK && o->n > r->guess) r->guess = o->n;
    if (!again) r->n_lost = lost ? r->n_lost + 1 : 0;
    if (lost) r->lost_at = clock_s();
    if (!again) pthread_cond_broadcast(&r->ready);
    pthread_mutex_unlock(&r->lock);
}

static void begin(remote *r, object *o)
{
    if (r->cache && !r->o.fresh && !o->size_only && o->tries == 0 && cache_get(r->cache, o)) {
        finish(r, o, false, false, 0);
        return;
    }
    CURL *e = transfer_begin(o, &r->o);
    if (e && curl_multi_add_handle(r->multi, e) == CURLM_OK) return;
    object_fail(o, E_NOMEM, "no memory for a transfer");
    transfer_free(o);
    finish(r, o, false, false, 0);
}

/* Transfers that have ended. */
static bool end_some(remote *r)
{
    int left;
    bool any = false;
    for (CURLMsg *m; (m = curl_multi_info_read(r->multi, &left)) != NULL; any = true) {
        object *o;
        CURLcode code = m->data.result;
        double wait_s;
        bool lost;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &o);
        curl_multi_remove_handle(r->multi, m->easy_handle);
        bool again = transfer_end(o, code, &r->o, &wait_s, &lost) == TRANSFER_AGAIN;
        if (!again && o->st == OK && r->cache && !o->size_only) cache_put(r->cache, o);
        finish(r, o, again, lost, wait_s);
    }
    return any;
}

static void *run(void *arg)
{
    enum { AT_ONCE = 64 };
    remote *r = arg;
    object *some[AT_ONCE];
    if (*r->o.cache) r->cache = cache_open(r->o.cache, r->o.cache_bytes);
    for (bool stop = false; !stop;) {
        size_t n = 0;
        int running;
        pthread_mutex_lock(&r->lock);
        stop = r->stop;
        double rest_s = stop ? 0 : choose(r, some, AT_ONCE, &n);
        pthread_mutex_unlock(&r->lock);
        if (stop) break;
        for (size_t i = 0; i < n; i++) begin(r, some[i]);
        curl_multi_perform(r->multi, &running);
        if (end_some(r) || n == AT_ONCE) continue;
        curl_multi_poll(r->multi, NULL, 0, (int)(rest_s * 1000) + 1, NULL);
    }
    return NULL;
}

/* Signals are the main thread's; SIGPIPE of a connection that a server closed is nobody's. */
static bool start_thread(remote *r)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r->started = pthread_create(&r->thread, NULL, run, r) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r->started;
}

static status start(remote *r)
{
    status st = OK;
    if (r->started) return OK;
    if (!r->multi) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        r->multi = curl_multi_init();
    }
    if (!r->multi) TRY(fail(E_NOMEM, "no memory for fetching images"));
    curl_multi_setopt(r->multi, CURLMOPT_MAXCONNECTS, (long)r->o.parallel);
    if (!start_thread(r)) TRY(fail(E_NOMEM, "cannot start the thread that fetches images"));
done:
    return st;
}

void remote_close(remote **pr)
{
    remote *r = *pr;
    if (!r) return;
    *pr = NULL;
    if (r->started) {
        pthread_mutex_lock(&r->lock);
        r->stop = true;
        pthread_mutex_unlock(&r->lock);
        curl_multi_wakeup(r->multi);
        pthread_join(r->thread, NULL);
    }
    for (object *o = r->first, *next; o; o = next) {
        next = o->next;
        if (o->easy) curl_multi_remove_handle(r->multi, o->easy);
        object_free(o);
    }
    if (r->multi) {
        curl_multi_cleanup(r->multi);
        curl_global_cleanup();
    }
    cache_close(&r->cache);
    for (int i = 0; i < r->n_spare; i++) free(r->spare[i].bytes);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->ready);
    free(r->s3);
    free(r->folder);
    free(r);
}

/* ---- the caller ---- */

bool remote_has_room(const remote *r)
{
    return r->n < AHEAD * r->o.parallel; /* only the caller's own thread changes n */
}

/* As the last one; or as the first, for what is wanted at once: others that come later are not dropped for it. */
static status ask(remote *r, const char *path, bool size_only, bool at_once)
{
    status st = OK;
    if (!url_is_remote(path) || url_flaw(path)) return OK; /* remote_read says so */
    TRY(start(r));
    object *o = xcalloc(1, sizeof *o);
    o->path = xstrdup(path);
    o->size_only = size_only;
    o->length = -1;
    pthread_mutex_lock(&r->lock);
    if (r->n == 0) r->n_lost = 0; /* another plate: the server may be back */
    if (at_once) o->next = r->first;
    if (!at_once && r->first) r->last->next = o;
    if (at_once || !r->first) r->first = o;
    if (!o->next) r->last = o;
    r->n++;
    pthread_mutex_unlock(&r->lock);
    curl_multi_wakeup(r->multi);
done:
    return st;
}

status remote_ask(remote *r, const char *path)
{
    return ask(r, path, false, false);
}

status remote_ask_size(remote *r, const char *url)
{
    return ask(r, url, true, false);
}

/* The first that was asked for and has this name; those before it are dropped. With the lock held. */
static object *find(remote *r, const char *path, bool size_only)
{
    object *o = r->first;
    while (o && (o->dropped || o->size_only != size_only || strcmp(o->path, path) != 0)) o = o->next;
    for (object *d = o ? r->first : NULL; d != o; d = d->next) {
        r->n -= !d->dropped;
        d->dropped = true;
    }
    return o;
}

/* Waits for an object, takes it from the list; the caller's from now on. */
static status take(remote *r, const char *path, bool size_only, object **out)
{
    status st = OK;
    *out = NULL;
    if (!url_is_remote(path)) return fail(E_INTERNAL, "%s: is no URL", path);
    if (url_flaw(path)) {
        char *shown = url_shown(path);
        st = fail(E_FORMAT, "%s: %s", shown, url_flaw(path));
        free(shown);
        return st;
    }
    pthread_mutex_lock(&r->lock);
    object *o = find(r, path, size_only), **at;
    pthread_mutex_unlock(&r->lock);
    if (!o) TRY(ask(r, path, size_only, true));
    pthread_mutex_lock(&r->lock);
    if (!o) o = find(r, path, size_only);
    r->wanted = o;
    if (o->state == REMOTE_WAITING) curl_multi_wakeup(r->multi);
    while (o->state != REMOTE_READY) pthread_cond_wait(&r->ready, &r->lock);
    r->wanted = NULL;
    object *before = NULL;
    for (at = &r->first; *at != o; at = &(*at)->next) before = *at;
    *at = o->next;
    if (r->last == o) r->last = before;
    r->held -= o->charge;
    r->n--;
    pthread_mutex_unlock(&r->lock);
    curl_multi_wakeup(r->multi); /* there is room for another one */
    *out = o;
done:
    return st;
}

static void give_spare(remote *r, uint8_t *bytes, size_t cap)
{
    pthread_mutex_lock(&r->lock);
    if (bytes && r->n_spare < SPARE) {
        r->spare[r->n_spare].bytes = bytes;
        r->spare[r->n_spare++].cap = cap;
        bytes = NULL;
    }
    pthread_mutex_unlock(&r->lock);
    free(bytes);
}

status remote_read(remote *r, image_file *f, const char *path)
{
    status st = OK;
    object *o = NULL;
    if (!url_is_remote(path)) return image_file_read(f, path);
    free(f->path);
    f->path = xstrdup(path);
    f->size = 0;
    TRY(take(r, path, false, &o));
    if (o->st != OK) TRY(fail(o->st, "%s", o->why));
    give_spare(r, f->bytes, f->cap);
    f->bytes = o->bytes;
    f->cap = o->cap;
    f->size = o->n;
    f->mtime_ns = o->mtime_ns;
    f->digest = digest_bytes(f->bytes, f->size);
    o->bytes = NULL;
done:
    if (o) object_free(o);
    return st;
}

status remote_size(remote *r, const char *url, int64_t *size)
{
    object *o = NULL;
    status st = take(r, url, true, &o);
    if (st == OK && o->st != OK) st = fail(o->st, "%s", o->why);
    if (st == OK) *size = o->length;
    if (o) object_free(o);
    return st;
}
