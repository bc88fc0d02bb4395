/* metric_table.h -- every metric that this stage computes, in one table: its name in metrics.json and the CSVs, how its value is made,
 * where and under which label the report shows it. A new metric is a row here and its computation in a metrics_*.c. */
#ifndef METRIC_TABLE_H
#define METRIC_TABLE_H
#include "micon/base/text.h"

#include <stdbool.h>

/* How a metric's value comes from what was measured. */
typedef enum {
    VALUE_ONLY,    /* one number, without an interval */
    RATIO_OF_SUMS, /* of numerators and denominators by compound; interval by drawing compounds */
    MEAN_OF_RATIOS /* over compounds; likewise */
} metric_estimate;

/* The table of the report that shows it; its order there is that of the rows. */
typedef enum { IN_RETRIEVAL, IN_PREDICTED, IN_ACTIVITY, IN_BATCHES, NOT_SHOWN } metric_section;

/* Whose wells are the queries. EACH_SETTING: one figure for each of the first N_QUERY_SETTINGS that has wells. The others are over all
 * wells, beside the figure of ALL_WELLS: with candidates at other positions only; against null sets or untreated wells with as many wells
 * and positions as the treatment; and of untreated positions as if they were treatments. */
typedef enum {
    ALL_WELLS,
    SEEN_SOURCES,
    UNSEEN_SOURCE,
    UNSEEN_COMPOUNDS,
    N_QUERY_SETTINGS,
    OTHER_POSITIONS = N_QUERY_SETTINGS,
    POSITION_MATCHED,
    POSITION_CONTROL,
    N_SETTINGS,
    EACH_SETTING = N_SETTINGS,
    CHOSEN_PAIRS /* the configuration names it */
} metric_setting;

enum {
    BY_K = 1,      /* one value for each k from 1 to 10: hits among the first k */
    CHANCE = 2,    /* has the value of a random order beside it */
    COMPARED = 4,  /* by_compound.csv has its numerators and denominators (of those BY_K at k 1, 5 and 10), for --compare */
    LOWER = 8,     /* lower is better */
    VOTE_OF_5 = 16 /* k is 5 */
};

