/* run: limit=60
 * t_plan_scale.c -- micon plan --nodes: the formula for a step of training against a simulation, in which each part of each message of
 * the gradient goes by itself and waits for the links of both nodes; plates on nodes against cases by hand. */
#include "../../pipeline/driver.h"
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"

#include <stdlib.h>

/* ---- a step as a sequence of events ----
 * In round k of a message rank v and rank v ^ 2^k send each other 1 / 2^(k+1) of it; later rounds repeat these backwards. A rank
 * continues when its part has left and the other's has come. Ranks, of which there are 2^k, count from 0 in the order of nodes. A node's
 * link takes one part at a time in each direction; so does a rank's memory. */
typedef struct {
    double at;
    int rank, message, round;
    bool comes; /* to rank; else rank begins to send */
} event;

typedef struct {
    const scale_step *s;
    int size, halves; /* 2^halves ranks */
    event *heap;
    size_t n, cap;
    int *round;          /* [message, rank]: which it is in */
    double *left, *came; /* [message, rank, round]: when its part has left, when the other's came; < 0: not yet */
    double *link[2][2];  /* [between nodes?][out, in]: free from then on; of nodes, or of ranks */
    double end;
} play;

static void push(play *p, event e)
{
    if (p->n == p->cap) p->heap = xrealloc(p->heap, (p->cap = 2 * p->cap + 64) * sizeof *p->heap);
    size_t i = p->n++;
    for (; i > 0 && p->heap[(i - 1) / 2].at > e.at; i = (i - 1) / 2) p->heap[i] = p->heap[(i - 1) / 2];
    p->heap[i] = e;
}

static event pop(play *p)
{
    event top = p->heap[0], last = p->heap[--p->n];
    size_t i = 0, c;
    while ((c = 2 * i + 1) < p->n) {
        if (c + 1 < p->n && p->heap[c + 1].at < p->heap[c].at) c++;
        if (p->heap[c].at >= last.at) break;
        p->heap[i] = p->heap[c];
        i = c;
    }
    p->heap[i] = last;
    return top;
}

static size_t place_of(const play *p, int v, int m, int round)
{
    return ((size_t)m * (size_t)p->size + (size_t)v) * (size_t)(2 * p->halves) + (size_t)round;
}

static void enter(play *p, int v, int m, int round, double at)
{
    p->round[(size_t)m * (size_t)p->size + (size_t)v] = round;
    if (round == 2 * p->halves)
        p->end = fmax(p->end, at);
    else
        push(p, (event){at, v, m, round, false});
}

static void go_on(play *p, int v, int m, int round)
{
    size_t at = place_of(p, v, m, round);
    if (p->round[(size_t)m * (size_t)p->size + (size_t)v] == round && p->left[at] >= 0 && p->came[at] >= 0)
        enter(p, v, m, round + 1, fmax(p->left[at], p->came[at]));
}

static void begin(play *p, event e)
{
    const scale_step *s = p->s;
    int k = e.round < p->halves ? e.round : 2 * p->halves - 1 - e.round, v = e.rank, to = v ^ (1 << k);
    int a = v / (int)s->ranks, b = to / (int)s->ranks, net = a != b;
    double *out = &p->link[net][0][net ? a : v], *in = &p->link[net][1][net ? b : to];
    double busy = s->message_bytes / (double)(2 << k) * (net ? s->net_byte_s : s->local_byte_s), sent = fmax(e.at, *out),
           got = fmax(sent, *in);
    *out = sent + busy; /* what the other side cannot take yet waits between them */
    *in = got + busy;
    p->left[place_of(p, v, e.message, e.round)] = sent + busy;
    push(p, (event){got + busy + (net ? s->net_hop_s : s->local_hop_s), to, e.message, e.round, true});
    go_on(p, v, e.message, e.round);
}

/* noise: how much later than planned a rank may compute. */
static double simulate(const scale_step *s, double noise)
{
    play p = {.s = s, .size = (int)(s->nodes * s->ranks)};
    size_t n = (size_t)p.size;
    while (1 << p.halves < p.size) p.halves++;
    size_t all = n * (size_t)s->messages, parts = all * (size_t)(2 * p.halves);
    double norm = scale_norm_s(s) / 2;
    rng r = rng_at(5, STREAM_SIMULATE, 3, 0);
    p.round = xcalloc(all, sizeof *p.round);
    p.left = xcalloc(parts + 1, sizeof *p.left);
    p.came = xcalloc(parts + 1, sizeof *p.came);
    for (size_t i = 0; i < parts; i++) p.left[i] = p.came[i] = -1;
    for (int net = 0; net < 2; net++)
        for (int k = 0; k < 2; k++) p.link[net][k] = xcalloc(n, sizeof(double));
    for (size_t v = 0; v < n; v++) {
        double slow = 1 + noise * rng_uniform(&r), forward = s->forward_s * slow + norm, backward = s->backward_s * slow + norm;
        for (int m = 0; m < s->messages; m++) enter(&p, (int)v, m, 0, forward + backward * (double)(m + 1) / (double)s->messages);
    }
    while (p.n) {
        event e = pop(&p);
        if (e.comes) {
            p.came[place_of(&p, e.rank, e.message, e.round)] = e.at;
            go_on(&p, e.rank, e.message, e.round);
        } else {
            begin(&p, e);
        }
    }
    for (int net = 0; net < 2; net++)
        for (int k = 0; k < 2; k++) free(p.link[net][k]);
    free(p.heap);
    free(p.round);
    free(p.left);
    free(p.came);
    return p.end;
}

