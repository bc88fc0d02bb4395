/* verify.c -- micon-store verify: every byte of finished files against the digest that each holds. */
#include "store_commands.h"

#include "micon/base/digest.h"
#include "micon/mpi/comm.h"
#include "micon/store/foreign.h"

#include <stdio.h>

enum { DAMAGED, UNREAD, N_BAD };

/* Ranks share the files; each says what it found, in one line a file. Local. */
static status verify_some(const stage *s, const names *files, int64_t bad[N_BAD])
{
    char shown[300], message[1200], d[DIGEST_TEXT];
    for (size_t i = (size_t)s->rank; i < files->n; i += (size_t)s->size) {
        uint64_t digest = 0;
        text_show(shown, sizeof shown, files->item[i]);
        status st = foreign_verify(s->keep, files->item[i], &digest);
        if (st == OK) {
            printf("ok       %s  %s\n", digest_show(digest, d), shown);
            continue;
        }
        printf("%s  %s\n", st == E_IO ? "unread " : "damaged", text_show(message, sizeof message, msg_get()));
        msg_clear();
        bad[st == E_IO ? UNREAD : DAMAGED]++;
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
done:
    return st;
}
