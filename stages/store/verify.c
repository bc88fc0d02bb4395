/* verify.c -- micon-store verify: every byte of finished files against the digest that each holds, or that its stage recorded of it. Files
 * are told apart by their names, so that a changed first byte is damage and not another kind of file. */
#include "store_commands.h"

#include "micon/base/digest.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"
#include "micon/formats/png.h"
#include "micon/formats/safetensors.h"
#include "micon/index/index.h"
#include "micon/mpi/comm.h"
#include "micon/provenance/input_digests.h"
#include "micon/provenance/output_record.h"
#include "micon/provenance/written_files.h"
#include "micon/stage/shared_nets.h"
#include "micon/store/foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAMAGED, UNREAD, UNKNOWN, N_BAD };

static status check_safetensors(const char *path, uint64_t *digest)
{
    safetensors s = {0};
    status st = safetensors_read(&s, path);
    *digest = s.digest;
    for (size_t i = 0; i < s.meta_key.n && st == OK && !s.digest; i++)
        if (strncmp(s.meta_key.item[i], "micon.", 6) == 0)
            st = fail(E_FORMAT, "%s: its digest is missing: damaged, or written again by another program", path);
    safetensors_free(&s);
    return st;
}

static status check_index(const char *path, uint64_t *digest)
{
    screen_index *ix = NULL;
    status st = index_load(&ix, path, ".");
    if (st == OK) st = digest_file(path, digest);
    index_free(&ix);
    return st;
}

static status check_png(const char *path, uint64_t *digest)
{
    uint32_t sum;
    status st = png_check(path, &sum);
    return st == OK ? digest_file(path, digest) : st;
}

/* *digest is 0 where none of it is known. */
static status check_file(const stage *s, const char *path, uint64_t *digest)
{
    static const struct {
        const char *end;
        status (*check)(const char *path, uint64_t *digest);
    } kind[] = {{".safetensors", check_safetensors}, {".index", check_index},          {".png", check_png},
                {".made", output_record_check},      {".inputs", input_digests_check}, {".files", written_files_check_list}};
    if (text_ends(path, ".h5") || text_ends(path, ".h5ad")) return foreign_verify(s->keep, path, digest);
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        if (text_ends(path, kind[i].end)) return kind[i].check(path, digest);
    char *folder = path_dir(path);
    bool choices = text_ends(path, ".txt") && strcmp(path_base(folder), WORK_CHOICES) == 0;
    free(folder);
    return choices ? shared_nets_check(path, digest) : written_files_check(path, digest);
}

/* Ranks share the files; each says what it found, in one line a file. Local. */
static status verify_some(const stage *s, const names *files, int64_t bad[N_BAD])
{
    char shown[300], message[1200], d[DIGEST_TEXT];
    for (size_t i = (size_t)s->rank; i < files->n; i += (size_t)s->size) {
        uint64_t digest = 0;
        text_show(shown, sizeof shown, files->item[i]);
        status st = path_is_dir(files->item[i]) ? fail(E_IO, "%s: is a folder: name its files", files->item[i])
                                                : check_file(s, files->item[i], &digest);
        if (st == OK && digest) {
            printf("ok       %s  %s\n", digest_show(digest, d), shown);
        } else if (st == OK) {
            printf("unknown  %s: no digest of it is recorded\n", shown);
            bad[UNKNOWN]++;
        } else {
            printf("%s  %s\n", st == E_IO ? "unread " : "damaged", text_show(message, sizeof message, msg_get()));
            msg_clear();
            bad[st == E_IO ? UNREAD : DAMAGED]++;
        }
    }
    return fflush(stdout) == 0 ? OK : fail(E_IO, "standard output cannot be written");
}

status verify_all(stage *s, const names *files)
{
    status st = OK;
    int64_t bad[N_BAD] = {0}, sum[N_BAD];
    TRY_ALL(s->comm, verify_some(s, files, bad));
    MPI_Allreduce(bad, sum, N_BAD, MPI_INT64_T, MPI_SUM, s->comm);
    if (sum[DAMAGED] || sum[UNREAD])
        st = fail(E_FAILED, "of %zu files, %lld are damaged and %lld could not be read", files->n, (long long)sum[DAMAGED],
                  (long long)sum[UNREAD]);
    else if (sum[UNKNOWN])
        st = fail(E_FAILED, "of %zu files, no digest is recorded of %lld", files->n, (long long)sum[UNKNOWN]);
done:
    return st;
}