/* ---- training ---- */

static void configure(config *c, const char *encoder, int size, int64_t batch)
{
    char *yaml =
        xasprintf("screen: {name: x, index: x.csv, channels: [A, B, C, D, E]}\ntile: {size: %d}\ntrain: {encoder: %s, batch: %lld}\n", size,
                  encoder, (long long)batch);
    *c = (config){0};
    if (config_parse(c, "x.yaml", yaml, strlen(yaml), NULL) != OK) printf("# %s\n", msg_get()), exit(1);
    free(yaml);
}

/* One shape: how far the formula is from the simulation, of its time. */
static double compare(const config *c, const scale_cluster *k, double *efficiency)
{
    scale_step s;
    double core_s = estimate_train_s(c) / (double)c->train.steps; /* at the built-in rate */
    scale_step_of(&s, c, core_s, k);
    double by_formula = scale_step_s(&s), played = simulate(&s, 0.02);
    *efficiency = core_s / (double)(k->nodes * k->ranks) / played;
    return (by_formula - played) / played;
}

/* shapes: nodes, cores of a node, ranks of a node. *idle: the worst of those that use less than a tenth of their cores. */
static double compare_all(const int64_t (*shapes)[3], size_t n_shapes, double *idle)
{
    static const struct {
        const char *encoder;
        int size;
    } nets[] = {{"resnet18", 96}, {"resnet50", 224}, {"resnet101", 224}};
    static const int64_t batches[] = {256, 4096};
    double worst = 0, efficiency;
    for (size_t k = 0; k < 6; k++) {
        config c;
        int64_t batch = batches[k % 2];
        configure(&c, nets[k / 2].encoder, nets[k / 2].size, batch);
        printf("# %s/%d, batch %lld:", nets[k / 2].encoder, nets[k / 2].size, (long long)batch);
        for (size_t i = 0; i < n_shapes; i++) {
            const scale_cluster at = {
                .nodes = shapes[i][0], .ranks = shapes[i][1], .train_ranks = shapes[i][2], .link_gbit = 10, .storage = 1e9};
            if (at.nodes * at.train_ranks > batch) continue; /* a rank has an item at least */
            double off = compare(&c, &at, &efficiency);
            printf(" %lldx%lld %.0f%% (%+.1f%%)", (long long)at.nodes, (long long)at.train_ranks, 100 * efficiency, 100 * off);
            double *of = efficiency < 0.1 ? idle : &worst;
            *of = fmax(*of, fabs(off));
        }
        printf("\n");
        config_free(&c);
    }
    return worst;
}

static void test_training(void)
{
    static const int64_t single[][3] = {{1, 16, 16}, {4, 4, 4},   {16, 1, 1},  {32, 2, 2},   {2, 32, 32}, {128, 1, 1},
                                        {4, 32, 32}, {128, 2, 2}, {8, 32, 32}, {1024, 1, 1}, {512, 2, 2}, {32, 32, 32}},
                         threads[][3] = {{1, 32, 2},  {2, 32, 2},  {4, 32, 2},  {8, 32, 2},
                                         {16, 32, 2}, {32, 32, 2}, {64, 32, 2}, {128, 32, 2}};
    double idle = 0, worst = compare_all(single, sizeof single / sizeof *single, &idle);
    char line[200];
    snprintf(line, sizeof line, "ranks of one thread, 16 to 1,024: the formula is within 10 %% of the simulation (%.1f %%)", 100 * worst);
    ok(worst < 0.1, line);
    worst = compare_all(threads, sizeof threads / sizeof *threads, &idle);
    snprintf(line, sizeof line, "two ranks on each node of 32 cores, 32 to 4,096 cores: within 10 %% (%.1f %%)", 100 * worst);
    ok(worst < 0.1, line);
    snprintf(line, sizeof line, "where less than a tenth of the cores is used: within 20 %% (%.1f %%)", 100 * idle);
    ok(idle < 0.2, line);
}

