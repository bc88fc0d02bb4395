/* m_shared_nets.c -- run: n=1,2 limit=120 nosan : choices that runs of a screen share: kept, found again, and those of another job followed
 * where it kept its own while this one measured. nets.c is taken in as it is, with a place between measuring and keeping at which the
 * test is that other job. */
#include "../tap_mpi.h"
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/nn/model.h"
#include "micon/nn/resnet.h"

#include <stdio.h>
#include <stdlib.h>

static status create_and_meanwhile(resnet **net, dnn *d, const resnet_config *c, nn_params *p, const char *prefix, conv_choices *choices);
#define resnet_create create_and_meanwhile
#include "../../common/stage/shared_nets.c"
#undef resnet_create

enum { PICTURES = 2, SIZE = 32, OUT = 8 };

static dnn *primitives;
static nn_params params;
static const resnet_config shape = {.depth = 18, .n = PICTURES, .size = SIZE, .out = OUT};

static int created;           /* nets, by nets.c, on this rank */
static const char *meanwhile; /* what the other job keeps once, */
static const char *there;     /* and where */

static status create_and_meanwhile(resnet **net, dnn *d, const resnet_config *c, nn_params *p, const char *prefix, conv_choices *choices)
{
    status st = resnet_create(net, d, c, p, prefix, choices);
    created++;
    if (st == OK && meanwhile) st = path_write(there, meanwhile, strlen(meanwhile));
    meanwhile = NULL;
    return st;
}

/* Another way than the chosen one to do what a key says; NULL: there is none. Caller frees. */
static char *another_way(const char *key, const char *chosen)
{
    conv_spec s = {
        .direction = CONV_FORWARD, .type = NN_F32, .bias = strstr(key, " bias"), .relu = strstr(key, " relu"), .sum = strstr(key, " sum")};
    char layout[8];
    names list = {0};
    char *found = NULL;
    if (sscanf(key, "forward fp32 %7s n%d %d->%d %dx%d k%d s%d p%d", layout, &s.n, &s.ci, &s.co, &s.h, &s.w, &s.k, &s.stride, &s.pad) != 9)
        return NULL;
    s.layout = strcmp(layout, "nhwc") == 0 ? NN_NHWC : NN_C16;
    if (conv_list(primitives, &s, &list) != OK) msg_clear();
    for (size_t i = 0; i < list.n && !found; i++)
        if (strcmp(list.item[i], chosen) != 0) found = xstrdup(list.item[i]);
    names_free(&list);
    return found;
}

/* How a net does each convolution, from the table that it prints of itself; and what it makes of the pictures. */
static status ask(resnet *net, text *ways, float *features)
{
    status st = OK;
    float pictures[PICTURES * SIZE * SIZE];
    text table = {0};
    for (int i = 0; i < PICTURES * SIZE * SIZE; i++) pictures[i] = (float)sin(0.37 * i);
    TRY(resnet_forward(net, pictures, features));
    resnet_profile(net, 0, &table);
    for (char *line = strtok(table.s, "\n"); line; line = strtok(NULL, "\n")) {
        const char *way = strrchr(line, '%'); /* the last column */
        if (way) text_addf(ways, "%s\n", way);
    }
done:
    text_free(&table);
    return st;
}

/* The same as what a net is that was told all of `lines` at once. */
static status is_told(resnet *net, const char *lines, bool *same)
{
    status st = OK;
    conv_choices told = {0};
    resnet *other = NULL;
    text a = {0}, b = {0};
    float x[PICTURES * OUT], y[PICTURES * OUT];
    TRY(conv_choices_read(&told, lines, "the test"));
    TRY(resnet_create(&other, primitives, &shape, &params, MODEL_PREFIX, &told));
    TRY(ask(net, &a, x));
    TRY(ask(other, &b, y));
    *same = told.measured == 0 && a.n > 0 && strcmp(text_str(&a), text_str(&b)) == 0 && memcmp(x, y, sizeof x) == 0;
done:
    resnet_destroy(&other);
    conv_choices_free(&told);
    text_free(&a);
    text_free(&b);
    return st;
}

/* One job: choices -> their lines (caller frees); told: its net does what they say. */
static status job_all(conv_choices *c, const char *folder, text *lines, bool *told)
{
    status st = OK;
    resnet *net = NULL;
    created = 0;
    *told = false;
    TRY(shared_nets_create_all(MPI_COMM_WORLD, &net, primitives, &shape, &params, c, folder));
    conv_choices_write(c, lines);
    TRY_ALL(MPI_COMM_WORLD, is_told(net, text_str(lines), told));
done:
    resnet_destroy(&net);
    return st;
}

