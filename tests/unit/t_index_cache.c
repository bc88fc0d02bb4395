/* t_index_cache.c -- the files that an index names, and its cache: when it is used again, and damaged ones.
 * run: limit=120 */
#include "../../common/index/block_impl.h"
#include "../index_screen.h"
#include "micon/base/digest.h"
#include "micon/base/rng.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- files ---- */

/* A folder that nobody can look into, also not root: a link to itself. */
static void loop(const char *rel)
{
    char *path = path_join(folder, rel), *kept = xasprintf("%s.kept", path);
    (void)rename(path, kept);
    if (symlink(rel, path) != 0) printf("# cannot make the link %s\n", path);
    free(path), free(kept);
}

static void files(void)
{
    screen s;
    text t = {0}, rows = {0};
    begin(&s, "t.csv", NULL, NULL, NULL);
    text_add(&rows, "FileName_OrigDNA,PathName_OrigDNA,FileName_OrigER,PathName_OrigER,FileName_IllumDNA,Plate,Well,Site\n");
    for (int i = 1; i <= 40; i++) { /* plate P: DNA in one folder that is listed; plate Q: ER too, in two that are not */
        text_addf(&rows, "d%d.tif,%s,e%d.tif,%s,i.npy,%s,A%02d,1\n", i, i <= 35 ? "img" : "img/few", i, i <= 35 ? "more" : "none",
                  i <= 35 ? "P" : "Q", i);
        char name[64];
        snprintf(name, sizeof name, "%s/d%d.tif", i <= 35 ? "img" : "img/few", i);
        if (i != 7 && i != 37) put(name, "x");
        snprintf(name, sizeof name, "more/e%d.tif", i);
        if (i != 7 && i != 9) put(name, "x");
    }
    put("t.csv", rows.s);
    put("img/d7.tif/x", "a folder is no file");
    screen_index *ix = build(&s);
    findings f = {0};
    ok(ix && index_n_plates(ix) == 2, "two plates");
    index_check_files(ix, 0, 2, false, 0.1, &f);
    findings_show(&f, &t), strip(&t), strip(&t);
    same(text_str(&t),
         "error: image files that are missing: 6\n    t.csv:37: none/e36.tif\n    t.csv:38: img/few/d37.tif\n    t.csv:38: none/e37.tif\n"
         "    t.csv:39: none/e38.tif\n    t.csv:40: none/e39.tif\n    ... and 1 more\n"
         "warning: image files that are missing: 3\n    t.csv:8: img/d7.tif\n    t.csv:8: more/e7.tif\n    t.csv:10: more/e9.tif\n",
         "missing files: few are a warning, many an error");
    findings_free(&f), text_clear(&t);
    index_check_files(ix, 0, 1, true, 0, &f);
    findings_show(&f, &t), strip(&t);
    ok(strstr(t.s, "error: illumination files that are missing: 35\n    t.csv:2: i.npy\n") != NULL,
       "illumination functions, where asked for");
    findings_free(&f), text_clear(&t);
    loop("more"), loop("none");
    index_check_files(ix, 0, 2, false, 0.1, &f);
    findings_show(&f, &t);
    ok(strstr(t.s, "more: cannot open this folder: ") && strstr(t.s, "none/e36.tif: cannot check this path: ") &&
           !strstr(t.s, "that are missing"),
       "what cannot be looked at is not called missing");
    index_free(&ix), findings_free(&f);
    end(&s), text_free(&t), text_free(&rows);
}

/* ---- the cache ---- */

static uint64_t plate_digest(screen *s, int of)
{
    screen_index *ix = build(s);
    uint64_t d = ix && index_n_plates(ix) ? index_plate_digest(ix, 0, of) : 0;
    index_free(&ix);
    return d;
}