/* clang-format off */
/* METRIC(id, name, section, setting, estimate, properties, label, help) */
#define METRIC_TABLE(METRIC)                                                                                                               \
    METRIC(NSB, "nsb", IN_RETRIEVAL, EACH_SETTING, RATIO_OF_SUMS, BY_K | CHANCE | COMPARED, "Not the same batch",                          \
           "Share of wells with a well of their compound among the k most similar wells of other batches")                                 \
    METRIC(NSB_PRECISION, "nsb_precision", IN_RETRIEVAL, EACH_SETTING, RATIO_OF_SUMS, BY_K | CHANCE, "Not the same batch, precision",      \
           "Wells of the query's compound among the k most similar wells of other batches, as a share of k")                               \
    METRIC(NSB_BY_COMPOUND, "nsb_by_compound", NOT_SHOWN, EACH_SETTING, MEAN_OF_RATIOS, BY_K, "Not the same batch, mean over compounds",   \
           "The same share within each compound, averaged over compounds")                                                                 \
    METRIC(NSS, "nss", IN_RETRIEVAL, EACH_SETTING, RATIO_OF_SUMS, BY_K | CHANCE | COMPARED, "Not the same source",                         \
           "Share of wells with a well of their compound among the k most similar wells of other sources")                                 \
    METRIC(NSS_PRECISION, "nss_precision", IN_RETRIEVAL, EACH_SETTING, RATIO_OF_SUMS, BY_K | CHANCE, "Not the same source, precision",     \
           "Wells of the query's compound among the k most similar wells of other sources, as a share of k")                               \
    METRIC(NSS_BY_COMPOUND, "nss_by_compound", NOT_SHOWN, EACH_SETTING, MEAN_OF_RATIOS, BY_K, "Not the same source, mean over compounds",  \
           "The same share within each compound, averaged over compounds")                                                                 \
    METRIC(NSP, "nsp", IN_RETRIEVAL, EACH_SETTING, RATIO_OF_SUMS, BY_K | CHANCE | COMPARED, "Not the same plate",                          \
           "Where there is one batch: share of wells with a well of their compound among the k most similar wells of other plates")        \
    METRIC(NSP_PRECISION, "nsp_precision", IN_RETRIEVAL, EACH_SETTING, RATIO_OF_SUMS, BY_K | CHANCE, "Not the same plate, precision",      \
           "Wells of the query's compound among the k most similar wells of other plates, as a share of k")                                \
    METRIC(NSP_BY_COMPOUND, "nsp_by_compound", NOT_SHOWN, EACH_SETTING, MEAN_OF_RATIOS, BY_K, "Not the same plate, mean over compounds",   \
           "The same share within each compound, averaged over compounds")                                                                 \
    METRIC(COUNTERFACTUAL, "counterfactual", IN_PREDICTED, UNSEEN_COMPOUNDS, RATIO_OF_SUMS, BY_K | CHANCE | COMPARED,                      \
           "Predicted profile finds its compound",                                                                                         \
           "Share of predicted profiles with a well of their compound among the k most similar wells of other batches")                    \
    METRIC(COUNTERFACTUAL_SHUFFLED, "counterfactual_shuffled", IN_PREDICTED, UNSEEN_COMPOUNDS, RATIO_OF_SUMS, BY_K,                        \
           "Predicted profile finds another predicted compound",                                                                           \
           "The same for the predictions of other structures, the mean over all of them: what a prediction finds that only looks like "    \
           "any effect")                                                                                                                   \
    METRIC(COUNTERFACTUAL_BY_COMPOUND, "counterfactual_by_compound", NOT_SHOWN, UNSEEN_COMPOUNDS, MEAN_OF_RATIOS, BY_K,                    \
           "Predicted profile finds its compound, mean over compounds",                                                                    \
           "The same share within each compound, averaged over compounds")                                                                 \
    METRIC(COUNTERFACTUAL_MEDIAN_RANK, "counterfactual_median_rank", IN_PREDICTED, UNSEEN_COMPOUNDS, VALUE_ONLY, LOWER,                    \
           "Median rank of the first hit", "Median place of the first well of the compound among all wells of other batches")              \
    METRIC(COUNTERFACTUAL_MEAN, "counterfactual_mean", IN_PREDICTED, UNSEEN_COMPOUNDS, RATIO_OF_SUMS, BY_K | CHANCE | COMPARED,            \
           "Averaged over plates", "The compound's predicted profiles are averaged over plates first; wells of all batches are searched")  \
    METRIC(COUNTERFACTUAL_MEAN_SHUFFLED, "counterfactual_mean_shuffled", IN_PREDICTED, UNSEEN_COMPOUNDS, RATIO_OF_SUMS, BY_K,              \
           "Averaged over plates, another predicted compound", "The same for the averaged predictions of other structures")                \
    METRIC(COUNTERFACTUAL_MEAN_BY_COMPOUND, "counterfactual_mean_by_compound", NOT_SHOWN, UNSEEN_COMPOUNDS, MEAN_OF_RATIOS, BY_K,          \
           "Averaged over plates, mean over compounds", "The same share within each compound, averaged over compounds")                    \
    METRIC(COUNTERFACTUAL_MEAN_MEDIAN_RANK, "counterfactual_mean_median_rank", IN_PREDICTED, UNSEEN_COMPOUNDS, VALUE_ONLY, LOWER,          \
           "Averaged over plates: median rank", "Median place of the first well of the compound among all wells")                          \
    METRIC(MAP_ACTIVITY, "map_activity", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, CHANCE | COMPARED, "mAP, activity",                        \
           "Mean average precision of finding a treatment's other wells before its plate's controls")                                      \
    METRIC(MAP_ACTIVITY_NORMALIZED, "map_activity_normalized", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, CHANCE | COMPARED,                   \
           "Normalized mAP, activity", "The same on a scale where 0 is chance and 1 is best: mean of (AP - chance) / (1 - chance)")        \
    METRIC(MAP_CONTROLS, "map_controls", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, CHANCE, "mAP, held-out controls",                          \
           "Controls that did not fit the correction, in sets of shuffled labels, as if they were treatments: chance is honest")           \
    METRIC(ACTIVE_SHARE, "active_share", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, COMPARED, "Share of active compounds",                     \
           "Share of treatments whose activity mAP has a corrected p-value below 0.05")                                                    \
    METRIC(MAP_CONSISTENCY, "map_consistency", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, CHANCE | COMPARED, "mAP, consistency of mechanisms", \
           "Mean average precision of finding the compounds of one mechanism before those of others, among the active ones")               \
    METRIC(MAP_CONSISTENCY_NORMALIZED, "map_consistency_normalized", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, CHANCE | COMPARED,             \
           "Normalized mAP, consistency", "The same on a scale where 0 is chance and 1 is best: mean of (AP - chance) / (1 - chance)")     \
    METRIC(CONSISTENT_SHARE, "consistent_share", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, COMPARED, "Share of consistent compounds",         \
           "Share of compounds whose consistency mAP has a corrected p-value below 0.05")                                                  \
    METRIC(PERCENT_REPLICATING, "percent_replicating", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, CHANCE | COMPARED,                           \
           "Percent replicating (share)",                                                                                                  \
           "Share of treatments whose wells correlate more than the 95th percentile of random sets of wells")                              \
    METRIC(RELATION_RECALL, "relation_recall", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, CHANCE, "Known relations found",                     \
           "Share of known relations whose cosine of consensus profiles is among the lowest or highest 5 % of all pairs of compounds")     \
    METRIC(MAP_PAIRS, "map_pairs", IN_ACTIVITY, CHOSEN_PAIRS, RATIO_OF_SUMS, CHANCE, "mAP of chosen pairs",                                \
           "Mean average precision of finding wells that form a positive pair before those that form a negative one")                      \
    METRIC(MAP_PAIRS_NORMALIZED, "map_pairs_normalized", IN_ACTIVITY, CHOSEN_PAIRS, RATIO_OF_SUMS, CHANCE,                                 \
           "Normalized mAP of chosen pairs", "The same on a scale where 0 is chance and 1 is best: mean of (AP - chance) / (1 - chance)")  \
    METRIC(PAIRS_SHARE, "pairs_share", IN_ACTIVITY, CHOSEN_PAIRS, RATIO_OF_SUMS, 0, "Share of significant groups of chosen pairs",         \
           "Share of groups of wells whose mAP of chosen pairs has a corrected p-value below 0.05")                                        \
    METRIC(KNN_COMPOUND, "knn_compound", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, COMPARED | VOTE_OF_5, "5 neighbours name the compound",    \
           "Share of wells whose compound is the commonest among the 5 nearest wells of other batches (of one batch: plates)")             \
    METRIC(KNN_MECHANISM, "knn_mechanism", IN_ACTIVITY, ALL_WELLS, RATIO_OF_SUMS, COMPARED | VOTE_OF_5, "5 neighbours name the mechanism", \
           "Share of wells whose mechanism is the commonest among the 5 nearest wells of other batches (of one batch: plates)")            \
    METRIC(KNN_SOURCE, "knn_source", IN_BATCHES, ALL_WELLS, RATIO_OF_SUMS, COMPARED | LOWER | VOTE_OF_5, "5 neighbours name the source",   \
           "Share of wells whose source is the commonest among the 5 nearest wells of other compounds")                                    \
    METRIC(KNN_PLATE, "knn_plate", IN_BATCHES, ALL_WELLS, RATIO_OF_SUMS, COMPARED | LOWER | VOTE_OF_5, "5 neighbours name the plate",      \
           "Share of wells whose plate is the commonest among the 5 nearest wells of other compounds")                                     \
    METRIC(SILHOUETTE_LABEL, "silhouette_label", IN_BATCHES, ALL_WELLS, RATIO_OF_SUMS, COMPARED, "Silhouette, compound",                   \
           "Mean silhouette of treatments by cosine distance, scaled to 0..1: 1 is well apart")                                            \
    METRIC(SILHOUETTE_BATCH, "silhouette_batch", IN_BATCHES, ALL_WELLS, VALUE_ONLY, 0, "Silhouette, batch",                                \
           "1 less the size of the silhouette of batches within each treatment: 1 is well mixed")                                          \
    METRIC(CONNECTIVITY, "connectivity", IN_BATCHES, ALL_WELLS, VALUE_ONLY, 0, "Graph connectivity",                                       \
           "Share of a treatment's wells in the largest connected part of the neighbour graph, averaged over treatments")                  \
    METRIC(LISI_LABEL, "lisi_label", IN_BATCHES, ALL_WELLS, VALUE_ONLY, 0, "LISI, compound",                                               \
           "Local inverse Simpson index of treatments, scaled to 0..1: 1 is well apart")                                                   \
    METRIC(LISI_BATCH, "lisi_batch", IN_BATCHES, ALL_WELLS, VALUE_ONLY, 0, "LISI, batch",                                                  \
           "Local inverse Simpson index of batches, scaled to 0..1: 1 is well mixed")                                                      \
    METRIC(NMI, "nmi", IN_BATCHES, ALL_WELLS, VALUE_ONLY, 0, "NMI of clusters",                                                            \
           "Normalized mutual information of k-means clusters and treatments")                                                             \
    METRIC(ARI, "ari", IN_BATCHES, ALL_WELLS, VALUE_ONLY, 0, "ARI of clusters",                                                            \
           "Adjusted Rand index of k-means clusters and treatments")                                                                       \
    METRIC(BATCH_MEAN, "batch_mean", IN_BATCHES, ALL_WELLS, VALUE_ONLY, 0, "Batches, mean",                                                \
           "Mean of graph connectivity, LISI and silhouette of batches")                                                                   \
    METRIC(BIOLOGY_MEAN, "biology_mean", IN_BATCHES, ALL_WELLS, VALUE_ONLY, 0, "Biology, mean",                                            \
           "Mean of NMI, ARI, LISI and silhouette of treatments, and mAP of activity")                                                     \
    METRIC(OVERALL, "overall_without_kbet", IN_BATCHES, ALL_WELLS, VALUE_ONLY, 0, "Overall, without kBET",                                 \
           "0.4 batches + 0.6 biology: the weights of Arevalo et al. 2024, but not all of their parts (docs/method.md 8)")
/* clang-format on */

#define METRIC_ID(id, ...) METRIC_##id,
typedef enum { METRIC_TABLE(METRIC_ID) N_METRICS } metric_id;
#undef METRIC_ID

typedef struct {
    const char *name;
    metric_section section;
    metric_setting setting;
    metric_estimate estimate;
    unsigned properties;
    const char *label, *help;
} metric_info;
extern const metric_info metric_table[N_METRICS];

const char *metric_setting_name(metric_setting s); /* "all", "seen_sources", .. */

/* {"settings":{name:label,..},"metrics":[{..},..]}: what the script of a page knows of the table; appended. pairs: the setting of
 * chosen pairs, "" where there are none. */
void metric_table_json(text *out, const char *pairs);

#endif
