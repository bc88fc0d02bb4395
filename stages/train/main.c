/* main.c -- micon-train: learn the image network and its heads from a screen's tiles and compounds (docs/method.md 4 and 5), data-parallel
 * over all ranks; checkpoints during the run, model.safetensors at the end. */
#include "train.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/mpi/progress.h"
#include "micon/nn/kernels.h"
#include "micon/provenance/written_files.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    bool profile, network;
} train_arguments;

static const opt train_own_options[] = {
    {NULL, "profile", OPT_FLAG, offsetof(train_arguments, profile), "", 0, 0, NULL, 0,
     "print a table of the time spent per layer at the end"},
    {NULL, "network", OPT_FLAG, offsetof(train_arguments, network), "", 0, 0, NULL, 0,
     "train nothing: measure sums between ranks, for micon plan --nodes, into work/status/network.json"},
    {.name = NULL},
};

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int sig)
{
    (void)sig;
    asked_to_stop = 1;
}

/* ---- the loop ---- */

static double learning_rate(run *r)
{
    const train_options *o = &r->g->cfg.train;
    int64_t warm = (int64_t)ceil(o->warmup * (double)o->steps), step = r->at.step;
    if (o->schedule == SCHEDULE_COSINE) return lr_cosine(o->lr, step, o->steps, warm);
    double ramp = step < warm ? (double)(step + 1) / (double)warm : 1;
    if (o->schedule == SCHEDULE_CONSTANT || step == 0) return o->lr * ramp;
    return lr_plateau_next(&r->at.plateau, o->lr, r->at.last_loss, 500) * ramp;
}

static status diverged(const run *r, const step_result *s, double norm)
{
    return fail(E_FAILED,
                "step %lld: loss %g, gradient norm %g: training diverged. Checkpoints up to the last good one are kept in %s, also "
                "when settings change; try a lower train.lr, a longer train.warmup, or train.precision fp32",
                (long long)r->at.step + 1, s->loss, norm, r->checkpoints);
}

static status checkpoint_all(run *r)
{
    return agree_all(r->g->comm, r->g->rank == 0 ? checkpoint_write(r->checkpoints, &r->m, &r->at, &r->kit.choices) : OK);
}

typedef struct {
    double compute, wait, comm, hidden, seconds, processor, bytes;
    int64_t steps, validations;
    validation last;
} totals;

static void say_validation(const run *r, const validation *v)
{
    text t = {0};
    if (v->queries > 0)
        text_addf(&t, "; retrieval in validation batches %.3f, chance %.3f, %lld wells", v->top1, v->chance, (long long)v->queries);
    if (isfinite(v->loss)) text_addf(&t, "; validation loss %.4f", v->loss);
    if (t.n > 0) log_info("step %lld%s", (long long)r->at.step, text_str(&t));
    text_free(&t);
}

/* One step after the gradients. */
static status after_step_all(run *r, const step_result *s, double lr, const step_cost *from, totals *sum)
{
    status st = OK;
    const train_options *o = &r->g->cfg.train;
    validation v;
    double norm = trainer_norm_all(r->t);
    if (!isfinite(s->loss) || !isfinite(norm)) TRY(diverged(r, s, norm));
    trainer_update_all(r->t, r->at.step + 1, lr, clip_scale(norm, o->grad_clip));
    trainer_share_statistics_all(r->t);
    r->at.step++;
    r->at.last_loss = s->loss;
    step_cost cost = step_cost_since(from);
    bool look = o->valid_every > 0 && r->at.step % o->valid_every == 0 && r->d.n_valid > 0;
    if (look) {
        batch_pause(trainer_batch(r->t));
        TRY(validate_all(r->t, r->valid, &r->kit, &v));
        TRY_ALL(r->g->comm, batch_resume(trainer_batch(r->t), r->at.step));
        bool better = v.queries > 0 && v.top1 > r->at.best;
        if (v.queries > 0) r->at.since_best = better ? 0 : r->at.since_best + 1;
        if (better) r->at.best = v.top1;
        say_validation(r, &v);
        sum->last = v;
        sum->validations++;
    }
    if (step_log_write(r->log, r->at.step, trainer_batch(r->t)->n_global, s, &cost, lr, norm, look ? &v : NULL) != OK) {
        if (!r->log_failed) log_warn("%s: %s; training continues", r->log_path, msg_get());
        r->log_failed = true;
        msg_clear();
    }
    sum->compute += s->compute_s, sum->wait += s->wait_s, sum->comm += s->comm_s, sum->hidden += s->hidden_s;
    sum->seconds += cost.seconds, sum->processor += cost.processor, sum->bytes += (double)s->bytes, sum->steps++;
done:
    return st;
}

static status steps_all(run *r, progress *bar, totals *sum)
{
    status st = OK;
    const train_options *o = &r->g->cfg.train;
    step_result s = {0};
    while (r->at.step < o->steps && !(o->early_stop > 0 && r->at.since_best >= o->early_stop)) {
        int stop = asked_to_stop;
        step_cost from = step_cost_now();
        MPI_Allreduce(MPI_IN_PLACE, &stop, 1, MPI_INT, MPI_MAX, r->g->comm);
        if (stop) {
            TRY(checkpoint_all(r));
            log_info("stopped on request after step %lld; the same command%s resumes from there", (long long)r->at.step,
                     r->g->force ? " without --force" : "");
            TRY(fail(E_AGAIN, "stopped on request after step %lld", (long long)r->at.step));
        }
        double lr = learning_rate(r);
        TRY(trainer_gradients_all(r->t, r->at.step, &s));
        TRY(after_step_all(r, &s, lr, &from, sum));
        progress_say(bar, "loss %.4f", s.loss);
        progress_add(bar, r->g->rank == 0);
        if (r->at.step % o->checkpoint_steps == 0 && r->at.step < o->steps) TRY(checkpoint_all(r));
    }
done:
    return st;
}