static void digests(void)
{
    screen s;
    begin(&s, "*/t.csv", NULL, "w.csv", NULL);
    put("b/t.csv", HEAD "a,b,S,B,P,A01,1,\na,c,S,B,P,A02,1,\n");
    put("w.csv", "Plate,Well,JCP2022\nP,A01,DMSO\nP,A02,X\n");
    uint64_t images = plate_digest(&s, INDEX_OF_IMAGES), all = plate_digest(&s, INDEX_OF_ALL);
    ok(images && all && images != all, "digests of a plate");
    put("c/t.csv", HEAD "a,b,S,B,Q,A01,1,\n");
    ok(plate_digest(&s, INDEX_OF_IMAGES) == images && plate_digest(&s, INDEX_OF_ALL) == all, "another plate changes nothing");
    put("w.csv", "Plate,Well,JCP2022\nP,A01,DMSO\nP,A02,Y\n");
    ok(plate_digest(&s, INDEX_OF_IMAGES) == images && plate_digest(&s, INDEX_OF_ALL) != all, "a compound is not of the images");
    put("b/t.csv", HEAD "a,b,S,B,P,A01,1,\na,d,S,B,P,A02,1,\n");
    ok(plate_digest(&s, INDEX_OF_IMAGES) != images, "a path is");
    put("b/t.csv", HEAD "a,b,S,B,P,A01,1,\na,c,S,B,P,A02,1,\n");
    char *moved = xasprintf("%s-moved", folder), *here = folder;
    ok(rename(folder, moved) == 0, "the screen moves");
    folder = moved, s.o.dir = moved;
    ok(plate_digest(&s, INDEX_OF_IMAGES) == images, "and its digest stays");
    free(here);
    end(&s);
}

static status open_cached(screen *s, const char *cache, screen_index **ix)
{
    s->o.images = &s->images, s->o.plate = &s->plate, s->o.well = &s->well, s->o.compound = &s->compound;
    s->o.channels = &s->channels, s->o.control = &s->control, s->o.treatment = &s->treatment;
    return index_open(ix, &s->o, cache);
}

/* Opens; is the cache of the same bytes as before (not written again)? */
static int reused(screen *s, const char *cache, int64_t *mtime)
{
    screen_index *ix = NULL;
    int64_t size, now = 0;
    int good = open_cached(s, cache, &ix) == OK && path_stat(cache, &size, &now) == OK && now == *mtime;
    *mtime = now;
    index_free(&ix);
    msg_clear();
    return good;
}

static void cached(void)
{
    screen s;
    screen_index *ix = NULL, *again = NULL;
    text a = {0}, b = {0};
    int64_t mtime = 0;
    begin(&s, "*.csv", NULL, NULL, NULL);
    put("t.csv", HEAD "a,b,S,B,P,A01,1,DMSO\nx,y,S,B,P,A02,1,X\na,b,S,B,Q,A02,1,X\n");
    char *cache = path_join(folder, "work.index"), *file = path_join(folder, "t.csv");
    ok(open_cached(&s, cache, &ix) == OK && path_exists(cache), "made and cached");
    size_t n, n2;
    const void *bytes = index_bytes(ix, &n);
    ok(index_load(&again, cache, folder) == OK && memcmp(index_bytes(again, &n2), bytes, n) == 0 && n == n2, "the cache is the block");
    same(show(again, &a), show(ix, &b), "and says the same");
    same(found(again, &a), found(ix, &b), "with its warnings");
    index_free(&again);
    ok(index_from_bytes(&again, bytes, n, "/elsewhere") == OK && strcmp(index_path(again, 0, 0, &a), "/elsewhere/a") == 0,
       "sent to another rank");
    index_free(&again);
    reused(&s, cache, &mtime);
    ok(reused(&s, cache, &mtime), "used again");
    struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    utimensat(AT_FDCWD, file, times, 0);
    ok(reused(&s, cache, &mtime), "a table of another time but the same bytes");
    put("t.csv", HEAD "a,b,S,B,P,A01,1,DMSO\nx,z,S,B,P,A02,1,X\na,b,S,B,Q,A02,1,X\n");
    ok(!reused(&s, cache, &mtime), "other bytes: built again");
    put("u.csv", HEAD "a,b,S,B,R,A01,1,DMSO\n");
    ok(!reused(&s, cache, &mtime), "another table: built again");
    list(&s.control, "X");
    ok(!reused(&s, cache, &mtime), "other options: built again");
    ok(reused(&s, cache, &mtime), "and then used again");
    put("t.csv", HEAD "a,b,S,B,P,A01,1,DMSO\na,b,S,B,P,A01,1,DMSO\n");
    ok(reused(&s, cache, &mtime), "an index with errors is not cached");
    put("t.csv", "DNA,ER,Plate,Well,Site,JCP2022\na,b,P,A01,1,X\n");
    put("u.csv", "DNA,ER,Plate,Well,Site,JCP2022\na,b,Q,A01,1,X\n");
    ok(!reused(&s, cache, &mtime) && reused(&s, cache, &mtime), "the batch is the folder's name");
    ok(unlink(cache) == 0 && mkfifo(cache, 0600) == 0 && open_cached(&s, cache, &again) == OK, "a named pipe in its place: not waited for");
    index_free(&again);
    char *moved = xasprintf("%s-renamed", folder), *there = path_join(moved, "work.index");
    ok(rename(folder, moved) == 0, "the folder is renamed");
    s.o.dir = moved;
    ok(!reused(&s, there, &mtime) && reused(&s, there, &mtime), "built again");
    free(moved), free(there);
    ok(index_save(ix, tap_absent("x")) == E_IO, "a folder that is not there");
    msg_clear();
    index_free(&ix);
    end(&s);
    free(cache), free(file);
    text_free(&a), text_free(&b);
}

