/* cluster.h -- SLURM's partitions, nodes and limits (sinfo, scontrol show config, sacctmgr), and whether a job can run there: checked
 * before anything is queued. Values that SLURM does not report are not checked. */
#ifndef CLUSTER_H
#define CLUSTER_H
#include "driver.h"

typedef struct {
    char *partition, *state, *features;
    bool is_default, up;
    int64_t mem_mb, cpus, nodes, limit_min; /* of a node; number of such nodes; 0: not reported or without limit */
} node_group;
typedef struct {
    node_group *group;
    size_t n;
    int64_t max_array, max_jobs, max_submit; /* MaxArraySize, MaxJobCount, MaxSubmitJobs; 0: not known */
} cluster;
void cluster_read(cluster *k); /* sinfo and scontrol; without an answer the values are unknown */
void cluster_read_account(cluster *k, const char *account, const char *qos); /* sacctmgr, where there is an accounting database */
void cluster_free(cluster *k);

int64_t cluster_node_mb(const cluster *k, const char *partition);   /* of the largest node; "": the default partition; 0: not known */
int64_t cluster_limit_min(const cluster *k, const char *partition); /* the longest time; 0: none or not known */

/* E_FAILED: SLURM would refuse the job or never start it; names the key. minutes, mb: as asked for by the configuration, 0: automatic.
 * warnings: reasons why it may wait. */
status cluster_check(const cluster *k, const char *stage, const slurm_resources *r, names *warnings) MUST_USE;

#endif
