/* main.c -- micon-store: what is done with finished files. verify: read every byte again and compare with the digest in the file. */
#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/mpi/comm.h"
#include "micon/stage/stage.h"
#include "micon/store/store.h"

#include <stdio.h>
#include <string.h>

enum { DAMAGED, UNREAD, N_BAD };

/* Ranks share the files; each says what it found, in one line a file. Local. */
static status verify_some(const stage *s, int64_t bad[N_BAD])
{
    char shown[300], d[DIGEST_TEXT];
    for (size_t i = 1 + (size_t)s->rank; i < s->arguments.n; i += (size_t)s->size) {
        uint64_t digest = 0;
        text_show(shown, sizeof shown, s->arguments.item[i]);
        status st = store_verify(s->arguments.item[i], &digest);
        if (st == OK) {
            printf("ok       %s  %s\n", digest_show(digest, d), shown);
            continue;
        }
        printf("%s  %s\n", st == E_IO ? "unread " : "damaged", msg_get());
        msg_clear();
        bad[st == E_IO ? UNREAD : DAMAGED]++;
    }
    return fflush(stdout) == 0 ? OK : fail(E_IO, "standard output cannot be written");
}

static status verify_all(stage *s)
{
    status st = OK;
    int64_t bad[N_BAD] = {0}, sum[N_BAD];
    if (s->arguments.n < 2) TRY(fail(E_USAGE, "verify which files? micon-store verify FILE..."));
    TRY_ALL(s->comm, verify_some(s, bad));
    MPI_Allreduce(bad, sum, N_BAD, MPI_INT64_T, MPI_SUM, s->comm);
    if (sum[DAMAGED] || sum[UNREAD])
        st = fail(E_FAILED, "of %zu files, %lld are damaged and %lld could not be read", s->arguments.n - 1, (long long)sum[DAMAGED],
                  (long long)sum[UNREAD]);
done:
    return st;
}

static status run_all(stage *s)
{
    static const char *const known[] = {"verify"};
    char shown[100];
    if (!s->arguments.n) return fail(E_USAGE, "what is to be done? micon-store verify FILE...");
    const char *what = s->arguments.item[0], *near = names_nearest(what, known, 1);
    if (strcmp(what, "verify") == 0) return verify_all(s);
    text_show(shown, sizeof shown, what);
    return fail(E_USAGE, "'%s' is nothing micon-store does%s%s; --help lists it", shown, near ? "; did you mean " : "", near ? near : "");
}

int main(int argc, char **argv)
{
    static const stage_def def = {.name = "store",
                                  .summary = "finished files: verify reads every byte again and compares with the digest in the file",
                                  .arguments = "verify FILE...",
                                  .run_all = run_all};
    return stage_main(argc, argv, &def);
}
