/* allreduce.c -- sums over ranks: the gradient in buckets behind the backward pass, batch norm's statistics at once. */
#include "train.h"

#include "micon/base/clock.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKET = ALLREDUCE_MESSAGE };

struct allreduce {
    MPI_Comm comm;
    nn_params *p;
    const shared_params *shared;
    int size;
    bool messages; /* the gradient goes in messages */
    size_t n_buckets;
    size_t *left; /* values of each bucket whose gradient is not complete */
    MPI_Request *request;
    double wait_s, finish_s, from_s, end_s;
    int64_t bytes;
};

static size_t bucket_size(const allreduce *s, size_t b)
{
    size_t end = (b + 1) * BUCKET;
    return (end < s->p->n_trained ? end : s->p->n_trained) - b * BUCKET;
}

allreduce *allreduce_create_all(MPI_Comm comm, nn_params *p, const shared_params *shared)
{
    allreduce *s = xcalloc(1, sizeof *s);
    *s = (allreduce){.p = p, .shared = shared, .size = comm_size(comm), .n_buckets = (p->n_trained + BUCKET - 1) / BUCKET};
    s->comm = comm_by_node_all(comm); /* of its own: keeps its messages apart from others */
    s->messages = s->size > 1 && !shared_params_sum(shared);
    s->left = xcalloc(s->n_buckets, sizeof *s->left);
    s->request = xcalloc(s->n_buckets, sizeof *s->request);
    for (size_t b = 0; b < s->n_buckets; b++) s->request[b] = MPI_REQUEST_NULL;
    return s;
}

void allreduce_destroy(allreduce **ps)
{
    allreduce *s = *ps;
    if (!s) return;
    *ps = NULL;
    MPI_Comm_free(&s->comm);
    free(s->left);
    free(s->request);
    free(s);
}

void allreduce_begin(allreduce *s)
{
    for (size_t b = 0; b < s->n_buckets; b++) s->left[b] = bucket_size(s, b);
    s->wait_s = s->finish_s = s->from_s = s->end_s = 0;
    s->bytes = 0;
}

/* Buckets are started in the order in which the backward pass finishes them, which is the same on every rank. */
static void start_bucket(allreduce *s, size_t b)
{
    size_t n = bucket_size(s, b);
    float *grad = s->p->grad + b * BUCKET;
    if (!s->messages) return;
    if (s->from_s == 0) s->from_s = clock_s();
    comm_sum_start_all(s->comm, grad, n, &s->request[b]);
    s->bytes += (int64_t)n * 4;
}

void allreduce_ready(void *ctx, size_t first, size_t n)
{
    allreduce *s = ctx;
    int done;
    for (size_t at = first; at < first + n;) {
        size_t b = at / BUCKET, end = (b + 1) * BUCKET < first + n ? (b + 1) * BUCKET : first + n;
        s->left[b] -= end - at;
        if (s->left[b] == 0) start_bucket(s, b);
        at = end;
    }
    if (s->messages) MPI_Testall((int)s->n_buckets, s->request, &done, MPI_STATUSES_IGNORE); /* lets MPI make progress */
}

/* Nobody writes to a gradient before all ranks have come to the norm of the sum. */
static void sum_share_all(allreduce *s)
{
    shared_params_wait_all(s->shared);
    grad_sum(s->p, s->shared->mine, s->shared->grad, s->size);
    s->bytes += (int64_t)s->shared->mine.n * (s->size - 1) * 4;
}

void allreduce_finish_all(allreduce *s)
{
    double from = clock_s();
    if (s->size == 1) return;
    if (s->messages) {
        for (size_t b = 0; b < s->n_buckets; b++)
            if (s->left[b] > 0) start_bucket(s, b); /* tensors that no backward pass reported */
        MPI_Waitall((int)s->n_buckets, s->request, MPI_STATUSES_IGNORE);
    } else
        sum_share_all(s);
    s->end_s = clock_s();
    s->finish_s = s->end_s - from;
    s->wait_s += s->finish_s;
}

void allreduce_norm(void *ctx, double *v, size_t n)
{
    allreduce *s = ctx;
    double from = clock_s();
    if (s->size == 1) return;
    MPI_Allreduce(MPI_IN_PLACE, v, (int)n, MPI_DOUBLE, MPI_SUM, s->comm);
    s->bytes += (int64_t)n * 8;
    s->wait_s += clock_s() - from;
}

double allreduce_seconds(const allreduce *s)
{
    return s->wait_s;
}

double allreduce_finish_seconds(const allreduce *s)
{
    return s->finish_s;
}

double allreduce_flight_seconds(const allreduce *s)
{
    return s->end_s > s->from_s && s->from_s > 0 ? s->end_s - s->from_s : 0;
}

int64_t allreduce_bytes(const allreduce *s)
{
    return s->bytes;
}
