/* run: limit=60
 * t_plan_scale.c -- micon plan --nodes: the formula for a step of training against a simulation, in which each message of the gradient goes
 * through the tree of ranks by itself and waits for the links of both nodes; plates on nodes against cases by hand. */
#include "../../pipeline/driver.h"
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"

#include <stdlib.h>

/* ---- a step as a sequence of events ----
 * Message m of rank v goes up the tree when it is ready and those of v's children have come, one after the other; down again in the same
 * way. Ranks count from 0 in the order of nodes. A node's link takes one message at a time in each direction; so does a rank's memory. */
typedef struct {
    double at;
    int from, to, message;
    bool down, ends;
} event;

typedef struct {
    const scale_step *s;
    int size;
    event *heap;
    size_t n, cap;
    double *ready;      /* [message, rank]: of its own gradient, then of what came from its children */
    int *next;          /* [message, rank]: the child (as a power of two) whose turn it is */
    double *waiting;    /* [message, rank]: when its way up was asked for; < 0: not yet */
    double *link[2][2]; /* [between nodes?][out, in]: free from then on; of nodes, or of ranks */
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

static void down_from(play *p, int v, int m, double at)
{
    int bit = 1;
    while (bit <= v) bit *= 2; /* above its highest one */
    for (; v + bit < p->size; bit *= 2) push(p, (event){at, v, v + bit, m, true, false});
}

/* Rank v at message m: takes the children that wait, as far as they are there; then its own way. */
static void climb(play *p, int v, int m)
{
    size_t at = (size_t)m * (size_t)p->size + (size_t)v;
    int bit = p->next[at];
    if (v & bit) { /* all children are in */
        p->waiting[at] = p->ready[at];
        int up = v - bit;
        size_t of = (size_t)m * (size_t)p->size + (size_t)up;
        if (p->next[of] == bit) push(p, (event){fmax(p->ready[at], p->ready[of]), v, up, m, false, false});
    } else if (v + bit < p->size) {
        size_t of = (size_t)m * (size_t)p->size + (size_t)(v + bit);
        if (p->waiting[of] >= 0) push(p, (event){fmax(p->ready[at], p->waiting[of]), v + bit, v, m, false, false});
    } else if (v == 0) {
        p->end = fmax(p->end, p->ready[at]);
        down_from(p, 0, m, p->ready[at]);
    } else {
        p->next[at] = bit * 2;
        climb(p, v, m);
    }
}

static void begin(play *p, event e)
{
    const scale_step *s = p->s;
    int a = e.from / (int)s->ranks, b = e.to / (int)s->ranks, net = a != b;
    double *out = &p->link[net][0][net ? a : e.from], *in = &p->link[net][1][net ? b : e.to];
    double busy = s->message_bytes * (net ? s->net_byte_s : s->local_byte_s), sent = fmax(e.at, *out), got = fmax(sent, *in);
    *out = sent + busy; /* what the other side cannot take yet waits between them */
    *in = got + busy;
    e.at = got + busy + (net ? s->net_hop_s : s->local_hop_s);
    e.ends = true;
    push(p, e);
}

static void arrive(play *p, event e)
{
    size_t at = (size_t)e.message * (size_t)p->size + (size_t)e.to;
    if (e.down) {
        p->end = fmax(p->end, e.at);
        down_from(p, e.to, e.message, e.at);
    } else {
        p->ready[at] = fmax(p->ready[at], e.at);
        p->next[at] *= 2;
        climb(p, e.to, e.message);
    }
}

/* noise: how much later than planned a rank may compute. */
static double simulate(const scale_step *s, double noise)
{
    play p = {.s = s, .size = (int)(s->nodes * s->ranks)};
    size_t n = (size_t)p.size, all = n * (size_t)s->messages;
    double norm = scale_norm_s(s) / 2;
    rng r = rng_at(5, STREAM_SIMULATE, 3, 0);
    p.ready = xcalloc(all, sizeof *p.ready);
    p.waiting = xcalloc(all, sizeof *p.waiting);
    p.next = xcalloc(all, sizeof *p.next);
    for (int net = 0; net < 2; net++)
        for (int k = 0; k < 2; k++) p.link[net][k] = xcalloc(n, sizeof(double));
    for (size_t v = 0; v < n; v++) {
        double slow = 1 + noise * rng_uniform(&r), forward = s->forward_s * slow + norm, backward = s->backward_s * slow + norm;
        for (size_t m = 0; m < (size_t)s->messages; m++) {
            p.ready[m * n + v] = forward + backward * (double)(m + 1) / (double)s->messages;
            p.waiting[m * n + v] = -1;
            p.next[m * n + v] = 1;
            p.end = fmax(p.end, p.ready[m * n + v]);
        }
    }
    for (int m = 0; m < s->messages; m++)
        for (int v = p.size - 1; v >= 0; v--)
            if (v % 2 || v + 1 >= p.size) climb(&p, v, m); /* leaves; the others follow */
    while (p.n) {
        event e = pop(&p);
        if (e.ends)
            arrive(&p, e);
        else
            begin(&p, e);
    }
    for (int net = 0; net < 2; net++)
        for (int k = 0; k < 2; k++) free(p.link[net][k]);
    free(p.heap);
    free(p.ready);
    free(p.waiting);
    free(p.next);
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
    tap_near(simulate(&two, 0), 5, 1e-9, 2, "two nodes, one message: it goes there and back", __FILE__, __LINE__);
    two.nodes = 4;
    tap_near(simulate(&two, 0), 7, 1e-9, 2, "four: two rounds there and two back", __FILE__, __LINE__);
    two.messages = 100;
    two.backward_s = 0;
    two.message_bytes = 1e4;
    ok(simulate(&two, 0) >= 1 + 100 * 0.02, "the first node takes two of each, one after the other");
    tap_near(simulate(&two, 0), scale_step_s(&two), 0.05, 2, "a full link", __FILE__, __LINE__);
    two.ranks = 3;
    two.local_byte_s = 1e-9;
    ok(simulate(&two, 0) > 1 && simulate(&two, 0) < 20, "three ranks a node: it ends");
}

static double train_efficiency(int64_t nodes, int64_t ranks, const char **limit)
{
    config c;
    step s = {.stage = stage_find("train"), .plate = -1, .chosen = true, .state = STEP_RUN};
    plan p = {.step = &s, .n = 1, .ranks = ranks, .memory = 1e9, .shared = 1e9};
    screen_plate plate = {.sites = 1, .images = 5};
    const scale_cluster k = {.nodes = nodes, .ranks = ranks, .train_ranks = ranks, .link_gbit = 10, .storage = 1e9};
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
    double e = train_efficiency(1, 1, &limit);
    tap_near(e, 1, 1e-9, 2, "one rank: all of a core", __FILE__, __LINE__);
    e = train_efficiency(1, 2, &limit);
    ok(e > 0.95 && e < 1 && strcmp(limit, "compute") == 0, "two ranks: at least 0.95");
    e = train_efficiency(8, 32, &limit);
    ok(e < 0.3 && strcmp(limit, "sums of gradients") == 0, "a batch of 256 on 256 ranks: the sums take the time");
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
