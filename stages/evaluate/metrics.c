/* metrics.c -- all metrics of docs/method.md 8 on one form of the profiles. Searches are split over ranks by ranges of queries and
 * gathered; every rank computes the sums from the same arrays, so a result does not depend on the number of ranks. */
#include "evaluation_set.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/profile/linear_algebra.h"

#include <stdlib.h>

static evaluation_set set_of(MPI_Comm comm, const wells *w, const metric_input *in, const evaluate_options *o, results *r)
{
    return (evaluation_set){.comm = comm,
                            .rank = comm_rank(comm),
                            .size = comm_size(comm),
                            .w = w,
                            .o = o,
                            .r = r,
                            .which = in->corrected,
                            .profiles = profiles_form[in->corrected],
                            .by_position = o->recipe != RECIPE_0_1,
                            .cross = in->cross,
                            .d = in->d};
}

status metrics_all(MPI_Comm comm, const wells *w, const metric_input *in, const evaluate_options *o, results *r, names *notes)
{
    status st = OK;
    evaluation_set e = set_of(comm, w, in, o, r);
    const float *x = in->x;
    e.notes = notes;
    TRY_ALL(comm, evaluation_set_init(&e, x));
    TRY(retrieval_metrics_all(&e));
    TRY(prediction_metrics_all(&e, in->cf));
    TRY(activity_metrics_all(&e, x));
    TRY(consistency_metrics_all(&e, x));
    TRY(pair_metrics_all(&e, x));
    TRY(relation_metrics_all(&e, x));
    TRY(batch_metrics_all(&e));
    if (o->recipe != RECIPE_0_1) TRY_ALL(comm, overall_metrics(&e));
    TRY(replicate_metrics_all(&e, x));
    if (e.by_position) TRY(matched_replicate_metrics_all(&e, x));
    if (e.by_position) TRY(position_control_all(&e, x));
    if (e.by_position && !in->fitted) TRY(control_metrics_all(&e, x));
done:
    evaluation_set_free(&e);
    return st;
}

status metrics_of_trial_all(MPI_Comm comm, const wells *w, const metric_input *in, const evaluate_options *o, results *r)
{
    enum { FEW = 10 }; /* draws of what no one looks at */
    status st = OK;
    evaluate_options few = *o;
    names notes = {0};
    few.null_size = FEW;
    *r = (results){.draws = FEW, .seed = (uint32_t)o->seed, .active = comm_rank(comm) == 0};
    evaluation_set e = set_of(comm, w, in, &few, r);
    e.setting = metric_setting_name(ALL_WELLS); /* without what only the report shows */
    e.notes = &notes;
    TRY_ALL(comm, evaluation_set_init(&e, in->x));
    TRY(retrieval_metrics_all(&e));
    TRY(activity_metrics_all(&e, in->x));
    r->draws = o->bootstrap;
    TRY(control_metrics_all(&e, in->x));
done:
    evaluation_set_free(&e);
    names_free(&notes);
    return st;
}
