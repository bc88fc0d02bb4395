/* resnet_profile.c -- a table of the time per layer of a compiled ResNet. */
#include "resnet_impl.h"

#include <string.h>

double resnet_seconds_conv(const resnet *net)
{
    return net->conv_s;
}

double resnet_seconds_other(const resnet *net)
{
    return net->other_s;
}

/* Seconds of this many passes at the rate measured in isolation; the seconds they took where no rate is known. */
static double alone(const unit *u, int kind)
{
    double gflops = u->op[kind] ? conv_gflops(u->op[kind]) : 0;
    return gflops > 0 ? u->passes[kind] * conv_flop(&u->spec) / gflops * 1e-9 : u->seconds[kind];
}

typedef struct {
    double alone, rest, total; /* of all units */
    double step;               /* shares are of this */
    text *out;
} account;

static void add_unit(const unit *u, account *a)
{
    for (int k = 0; k < TIME_KINDS; k++) a->alone += alone(u, k), a->total += u->seconds[k];
    a->rest += u->rest_s;
}

static void show_unit(const unit *u, account *a)
{
    double all = u->rest_s;
    text_addf(a->out, "%-36s %4d->%-4d %3d px", u->name, u->spec.ci, u->spec.co, u->spec.h);
    for (int k = 0; k < TIME_KINDS; k++) {
        all += u->seconds[k];
        if (!u->passes[k]) {
            text_addf(a->out, " %25s", "-");
            continue;
        }
        double ms = 1e3 * u->seconds[k] / u->passes[k];
        text_addf(a->out, " %8.2f ms %6.0f %5.0f %%", ms, conv_flop(&u->spec) / ms * 1e-6, 100 * alone(u, k) / u->seconds[k]);
    }
    text_addf(a->out, " %8.2f ms %5.1f %%   %s", u->passes[0] ? 1e3 * u->rest_s / u->passes[0] : 0, 100 * all / a->step,
              conv_how(u->op[0]));
    for (int k = 1; k < TIME_KINDS; k++)
        if (u->op[k]) text_addf(a->out, ", %s", conv_how(u->op[k]));
    text_add(a->out, "\n");
}

static void each_unit(const resnet *net, void (*f)(const unit *u, account *a), account *a)
{
    if (net->has_stem) f(&net->stem, a);
    for (int i = 0; i < net->n_blocks; i++)
        for (int k = 0; k < net->b[i].n_units + net->b[i].has_ds; k++) f(&net->b[i].u[k], a);
}

double resnet_seconds_alone(const resnet *net)
{
    account a = {0};
    each_unit(net, add_unit, &a);
    return a.alone;
}

void resnet_profile(const resnet *net, double step_s, text *out)
{
    account a = {.out = out};
    double passes = net->passes;
    if (net->passes == 0) return;
    double encoder = net->conv_s + net->other_s;
    a.step = step_s > 0 ? step_s * passes : encoder;
    each_unit(net, add_unit, &a);
    text_addf(out, "%-36s %10s %6s %25s %25s %25s %11s %7s\n", "layer", "channels", "", "forward  GFLOP/s   of peak",
              "back data  GFLOP/s of peak", "weights  GFLOP/s   of peak", "norm, ReLU", "share");
    each_unit(net, show_unit, &a);
    text_addf(out, "of peak: of the rate of the same convolution run alone, measured when its way was chosen\n");
    text_addf(out, "convolutions %.3f s a pass, %.1f %%; run alone %.3f s\n", net->conv_s / passes, 100 * net->conv_s / a.step,
              a.alone / passes);
    text_addf(out, "norms, ReLU, pooling %.3f s, %.1f %%; packing weights %.3f s, %.1f %%; all else in the encoder %.3f s, %.1f %%\n",
              a.rest / passes, 100 * a.rest / a.step, net->pack_s / passes, 100 * net->pack_s / a.step,
              (net->other_s - a.rest - net->pack_s) / passes, 100 * (net->other_s - a.rest - net->pack_s) / a.step);
    if (step_s > 0)
        text_addf(out, "outside the encoder %.3f s, %.1f %%; a step %.3f s\n", step_s - encoder / passes, 100 * (1 - encoder / a.step),
                  step_s);
}

static void unit_reset(unit *u)
{
    memset(u->seconds, 0, sizeof u->seconds);
    memset(u->passes, 0, sizeof u->passes);
    u->rest_s = 0;
}

void resnet_profile_reset(resnet *net)
{
    net->conv_s = net->other_s = net->pack_s = 0;
    net->passes = 0;
    unit_reset(&net->stem);
    for (int i = 0; i < net->n_blocks; i++)
        for (int k = 0; k < MAX_UNITS; k++) unit_reset(&net->b[i].u[k]);
}