static status train_all(run *r)
{
    status st = OK;
    stage *g = r->g;
    totals sum = {0};
    char *name = text_encode_name(g->cfg.train.run), *file = config_status_file(&g->cfg, "train", name, "json");
    const progress_info info = {.file = file, .stage = "train", .name = name, .unit = "steps", .total = g->cfg.train.steps - r->at.step};
    if (g->rank == 0) written_files_forget(&g->cfg, "train", name);
    TRY_ALL(g->comm, g->rank == 0 ? step_log_open(&r->log, r->log_path, r->at.step) : OK);
    if (r->at.step > 0) log_info("resuming after step %lld", (long long)r->at.step);
    progress *bar = progress_start_all(g->comm, &info);
    st = steps_all(r, bar, &sum);
    progress_end_all(&bar, st);
    TRY(st);
    if (sum.steps > 0) r->step_s = (kernels_threads() == 1 ? sum.processor : sum.seconds) / (double)sum.steps;
    if (sum.steps > 0)
        log_info("%lld steps, %.1f items/s; %.3f s per step: compute %.3f, data %.3f, communication %.3f (and %.3f hidden), %.1f MB "
                 "exchanged per rank",
                 (long long)sum.steps, (double)sum.steps * (double)trainer_batch(r->t)->n_global / sum.seconds,
                 sum.seconds / (double)sum.steps, sum.compute / (double)sum.steps, sum.wait / (double)sum.steps,
                 sum.comm / (double)sum.steps, sum.hidden / (double)sum.steps, sum.bytes / (double)sum.steps / 1e6);
    if (sum.validations > 0 && sum.last.queries > 0)
        log_info("the last validation: loss %.4f, retrieval %.3f (chance %.3f, %lld wells)", sum.last.loss, sum.last.top1, sum.last.chance,
                 (long long)sum.last.queries);
done:
    if (r->log) fclose(r->log);
    r->log = NULL;
    free(file);
    free(name);
    return st;
}

static status publish(run *r)
{
    status st = OK;
    names below = {0};
    TRY(weights_finite(&r->m.params));
    TRY(path_make_dirs(r->folder));
    TRY(model_write(&r->m, r->at.step, r->model_path));
    char *encoded = text_encode_name(r->g->cfg.train.run), *log = xasprintf(WORK_MODELS "/%s/" MODEL_LOG, encoded);
    names_add(&below, log);
    st = written_files_record(&r->g->cfg, "train", encoded, &below);
    free(encoded);
    free(log);
    TRY(st);
    TRY(run_record(r));
    log_info("%s", r->model_path);
done:
    names_free(&below);
    return st;
}

static void print_profile(const run *r)
{
    text t = {0};
    resnet_profile(trainer_net(r->t), r->step_s, &t);
    printf("%s", text_str(&t));
    text_free(&t);
}

static status run_all(stage *g)
{
    status st = OK;
    const train_arguments *own = g->options;
    if (own->network) return network_measure_all(g);
    run r = {.g = g, .at = {.best = -1}};
    bool fresh = false;
    char *name = text_encode_name(g->cfg.train.run), *below = xasprintf(WORK_MODELS "/%s", name);
    signal(SIGTERM, on_signal); /* before anything else: a job may be told to stop while it reads tiles */
    signal(SIGUSR1, on_signal);
    r.d.window = MPI_WIN_NULL;
    r.d.node = MPI_COMM_NULL;
    r.folder = config_work(&g->cfg, below);
    r.model_path = path_join(r.folder, "model.safetensors");
    r.checkpoints = path_join(r.folder, MODEL_CHECKPOINTS);
    r.log_path = path_join(r.folder, "log.jsonl");
    if (method_table[g->cfg.train.method].measured)
        TRY(fail(E_USAGE, "train.method: %s has no network to train: micon-measure makes its profiles", method_name(g->cfg.train.method)));
    if (g->plates.n > 0) TRY(fail(E_USAGE, "--plate: a model is trained on all plates; split and screen.index choose them"));
    if (g->rank == 0) { /* what dead runs left half-written */
        path_sweep_parts(r.folder, NULL);
        path_sweep_parts(r.checkpoints, NULL);
    }
    TRY(run_setup_all(&r, &fresh));
    if (fresh) {
        log_info("%s is up to date", r.model_path);
        TRY_ALL(g->comm, g->rank == 0 ? run_record(&r) : OK);
        goto done;
    }
    log_info("%s: resnet%d, %s, %d thread%s per rank", method_name(g->cfg.train.method), r.m.depth, r.kit.type == NN_BF16 ? "bf16" : "fp32",
             kernels_threads(), kernels_threads() == 1 ? "" : "s");
    if (method_table[g->cfg.train.method].trains) TRY(train_all(&r));
    TRY_ALL(g->comm, g->rank == 0 ? publish(&r) : OK);
    if (own->profile && r.t && g->rank == 0) print_profile(&r);
    if (own->profile && !r.t) log_info("--profile: nothing was trained");
done:
    run_free(&r);
    free(name);
    free(below);
    return st;
}

int main(int argc, char **argv)
{
    static const stage_def def = {
        .name = "train",
        .summary = "train the image network and its heads on a screen's tiles and compounds, data-parallel over all ranks",
        .sections = "screen split train tile.size",
        .affects = AFFECTS_MODEL,
        .options = train_own_options,
        .options_size = sizeof(train_arguments),
        .again = "stopped on SIGUSR1 or SIGTERM after writing a checkpoint (the same command, without --force, resumes)",
        .run_all = run_all,
    };
    return stage_main(argc, argv, &def);
}
