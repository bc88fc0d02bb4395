/* shared_nets.c -- which way of each convolution is the fastest is measured once for a screen and kind of CPU, by rank 0, and kept as a
 * small text file: the same ways give the same bits. */
#include "micon/stage/shared_nets.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/config.h"
#include "micon/config/file_formats.h"
#include "micon/mpi/comm.h"
#include "micon/nn/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 1 << 20 };

/* A last line of the same form: a convolution that no network has. */
static const digest_end end_line = {"check\t", "\t0\n"};

/* FOLDER/DIGEST.txt, by the kind of CPU. Not by the number of threads, though another way may then be a little faster: 1 rank of two
 * threads and 2 ranks of one must give the same bytes. */
static char *file_of(const char *folder)
{
    char line[4096], digest[DIGEST_TEXT];
    uint64_t d = digest_text(dnn_version());
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "model name", 10) == 0 || strncmp(line, "flags", 5) == 0) d = digest_mix(d, digest_text(line));
        if (line[0] == '\n') break; /* the first CPU */
    }
    if (f) fclose(f);
    char *name = xasprintf("%s.txt", digest_show(d, digest)), *path = path_join(folder, name);
    free(name);
    return path;
}

/* The lines without the last one; *digest is 0 where there was none of that form. */
static status read_lines(const char *file, char **lines, uint64_t *digest)
{
    status st = OK;
    size_t size;
    TRY(path_read(file, lines, &size, MAX_FILE));
    TRY(fail_within(digest_end_check(*lines, size, &end_line, digest), "%s", file));
    if (*digest) (*lines)[size - strlen(end_line.before) - strlen(end_line.after) - (DIGEST_TEXT - 1)] = '\0';
done:
    return st;
}

status shared_nets_check(const char *file, uint64_t *digest)
{
    char *lines = NULL;
    status st = read_lines(file, &lines, digest);
    free(lines);
    return st;
}

/* Adds what `c` lacks and the file has. */
static void recall(conv_choices *c, const char *file)
{
    char *lines = NULL;
    uint64_t digest;
    if (path_exists(file) && (read_lines(file, &lines, &digest) != OK || conv_choices_read(c, lines, file) != OK)) {
        log_warn("%s; autotuning repeated", msg_get());
        msg_clear();
    }
    free(lines);
}

/* Choices from number `from` on were measured now. Those that another job has kept meanwhile take their place: true if any is another. */
static bool follow(conv_choices *c, size_t from, const conv_choices *kept)
{
    bool changed = false;
    for (size_t i = from; i < c->key.n; i++) {
        long at = names_find(&kept->key, c->key.item[i]);
        if (at < 0 || strcmp(kept->how.item[at], c->how.item[i]) == 0) continue;
        free(c->how.item[i]);
        c->how.item[i] = xstrdup(kept->how.item[at]);
        changed = true;
    }
    return changed;
}

static status keep(conv_choices *kept, const text *mine, const char *folder, const char *file)
{
    status st = OK;
    text all = {0};
    TRY(conv_choices_read(kept, text_str(mine), "choices of this run"));
    conv_choices_write(kept, &all);
    digest_end_add(&all, &end_line);
    TRY(path_make_dirs(folder));
    TRY(path_write(file, text_str(&all), all.n));
done:
    text_free(&all);
    return st;
}

/* Rank 0's net. */
static status create_first(resnet **net, dnn *dn, const resnet_config *c, nn_params *p, conv_choices *choices, const char *folder)
{
    status st = OK;
    conv_choices kept = {0};
    text mine = {0};
    if (choices->by_rule) return resnet_create(net, dn, c, p, MODEL_PREFIX, choices);
    char *file = file_of(folder);
    recall(choices, file);
    size_t known = choices->key.n;
    int measured = choices->measured;
    TRY(resnet_create(net, dn, c, p, MODEL_PREFIX, choices));
    if (choices->measured == measured) goto done;
    recall(&kept, file);
    if (follow(choices, known, &kept)) {
        resnet_destroy(net);
        TRY(resnet_create(net, dn, c, p, MODEL_PREFIX, choices));
    }
    conv_choices_write(choices, &mine);
    log_info("measured %d convolutions; what was the fastest is kept in %s", choices->measured - measured, file);
    if (keep(&kept, &mine, folder, file) != OK) {
        log_warn("%s; another run may compute in another way", msg_get());
        msg_clear();
    }
done:
    conv_choices_free(&kept);
    text_free(&mine);
    free(file);
    return st;
}

char *shared_nets_folder(const config *c)
{
    return c->train.deterministic ? NULL : config_work(c, WORK_CHOICES);
}

nn_type shared_nets_type_all(MPI_Comm comm, int precision)
{
    int bf16 = precision == PRECISION_BF16 || (precision == PRECISION_AUTO && dnn_bf16());
    MPI_Allreduce(MPI_IN_PLACE, &bf16, 1, MPI_INT, MPI_MIN, comm); /* nodes may be of different kinds */
    return bf16 ? NN_BF16 : NN_F32;
}

status shared_nets_create_all(MPI_Comm comm, resnet **net, dnn *dn, const resnet_config *wanted, nn_params *p, conv_choices *choices,
                              const char *folder)
{
    status st = OK;
    resnet_config one = *wanted, *c = &one;
    c->n_most = (int)comm_max_i64_all(comm, c->n); /* a rank with fewer pictures makes the same choices */
    text lines = {0};
    char *data = NULL;
    size_t size = 0;
    bool root = comm_rank(comm) == 0;
    choices->by_rule = !folder;
    if (root) {
        st = create_first(net, dn, c, p, choices, folder);
        conv_choices_write(choices, &lines);
        data = lines.s;
        size = lines.n;
    }
    TRY_ALL(comm, st);
    TRY(comm_bcast_all(comm, 0, &data, &size));
    if (!root) {
        conv_choices_free(choices);
        st = conv_choices_read(choices, data, "choices of rank 0");
        free(data);
        choices->by_rule = !folder;
        if (st == OK) st = resnet_create(net, dn, c, p, MODEL_PREFIX, choices);
    }
    TRY_ALL(comm, st);
done:
    text_free(&lines);
    return st;
}