/* Whatever bytes a cache holds: refused, or read without a step beside it (the sanitizer watches). */
static void hostile(void)
{
    screen s;
    text t = {0};
    begin(&s, "t.csv", NULL, NULL, NULL);
    s.o.pages = true, s.o.z = Z_MAX;
    put("t.csv", "DNA,ER,FileName_IllumDNA,Source,Batch,Plate,Well,Site,JCP2022,Z\na,b,c,S,B,P,A01,1,DMSO,1\nx,,y,S,B,P,A02,1,X,1\n"
                 "a,b,,S,B,Q,A02,1,Y,1\nd,e,,S,B,Q,A02,1,Y,2\n");
    screen_index *ix = build(&s), *bad = NULL;
    size_t n;
    const void *bytes = index_bytes(ix, &n);
    uint8_t *copy = xmalloc(n);
    int taken = 0, read = 0;
    for (size_t cut = 0; cut < n; cut++) {
        taken += index_from_bytes(&bad, bytes, cut, "") == OK;
        index_free(&bad), msg_clear();
    }
    ok(taken == 0, "a cache cut off anywhere");
    for (size_t at = 0; at < n; at++) {
        memcpy(copy, bytes, n);
        copy[at] ^= 4;
        taken += index_from_bytes(&bad, copy, n, "") == OK;
        index_free(&bad), msg_clear();
    }
    ok(taken == 0, "a cache with a changed bit anywhere");
    rng r = rng_at(1, 9001, 0, 0);
    for (int i = 0; i < 100000; i++) { /* with a right digest, so that the checks behind it are reached */
        memcpy(copy, bytes, n);
        for (int k = 0; k < 1 + i % 3; k++) {
            size_t at = (size_t)rng_below(&r, n);
            copy[at] = rng_u32(&r) % 2 ? (uint8_t)rng_u32(&r) : (uint8_t)(copy[at] + 1);
        }
        uint64_t d = digest_bytes(copy + sizeof(block_head), n - sizeof(block_head));
        if (i % 4) memcpy(copy + 16, &d, sizeof d);
        if (index_from_bytes(&bad, copy, n, "") == OK) {
            read++;
            show(bad, &t), found(bad, &t);
            for (int64_t i2 = 0, at; i2 < index_n_rows(bad); i2++)
                for (int64_t left = index_planes(bad, i2, 1, &at); left > 0; left--, at++) index_plane_path(bad, at, &t);
            for (int64_t p = 0; p < index_n_plates(bad); p++) taken += index_plate_digest(bad, p, INDEX_OF_ALL) == 0;
            for (int64_t i2 = 0; i2 < index_n_rows(bad); i2++) taken += index_well_end(bad, i2) <= i2 || index_page(bad, i2, 0) < -1;
        }
        index_free(&bad), msg_clear();
    }
    printf("# %d of 100000 damaged ones could still be read\n", read);
    ok(taken == 0 && read > 0, "a damaged cache");
    free(copy);
    index_free(&ix);
    end(&s);
    text_free(&t);
}

int main(void)
{
    base = xstrdup(tap_dir());
    files();
    digests();
    cached();
    hostile();
    free(base);
    free(folder);
    return tap_done();
}