/* Known cases: the simulation too may be wrong. */
static void test_simulation(void)
{
    const scale_step alone = {
        .nodes = 1, .ranks = 1, .forward_s = 1, .backward_s = 2, .messages = 4, .message_bytes = 1e6, .net_byte_s = 1};
    tap_near(simulate(&alone, 0), 3, 1e-9, 2, "one rank: it computes", __FILE__, __LINE__);
    tap_near(scale_step_s(&alone), 3, 1e-9, 2, "by the formula too", __FILE__, __LINE__);
    scale_step two = {.nodes = 2, .ranks = 1, .forward_s = 1, .backward_s = 2, .messages = 1, .message_bytes = 1e6, .net_byte_s = 1e-6};
    tap_near(simulate(&two, 0), 4, 1e-9, 2, "two nodes, one message: half of it each way, twice", __FILE__, __LINE__);
    tap_near(scale_step_s(&two), 4, 1e-9, 2, "by the formula too", __FILE__, __LINE__);
    two.nodes = 4;
    tap_near(simulate(&two, 0), 4.5, 1e-9, 2, "four: three quarters each way, twice", __FILE__, __LINE__);
    two.messages = 100;
    two.backward_s = 0;
    two.message_bytes = 1e4;
    ok(simulate(&two, 0) > 1 + 99.9 * 0.015, "a node's link takes one after the other");
    tap_near(simulate(&two, 0), scale_step_s(&two), 0.05, 2, "a full link", __FILE__, __LINE__);
    scale_step three = two;
    three.nodes = 3;
    ok(scale_step_s(&three) > scale_step_s(&two), "three nodes: one of them has its sums made by another");
    double of_one = simulate(&two, 0);
    two.ranks = 4;
    two.local_byte_s = 1e-12;
    tap_near(simulate(&two, 0), of_one, 0.05, 2, "four ranks a node: the link has no more to do", __FILE__, __LINE__);
}

static double train_efficiency(int64_t nodes, int64_t ranks, double gbit, const char **limit)
{
    config c;
    step s = {.stage = stage_find("train"), .plate = -1, .chosen = true, .state = STEP_RUN};
    plan p = {.step = &s, .n = 1, .ranks = ranks, .memory = 1e9, .shared = 1e9};
    screen_plate plate = {.sites = 1, .images = 5};
    const scale_cluster k = {.nodes = nodes, .ranks = ranks, .train_ranks = ranks, .link_gbit = gbit, .storage = 1e9};
    scale_row row;
    p.screen.plate = &plate;
    p.screen.n = 1;
    p.rates.factor[s.stage] = 1;
    configure(&c, "resnet18", 96, 256);
    plan_estimate(&p, &c);
    if (!scale_stage(&p, &c, s.stage, &k, &row)) return NAN;
    *limit = row.limit;
    config_free(&c);
    return row.efficiency;
}

static void test_limits(void)
{
    const char *limit = "";
    double e = train_efficiency(1, 1, 10, &limit);
    tap_near(e, 1, 1e-9, 2, "one rank: all of a core", __FILE__, __LINE__);
    e = train_efficiency(1, 2, 10, &limit);
    ok(e > 0.95 && e < 1 && strcmp(limit, "compute") == 0, "two ranks: at least 0.95");
    e = train_efficiency(8, 32, 1, &limit);
    ok(e < 0.3 && strcmp(limit, "sums of gradients") == 0, "a batch of 256 on 256 ranks, 1 Gbit/s: the sums take the time");
}

/* ---- plates ---- */

static double plates_on(int64_t nodes, int n_plates, double storage, scale_row *row)
{
    enum { MOST = 16 };
    config c;
    screen_plate plate[MOST];
    step s[MOST];
    plan p = {.step = s, .n = (size_t)n_plates, .ranks = 4, .memory = 1e9, .shared = 1e9};
    int tile = stage_find("tile");
    const scale_cluster k = {.nodes = nodes, .ranks = 4, .train_ranks = 4, .link_gbit = 10, .storage = storage};
    for (int i = 0; i < n_plates; i++) {
        plate[i] = (screen_plate){.sites = 800, .images = 4000};
        s[i] = (step){.stage = tile, .plate = i, .chosen = true, .state = STEP_RUN};
    }
    p.screen.plate = plate;
    p.screen.n = (size_t)n_plates;
    p.rates.factor[tile] = 1;
    p.rates.start_s[tile] = 3;
    configure(&c, "resnet18", 96, 256);
    plan_estimate(&p, &c);
    ok(scale_stage(&p, &c, tile, &k, row), "a stage of plates");
    config_free(&c);
    return row->seconds;
}

static void test_plates(void)
{
    scale_row row;
    tap_near(plates_on(1, 1, 1e12, &row), 33, 1e-9, 2, "4,000 images of 30 ms on 4 ranks, and a start", __FILE__, __LINE__);
    tap_near(plates_on(4, 12, 1e12, &row), 99, 1e-9, 2, "twelve on four nodes: three after the other", __FILE__, __LINE__);
    ok(strcmp(row.limit, "compute") == 0 && fabs(row.efficiency - 30.0 / 33) < 1e-9, "most of it is work");
    tap_near(plates_on(8, 9, 1e12, &row), 66, 1e-9, 2, "nine on eight nodes: two after the other", __FILE__, __LINE__);
    ok(strcmp(row.limit, "nodes without a plate at the end") == 0, "and seven nodes wait");
    tap_near(plates_on(12, 12, 1e9, &row), 96, 1e-9, 2, "96 GB of images at 1 GB/s", __FILE__, __LINE__);
    ok(strcmp(row.limit, "storage") == 0, "storage is the limit");
}

int main(void)
{
    test_simulation();
    test_training();
    test_limits();
    test_plates();
    return tap_done();
}
