/* network.c -- micon-train --network: how long sums over ranks take, for micon plan --nodes (docs/cluster.md, "How many nodes"). */
#include "train.h"

#include "micon/base/clock.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Sums of batch norm in a row; their values; messages of the gradient in flight; how often a rank looks after them, for each, while it
 * computes (resnet18 has three tensors for each message); tries, of which the median counts. */
enum { SMALL_SUMS = 200, SMALL_VALUES = 256, MESSAGES = 8, LOOKS = 3, TRIES = 7 };
static const double MOST_S = 4; /* for the tries of one measurement, after the first */

typedef struct {
    double small_s, messages_s; /* one small sum; MESSAGES sums of a message each, begun together */
    double behind_s;            /* the same behind twice as long a computation, beyond its time */
} sums;

static double small_sums_s(MPI_Comm comm, double *v)
{
    double from = clock_s();
    for (int i = 0; i < SMALL_SUMS; i++) MPI_Allreduce(MPI_IN_PLACE, v, SMALL_VALUES, MPI_DOUBLE, MPI_SUM, comm);
    return (clock_s() - from) / SMALL_SUMS;
}

static double messages_s(MPI_Comm comm, float *v)
{
    MPI_Request request[MESSAGES];
    double from = clock_s();
    for (size_t i = 0; i < MESSAGES; i++) comm_sum_start_all(comm, v + i * ALLREDUCE_MESSAGE, ALLREDUCE_MESSAGE, &request[i]);
    MPI_Waitall(MESSAGES, request, MPI_STATUSES_IGNORE);
    return clock_s() - from;
}

/* Computes for that long, of the processor's time. */
static void compute(double seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    double end = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec + seconds;
    do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    while ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec < end);
}

/* Messages as training sends them: most of the gradient, that of the heads and the last layers, is ready early; while the rank goes on
 * computing it looks after them, and batch norm's sums take their turn on the same connections. */
