/* plan_scale.c -- micon plan --nodes: how long each stage takes on many nodes, how well it uses their cores, and what limits it.
 * docs/cluster.md, "How many nodes", has the formulas; tests/unit/t_plan_scale.c simulates them message by message. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/nn/method.h"
#include "micon/nn/params.h"
#include "micon/nn/resnet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where micon plan --calibrate --network was not run: between ranks of a node, through memory, and between nodes. */
static const network_rates assumed = {.local_hop_s = 2e-6, .local_byte_s = 1 / 4e9, .net_hop_s = 20e-6, .net_byte_s = 8 / 10e9};
static const double MESSAGE_VALUES = 1 << 20; /* of the gradient: a message of training (stages/train/allreduce.c) */
static const double GOOD = 0.9;               /* at this efficiency the limit is "compute" */

/* ---- a step of training ---- */

static double rounds(int64_t n)
{
    return n > 1 ? ceil(log2((double)n)) : 0;
}

/* Of a message, what each of n leaves to the others when it is divided among them. */
static double away(int64_t n)
{
    return 1 - 1 / (double)n;
}

/* Where the number of ranks is no power of two, some have their sums made by a neighbour: what the neighbour's link, or memory, carries. */
static double folded_s(const scale_step *s, double hop_s, double byte_s)
{
    int64_t n = s->nodes * s->ranks;
    return (n & (n - 1)) == 0 ? 0 : 3 * hop_s + 2 * s->message_bytes * byte_s;
}

/* The busiest link's, or the busiest memory's, time for a message. */
static double message_full_s(const scale_step *s)
{
    double fold = s->ranks == 1 ? folded_s(s, 0, s->net_byte_s) : 0;
    return fold + 2 * s->message_bytes * fmax(away(s->nodes) * s->net_byte_s, away(s->ranks) * s->local_byte_s);
}

/* One message: its halves, quarters ... are exchanged, first within the node, and back. */
static double message_s(const scale_step *s)
{
    double hops = rounds(s->ranks) * s->local_hop_s + rounds(s->nodes) * s->net_hop_s,
           bytes = away(s->ranks) * s->local_byte_s + away(s->nodes) * s->net_byte_s;
    double fold = s->ranks == 1 ? folded_s(s, s->net_hop_s, s->net_byte_s) : folded_s(s, s->local_hop_s, s->local_byte_s);
    return fold + 2 * (hops + s->message_bytes * bytes);
}

double scale_norm_s(const scale_step *s)
{
    return (double)s->norms * (rounds(s->nodes) * s->net_hop_s + rounds(s->ranks) * s->local_hop_s);
}

double scale_step_s(const scale_step *s)
{
    double norm = scale_norm_s(s), backward = s->backward_s + norm / 2, n = (double)s->messages;
    double idle_link = backward + s->exposed * (n - 1) * message_full_s(s) + message_s(s),
           full_link = backward / n + (n - 1) * message_full_s(s) + message_s(s);
    return s->forward_s + norm / 2 + fmax(idle_link, full_link);
}

static double mlp_values(double in, double hidden, double out)
{
    return hidden * (in + 1) + out * (hidden + 1);
}

static const int depth_of[] = {[ENCODER_RESNET18] = 18, [ENCODER_RESNET34] = 34, [ENCODER_RESNET50] = 50, [ENCODER_RESNET101] = 101};

/* Values of the gradient: as common/nn/model.c builds the model, without the few of train.aux. */
static double gradient_values(const config *c)
{
    const train_options *o = &c->train;
    const method_info *method = &method_table[o->method];
    double dim = (double)o->dim, bits = (double)c->featurize.bits, n = 0;
    nn_params p = {0};
    if (resnet_register(&p, "encoder", depth_of[o->encoder], (int)(o->dim / (int64_t)c->screen.channels.n), o->freeze) == OK)
        n = (double)p.n_trained;
    msg_clear();
    params_free(&p);
    if (method->projector) n += mlp_values(dim, dim, (double)o->projection);
    if (method->compounds) n += mlp_values(bits, bits, dim);
    if (method->generator) n += mlp_values(2 * dim, 2 * dim, dim);
    return n;
}