/* Ranks with unequal shares: those with fewer pictures measure nothing and do what rank 0 found. */
static status unequal_all(const char *folder)
{
    status st = OK;
    resnet *net = NULL;
    conv_choices c = {0};
    text lines = {0};
    resnet_config mine = shape;
    int rank = comm_rank(MPI_COMM_WORLD);
    if (rank > 0) mine.n = PICTURES - 1;
    TRY(shared_nets_create_all(MPI_COMM_WORLD, &net, primitives, &mine, &params, &c, folder));
    conv_choices_write(&c, &lines);
    uint64_t seen = digest_text(text_str(&lines));
    MPI_Bcast(&seen, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    ok_all(rank == 0 ? c.measured > 0 : c.measured == 0, "ranks with fewer pictures measure nothing for themselves");
    ok_all(c.key.n > 0 && seen == digest_text(text_str(&lines)), "and make rank 0's choices");
done:
    resnet_destroy(&net);
    conv_choices_free(&c);
    text_free(&lines);
    return st;
}

/* These lines, and a last one with their digest. */
static bool file_is(const char *file, const char *lines)
{
    char *data = NULL;
    size_t n, m = strlen(lines);
    uint64_t digest = 0;
    bool is = path_read(file, &data, &n, MAX_FILE) == OK && strncmp(data, lines, m) == 0 && strncmp(data + m, "check\t", 6) == 0 &&
              strchr(data + m, '\n') == data + n - 1 && shared_nets_check(file, &digest) == OK && digest != 0;
    msg_clear();
    free(data);
    return is;
}

/* Are the ways of c those of `others`, but for that of `but`, which is `way`? */
static bool follows(const conv_choices *c, const conv_choices *others, const char *but, const char *way)
{
    size_t n = 0;
    for (size_t i = 0; i < c->key.n; i++) {
        long at = names_find(&others->key, c->key.item[i]);
        bool mine = but && strcmp(c->key.item[i], but) == 0;
        n += at >= 0 && !mine;
        if (strcmp(c->how.item[i], mine ? way : at >= 0 ? others->how.item[at] : c->how.item[i]) != 0) return false;
    }
    return n == others->key.n - (but != NULL);
}

static status test_all(const char *dir)
{
    status st = OK;
    int rank = comm_rank(MPI_COMM_WORLD);
    conv_choices first = {0}, again = {0}, late = {0}, early = {0}, others = {0};
    text of_first = {0}, of_again = {0}, of_late = {0}, of_early = {0}, kept = {0};
    char *shared = path_join(dir, "shared"), *raced = path_join(dir, "raced"), *known = path_join(dir, "known"),
         *alone = path_join(dir, "alone");
    char *in_shared = file_of(shared), *in_raced = file_of(raced), *in_known = file_of(known), *before = NULL;
    size_t size = 0;
    bool told;
    TRY_ALL(MPI_COMM_WORLD, rank == 0 ? path_make_dirs(raced) : OK);
    TRY_ALL(MPI_COMM_WORLD, rank == 0 ? path_make_dirs(known) : OK);

    TRY(job_all(&first, shared, &of_first, &told));
    ok_all(told && created == 1 && (rank > 0 || (first.measured > 0 && file_is(in_shared, text_str(&of_first)))),
           "the first job measures, keeps it, and makes one net");
    TRY(job_all(&again, shared, &of_again, &told));
    ok_all(told && created == 1 && again.measured == 0 && strcmp(text_str(&of_again), text_str(&of_first)) == 0,
           "the next one measures nothing and does the same");

    /* Rank 0's say: another job measured other ways of all but one convolution. */
    size_t left_out = first.key.n;
    for (size_t i = 0; rank == 0 && i < first.key.n; i++) {
        char *way = another_way(first.key.item[i], first.how.item[i]);
        if (way && left_out == first.key.n)
            left_out = i;
        else if (way)
            text_addf(&kept, "%s\t%s\t1.0\n", first.key.item[i], way);
        free(way);
    }
    char *data = kept.s;
    if (rank == 0) size = kept.n;
    TRY(comm_bcast_all(MPI_COMM_WORLD, 0, &data, &size));
    st = conv_choices_read(&others, size ? data : "", "the test");
    if (rank > 0) free(data);
    TRY_ALL(MPI_COMM_WORLD, st);
    if (!ok_all(others.key.n >= 2, "there are convolutions with two ways to do them")) goto done;

    meanwhile = rank == 0 ? text_str(&kept) : NULL;
    there = in_raced;
    TRY(job_all(&late, raced, &of_late, &told));
    ok_all(follows(&late, &others, NULL, NULL), "a job that measured later takes the ways that were kept meanwhile");
    ok_all(told, "its net does them");
    ok_all(created == (rank == 0 ? 2 : 1), "rank 0 made it anew");
    if (rank == 0) TRY(path_read(in_raced, &before, &size, MAX_FILE));
    ok_all(rank > 0 || (strncmp(before, text_str(&kept), kept.n) == 0 && size > kept.n), "the file has their lines, and what they lacked");

    /* What a job knew beforehand (a checkpoint's) stays, though another kept something else. */
    char *line = xasprintf("%s\t%s\t2.0\n", others.key.item[0], first.how.item[names_find(&first.key, others.key.item[0])]);
    st = conv_choices_read(&early, line, "the test");
    free(line);
    TRY_ALL(MPI_COMM_WORLD, st);
    char *way = xstrdup(early.how.item[0]);
    meanwhile = rank == 0 ? text_str(&kept) : NULL;
    there = in_known;
    TRY(job_all(&early, known, &of_early, &told));
    ok_all(told && follows(&early, &others, others.key.item[0], way), "what it knew beforehand it keeps to");
    free(way);
    TRY(unequal_all(alone));
done:
    free(alone);
    free(shared), free(raced), free(known), free(in_shared), free(in_raced), free(in_known), free(before);
    text_free(&of_first), text_free(&of_again), text_free(&of_late), text_free(&of_early), text_free(&kept);
    conv_choices_free(&first), conv_choices_free(&again), conv_choices_free(&late), conv_choices_free(&early), conv_choices_free(&others);
    return st;
}

int main(int argc, char **argv)
{
    status st = OK;
    MPI_Init(&argc, &argv);
    kernels_set_threads(1);
    TRY(dnn_create(&primitives));
    TRY(resnet_register(&params, MODEL_PREFIX, shape.depth, shape.out, FREEZE_NONE));
    TRY(params_allocate(&params, false));
    resnet_init(&params, MODEL_PREFIX, 1);
    TRY(test_all(tap_dir_all()));
done:
    if (st != OK) printf("# %s\n", msg_get());
    ok_all(st == OK, "the test ran to its end");
    params_free(&params);
    dnn_destroy(&primitives);
    int rc = tap_done_all();
    MPI_Finalize();
    return rc;
}