static double behind_s(MPI_Comm comm, MPI_Comm norm, float *v, double *small, double computing)
{
    MPI_Request request[MESSAGES];
    int done;
    double from = clock_s();
    for (size_t i = 0; i < MESSAGES; i++) comm_sum_start_all(comm, v + i * ALLREDUCE_MESSAGE, ALLREDUCE_MESSAGE, &request[i]);
    for (int k = 0; k < MESSAGES * LOOKS; k++) {
        MPI_Testall(MESSAGES, request, &done, MPI_STATUSES_IGNORE);
        compute(computing / (MESSAGES * LOOKS));
        if (k % LOOKS == 0) MPI_Allreduce(MPI_IN_PLACE, small, SMALL_VALUES, MPI_DOUBLE, MPI_SUM, norm);
    }
    MPI_Waitall(MESSAGES, request, MPI_STATUSES_IGNORE);
    return fmax(0, clock_s() - from - computing);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The same on each rank of comm: the slowest rank's time, median of the tries. The first try of each kind, which connects the ranks, does
 * not count. */
static sums measure_all(MPI_Comm comm)
{
    double tried[3][TRIES], *few = xcalloc(SMALL_VALUES, sizeof *few), from = 0;
    float *many = xcalloc((size_t)MESSAGES * ALLREDUCE_MESSAGE, sizeof *many);
    int n = 0;
    MPI_Comm norm;
    MPI_Comm_dup(comm, &norm);
    for (int i = -1, go_on = 1; i < TRIES && go_on; i++) {
        double s[3];
        MPI_Barrier(comm);
        s[0] = small_sums_s(comm, few);
        MPI_Barrier(comm);
        s[1] = messages_s(comm, many);
        MPI_Allreduce(MPI_IN_PLACE, s, 2, MPI_DOUBLE, MPI_MAX, comm);
        s[2] = behind_s(comm, norm, many, few, 2 * s[1]);
        MPI_Allreduce(MPI_IN_PLACE, &s[2], 1, MPI_DOUBLE, MPI_MAX, comm);
        if (i < 0) {
            from = clock_s();
            continue;
        }
        for (int k = 0; k < 3; k++) tried[k][n] = s[k];
        n++;
        go_on = clock_s() - from < MOST_S;
        MPI_Bcast(&go_on, 1, MPI_INT, 0, comm);
    }
    MPI_Comm_free(&norm);
    free(few);
    free(many);
    for (int k = 0; k < 3; k++) qsort(tried[k], (size_t)n, sizeof tried[k][0], by_value);
    return (sums){tried[0][n / 2], tried[1][n / 2], tried[2][n / 2]};
}

/* By these members alone, while the others wait; known to all. No members: zeros. */
static sums measure_some_all(MPI_Comm all, bool member)
{
    MPI_Comm some;
    sums s = {0};
    MPI_Comm_split(all, member ? 0 : MPI_UNDEFINED, comm_rank(all), &some);
    if (some != MPI_COMM_NULL) {
        MPI_Comm by_node = comm_by_node_all(some);
        s = measure_all(by_node);
        MPI_Comm_free(&by_node);
        MPI_Comm_free(&some);
    }
    double v[] = {s.small_s, s.messages_s, s.behind_s};
    MPI_Allreduce(MPI_IN_PLACE, v, 3, MPI_DOUBLE, MPI_MAX, all);
    return (sums){v[0], v[1], v[2]};
}

/* A round's start and its time a byte, from what two ranks need: the formula of message_s in pipeline/plan_scale.c with one round. */
static void add_rates(text *t, const char *where, const sums *s)
{
    double bytes = sizeof(float) * (double)ALLREDUCE_MESSAGE, byte_s = (s->messages_s - 2 * s->small_s) / (MESSAGES * bytes);
    byte_s = fmax(byte_s, 1e-13);
    double exposed = fmin(1, s->behind_s / s->messages_s);
    text_addf(t, ", \"%s_hop_s\": %.4g, \"%s_byte_s\": %.4g, \"%s_exposed\": %.4g", where, s->small_s, where, byte_s, where, exposed);
    log_info("%s: %.3g us a round, %.3g Gbit/s (%d messages of %.3g MB: %.3g ms, of which computation hides %.0f %%)",
             *where == 'n' ? "between nodes" : "within a node", 1e6 * s->small_s, 8e-9 / byte_s, MESSAGES, bytes / 1e6, 1e3 * s->messages_s,
             100 * (1 - exposed));
}

static status write_rates(const stage *g, int nodes, const sums *local, const sums *net, const sums *whole)
{
    text t = {0};
    char host[256] = "", *path = config_work(&g->cfg, STATUS_NETWORK), *dir = path_dir(path);
    gethostname(host, sizeof host - 1);
    text_addf(&t, "{\"format\": %d, \"host\": ", NETWORK_FORMAT);
    text_add_json(&t, host);
    text_addf(&t, ", \"nodes\": %d, \"ranks\": %d, \"messages\": %d, \"message_bytes\": %zu, \"messages_s\": %.4g", nodes, g->size,
              MESSAGES, sizeof(float) * ALLREDUCE_MESSAGE, whole->messages_s);
    if (local->messages_s > 0) add_rates(&t, "local", local);
    if (net->messages_s > 0) add_rates(&t, "net", net);
    text_add(&t, "}\n");
    status st = path_make_dirs(dir);
    if (st == OK) st = path_write(path, text_str(&t), t.n);
    text_free(&t);
    free(path);
    free(dir);
    return st;
}

status network_measure_all(stage *g)
{
    status st = OK;
    MPI_Comm node;
    if (g->size < 2) TRY(fail(E_USAGE, "--network measures sums between ranks, and this is one: start it with mpirun -n 2 or more"));
    MPI_Comm_split_type(g->comm, MPI_COMM_TYPE_SHARED, g->rank, MPI_INFO_NULL, &node);
    int within = comm_rank(node), size = comm_size(node), leader = within == 0, before = 0, nodes = leader, own = g->rank;
    MPI_Bcast(&own, 1, MPI_INT, 0, node); /* a node's number: the rank of its leader */
    MPI_Comm_free(&node);
    MPI_Allreduce(MPI_IN_PLACE, &nodes, 1, MPI_INT, MPI_SUM, g->comm);
    MPI_Exscan(&leader, &before, 1, MPI_INT, MPI_SUM, g->comm); /* leaders before this rank */
    if (g->rank == 0) before = 0;                               /* MPI leaves it undefined */
    int first = size > 1 ? own : g->size;                       /* the first node with two ranks */
    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, g->comm);
    sums local = measure_some_all(g->comm, own == first && size > 1 && within < 2);
    sums net = measure_some_all(g->comm, nodes > 1 && leader && before < 2);
    sums whole = measure_some_all(g->comm, true);
    log_info("%d ranks on %d node%s: a small sum %.3g us, %d messages %.3g ms", g->size, nodes, nodes == 1 ? "" : "s", 1e6 * whole.small_s,
             MESSAGES, 1e3 * whole.messages_s);
    TRY_ALL(g->comm, g->rank == 0 ? write_rates(g, nodes, &local, &net, &whole) : OK);
done:
    return st;
}