/* What was measured, or given by --link, else what is assumed. */
static network_rates rates_of(const scale_cluster *k)
{
    network_rates n = k->network;
    if (n.local_hop_s <= 0 || n.local_byte_s <= 0) n.local_hop_s = assumed.local_hop_s, n.local_byte_s = assumed.local_byte_s;
    if (n.net_hop_s <= 0 || n.net_byte_s <= 0) n.net_hop_s = assumed.net_hop_s, n.net_byte_s = assumed.net_byte_s;
    if (k->link_gbit > 0) n.net_byte_s = 8 / (k->link_gbit * 1e9);
    return n;
}

void scale_step_of(scale_step *s, const config *c, double core_s, const scale_cluster *k)
{
    static const int norm_layers[] = {[ENCODER_RESNET18] = 20, [ENCODER_RESNET34] = 36, [ENCODER_RESNET50] = 53, [ENCODER_RESNET101] = 104};
    const train_options *o = &c->train;
    double batch = (double)o->batch, rows = ceil(batch / (double)(k->nodes * k->train_ranks));
    double rank_s = core_s * rows / batch * (double)k->train_ranks / (double)k->ranks; /* its threads share the node's cores */
    network_rates network = rates_of(k);
    double values = gradient_values(c), messages = fmax(1, ceil(values / MESSAGE_VALUES));
    *s = (scale_step){.nodes = k->nodes,
                      .ranks = k->train_ranks,
                      .forward_s = rank_s / 3,
                      .backward_s = rank_s * 2 / 3,
                      .messages = (int64_t)messages,
                      .message_bytes = values / messages * sizeof(float),
                      .norms = o->norm == NORM_SYNC ? 2 * norm_layers[o->encoder] : 0,
                      .local_hop_s = network.local_hop_s,
                      .local_byte_s = network.local_byte_s,
                      .net_hop_s = network.net_hop_s,
                      .net_byte_s = network.net_byte_s,
                      .exposed = k->nodes > 1 ? network.net_exposed : network.local_exposed};
}

/* ---- stages ---- */

typedef struct {
    double core_s, start_s; /* of all steps */
    double longest_s;       /* of the node that finishes last */
    double reads;
    int64_t n;
    const step *last;
} work;

/* Plates in their order, each to the node that is free first. */
static void add_plates(const plan *p, int stage, int64_t nodes, work *w)
{
    size_t lanes = (size_t)nodes < p->screen.n ? (size_t)nodes : p->screen.n;
    double *busy = xcalloc(lanes + 1, sizeof *busy), start_s = p->rates.start_s[stage];
    for (size_t i = 0; i < p->n; i++) {
        const step *s = &p->step[i];
        size_t free_first = 0;
        if (s->stage != stage || !step_wants_run(s)) continue;
        w->n++;
        w->last = s;
        w->core_s += (s->seconds - start_s) * (double)p->ranks;
        w->start_s += start_s;
        w->reads += s->reads;
        for (size_t k = 1; k < lanes; k++)
            if (busy[k] < busy[free_first]) free_first = k;
        busy[free_first] += s->seconds;
        if (busy[free_first] > w->longest_s) w->longest_s = busy[free_first];
    }
    free(busy);
}

static const char *plates_limit(const work *w, const scale_cluster *k, double seconds)
{
    double cores = (double)(k->nodes * k->ranks), lost_start = w->start_s * (double)k->ranks, lost_all = seconds * cores - w->core_s;
    if (w->core_s >= GOOD * seconds * cores) return "compute";
    if (seconds > w->longest_s) return "storage";
    return lost_start > lost_all / 2 ? "starts of programs" : "nodes without a plate at the end";
}

