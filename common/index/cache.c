/* cache.c -- keeps the index in a file and maps it when it is needed again. It is up to date if it was made with the same options from the
 * same tables: same size and time, or else the same bytes. */
#include "block_impl.h"
#include "build_impl.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

index_options index_options_of(const config *c)
{
    return (index_options){.dir = c->dir,
                           .images = &c->screen.index,
                           .plate = &c->screen.plate,
                           .well = &c->screen.well,
                           .compound = &c->screen.compound,
                           .channels = &c->screen.channels,
                           .control = &c->screen.control,
                           .treatment = &c->screen.treatment,
                           .batch = c->screen.batch,
                           .paths_from = c->screen.paths.from,
                           .paths_to = c->screen.paths.to,
                           .z = c->tile.z == Z_NONE ? 0 : c->tile.z,
                           .pages = c->tile.pages == PAGES_CHANNELS};
}

bool index_has_structures(const config *c)
{
    names file = {0};
    bool any = *c->featurize.vectors != '\0';
    for (size_t i = 0; i < c->screen.compound.n && !any; i++) {
        size_t before = file.n;
        any = path_glob(&file, c->dir, c->screen.compound.item[i]) != OK || file.n == before;
    }
    for (size_t i = 0; i < file.n && !any; i++) {
        csv *t = NULL;
        any = csv_open(&t, file.item[i]) != OK || csv_col_any(t, index_smiles_columns) >= 0;
        csv_close(&t);
    }
    msg_clear();
    names_free(&file);
    return any;
}

char *index_cache_name(const config *c)
{
    char *work = config_work(c, "");
    size_t n = strlen(work);
    while (n > 1 && work[n - 1] == '/') work[--n] = '\0';
    char *name = xasprintf("%s.index", work);
    free(work);
    return name;
}

status index_save(const screen_index *ix, const char *path)
{
    return path_write(path, ix->block, ix->head->size);
}

/* On NFS, touching a mapped page of a file that another node has replaced kills the process: there the file is read, not mapped. */
static bool may_be_mapped(int fd)
{
    enum { NFS = 0x6969 };
    struct statfs s;
    return fstatfs(fd, &s) == 0 && s.f_type != NFS;
}

static status read_block(int fd, const char *path, size_t size, uint8_t **block)
{
    status st = OK;
    TRY(mem_alloc(block, size, 1, "the index"));
    for (size_t at = 0; at < size;) {
        ssize_t got = read(fd, *block + at, size - at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) TRY(fail(E_IO, "%s: cannot read it: %s", path, got < 0 ? strerror(errno) : "it ends early"));
        at += (size_t)got;
    }
done:
    if (st != OK) FREE(*block);
    return st;
}

status index_load(screen_index **out, const char *path, const char *dir)
{
    status st = OK;
    struct stat sb;
    void *block = MAP_FAILED;
    uint8_t *own = NULL;
    int fd;
    TRY(path_open_regular(path, &fd));
    if (fstat(fd, &sb) != 0) TRY(fail(E_IO, "%s: %s", path, strerror(errno)));
    if (sb.st_size < (off_t)sizeof(block_head)) TRY(fail(E_FORMAT, "%s: not an index file: too short", path));
    if (!may_be_mapped(fd)) {
        TRY(read_block(fd, path, (size_t)sb.st_size, &own));
        TRY(fail_within(block_open(out, own, (size_t)sb.st_size, false, dir), "%s", path)); /* takes over `own` */
        goto done;
    }
    block = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (block == MAP_FAILED) TRY(fail(E_IO, "%s: cannot map it: %s", path, strerror(errno)));
    TRY(fail_within(block_open(out, block, (size_t)sb.st_size, true, dir), "%s", path));
done:
    if (fd >= 0) close(fd);
    return st;
}

/* Are the tables that it was made from unchanged? Tables whose size or time differs are read and hashed. */
static bool up_to_date(const screen_index *ix, const index_options *o)
{
    bool same = false;
    findings ignored = {0};
    table_files now = {0};
    const block_table *was = block_part(ix, S_TABLES);
    if (ix->head->options != index_options_digest(o)) return false;
    if (table_files_list(&now, o, &ignored) != OK || ignored.n || now.n != ix->head->n_tables) goto done;
    for (size_t i = 0; i < now.n; i++) {
        const table_file *t = &now.item[i];
        uint64_t digest;
        if (strcmp(t->path, block_word(ix, was[i].path)) != 0 || t->role != (int)was[i].role || t->size != was[i].size) goto done;
        if (t->mtime_ns == was[i].mtime_ns) continue;
        if (digest_file(t->opened, &digest) != OK || digest != was[i].digest) goto done;
    }
    same = true;
done:
    msg_clear();
    findings_free(&ignored);
    table_files_free(&now);
    return same;
}

status index_open(screen_index **out, const index_options *o, const char *cache)
{
    status st = OK;
    screen_index *ix = NULL;
    if (cache && path_exists(cache)) {
        if (index_load(&ix, cache, o->dir) != OK) msg_clear(); /* damaged, or of another version: build it again */
        if (ix && !up_to_date(ix, o)) index_free(&ix);
    }
    if (!ix) {
        TRY(index_build(&ix, o));
        if (cache && !findings_count(&ix->found, FINDING_ERROR) && index_save(ix, cache) != OK) {
            log_warn("the index is not cached: %s", msg_get());
            msg_clear();
        }
    }
    *out = ix;
done:
    return st;
}