static void scale_training(const plan *p, const config *c, const work *w, const scale_cluster *k, scale_row *row)
{
    double steps = (double)c->train.steps, core_s = w->core_s / steps, cores = (double)(k->nodes * k->ranks);
    scale_step s;
    scale_step_of(&s, c, core_s, k);
    double step_s = scale_step_s(&s), rank_s = s.forward_s + s.backward_s, norm = scale_norm_s(&s), gradient = step_s - rank_s - norm;
    row->seconds = p->rates.start_s[w->last->stage] + steps * step_s;
    row->efficiency = w->core_s / (row->seconds * cores);
    double uneven = rank_s - core_s / cores, start = p->rates.start_s[w->last->stage] / steps;
    row->limit = c->train.batch < s.nodes * s.ranks ? "train.batch: it has fewer items than there are ranks, and would be refused"
                 : row->efficiency >= GOOD          ? "compute"
                 : gradient >= fmax(norm, fmax(uneven, start)) ? "sums of gradients"
                 : uneven >= fmax(norm, start)                 ? "too few items of train.batch for so many ranks"
                 : norm >= start                               ? "sums of batch norm"
                                                               : "starts of programs";
}

bool scale_stage(const plan *p, const config *c, int stage, const scale_cluster *k, scale_row *row)
{
    work w = {0};
    add_plates(p, stage, k->nodes, &w);
    *row = (scale_row){.seconds = w.longest_s};
    if (w.n == 0) return false;
    if (stage_table[stage].trains) {
        scale_training(p, c, &w, k, row);
        return true;
    }
    row->seconds = fmax(w.longest_s, w.reads / k->storage);
    row->efficiency = w.core_s / (row->seconds * (double)(k->nodes * k->ranks));
    row->limit = stage_table[stage].per_plate ? plates_limit(&w, k, row->seconds) : k->nodes > 1 ? "one step, on one node" : "compute";
    return true;
}

/* Where the constants of the sums come from. */
static void print_network(const scale_cluster *k, const network_rates *n, text *out)
{
    bool net = k->network.net_hop_s > 0 && k->network.net_byte_s > 0, local = k->network.local_hop_s > 0 && k->network.local_byte_s > 0;
    text_addf(out, "Sums of training: %.3g us a round (%s) and %.3g Gbit/s (%s) between nodes, %.3g us and %.3g Gbit/s (%s) within one",
              1e6 * n->net_hop_s, net ? "measured" : "assumed", 8e-9 / n->net_byte_s,
              k->link_gbit > 0 ? "--link"
              : net            ? "measured"
                               : "assumed",
              1e6 * n->local_hop_s, 8e-9 / n->local_byte_s, local ? "measured" : "assumed");
    text_add(out, net && local ? ".\n" : ";\nin a job of two nodes micon plan --calibrate --network measures them.\n");
}

double scale_print(const plan *p, const config *c, const scale_cluster *k, text *out)
{
    double total = 0;
    scale_row row;
    char time[32];
    bool trains = false;
    network_rates network = rates_of(k);
    text_addf(out, "\nOn %lld node%s of %lld core%s, %lld rank%s on each for training, links of %.3g Gbit/s:\n%-10s %11s %11s  %s\n",
              (long long)k->nodes, k->nodes == 1 ? "" : "s", (long long)k->ranks, k->ranks == 1 ? "" : "s", (long long)k->train_ranks,
              k->train_ranks == 1 ? "" : "s", 8e-9 / network.net_byte_s, "STAGE", "TIME", "EFFICIENCY", "LIMITED BY");
    for (int stage = 0; stage < n_stages; stage++) {
        if (!scale_stage(p, c, stage, k, &row)) continue;
        total += row.seconds;
        trains |= stage_table[stage].trains;
        text_addf(out, "%-10s %11s %9.0f %%  %s\n", stage_table[stage].name, num_show_time(time, sizeof time, row.seconds),
                  100 * row.efficiency, row.limit);
    }
    if (trains) print_network(k, &network, out);
    return total;
}
