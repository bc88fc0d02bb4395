/* check.c -- micon check: every input problem at once. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/safetensors.h"
#include "micon/index/index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Can outputs be written? Does not create the folder. */
static void check_work(const config *c, findings *f)
{
    char *work = config_work(c, ""), *dir = xstrdup(work);
    while (!path_exists(dir) && strcmp(dir, "/") != 0 && strcmp(dir, ".") != 0) {
        char *up = path_dir(dir);
        free(dir);
        dir = up;
    }
    if (access(dir, W_OK | X_OK) != 0)
        findings_add(f, FINDING_ERROR, "the work folder cannot be written", "%s: %s", dir, strerror(errno));
    else if (!path_is_dir(dir))
        findings_add(f, FINDING_ERROR, "the work folder cannot be written", "%s is not a folder", dir);
    free(dir);
    free(work);
}

static void check_file(const config *c, const char *key, const char *name, findings *f)
{
    char *path = config_path(c, name);
    if (access(path, R_OK) != 0)
        findings_add(f, FINDING_ERROR, "files of the configuration that cannot be read", "%s: %s: %s", key, path, strerror(errno));
    free(path);
}

/* A model or weights: the whole file is read, and its digest compared where it has one. */
static void check_weights(const config *c, const char *key, const char *name, findings *f)
{
    safetensors t = {0};
    char *path = config_path(c, name);
    if (access(path, R_OK) != 0) {
        check_file(c, key, name, f);
    } else if (safetensors_read(&t, path) != OK) {
        findings_add(f, FINDING_ERROR, "files of the configuration that cannot be read", "%s: %s", key, msg_get());
        msg_clear();
    }
    safetensors_free(&t);
    free(path);
}

static void check_profiles(const config *c, const char *pattern, findings *f)
{
    static const char kind[] = "files of the configuration that cannot be read";
    names file = {0};
    if (path_glob(&file, c->dir, pattern) != OK) {
        findings_add(f, FINDING_ERROR, kind, "evaluate.profiles: %s", msg_get());
        msg_clear();
    } else if (!file.n) {
        char *path = config_path(c, pattern);
        findings_add(f, FINDING_ERROR, kind, "evaluate.profiles: no file matches %s", path);
        free(path);
    }
    for (size_t i = 0; i < file.n; i++)
        if (access(file.item[i], R_OK) != 0)
            findings_add(f, FINDING_ERROR, kind, "evaluate.profiles: %s: %s", file.item[i], strerror(errno));
        else if (path_is_dir(file.item[i]))
            findings_add(f, FINDING_ERROR, kind, "evaluate.profiles: %s is a folder", file.item[i]);
    names_free(&file);
}

static void check_named_files(const config *c, findings *f)
{
    for (size_t i = 0; i < c->evaluate.profiles.n; i++) check_profiles(c, c->evaluate.profiles.item[i], f);
    if (*c->featurize.vectors) check_file(c, "featurize.vectors", c->featurize.vectors, f);
    if (*c->embed.model) check_weights(c, "embed.model", c->embed.model, f);
    if (*c->evaluate.relations) check_file(c, "evaluate.relations", c->evaluate.relations, f);
    if (*c->evaluate.transform_with) check_file(c, "evaluate.transform_with", c->evaluate.transform_with, f);
    if (strcmp(c->train.weights, "none") != 0) check_weights(c, "train.weights", c->train.weights, f);
}

static status check_plates(const call *c, findings *f)
{
    status st = OK;
    screen_index *ix = NULL;
    remote *net = NULL;
    index_options o = index_options_of(&c->cfg);
    char *cache = index_cache_name(&c->cfg);
    TRY(index_open(&ix, &o, cache));
    findings_merge(f, index_findings(ix));
    bool illumination = c->cfg.tile.illumination == ILLUMINATION_FILE;
    index_check_files(ix, 0, index_n_plates(ix), illumination, c->cfg.tile.max_bad, f);
    if (c->a.remote) {
        net = remote_open_for(&c->cfg, false);
        TRY(check_remote(&c->cfg, ix, net, f));
    }
    check_images(&c->cfg, ix, net, f);
    check_structures(&c->cfg, ix, f);
    int64_t plates = index_n_plates(ix), sites = index_n_rows(ix);
    int channels = index_n_channels(ix), compounds = index_n_classes(ix);
    printf("%lld plate%s, %lld site%s, %d channel%s, %d compound%s\n", (long long)plates, plates == 1 ? "" : "s", (long long)sites,
           sites == 1 ? "" : "s", channels, channels == 1 ? "" : "s", compounds, compounds == 1 ? "" : "s");
    int64_t n = index_n_remote(ix, 0, sites, illumination);
    if (n && !c->a.remote)
        printf("%lld file%s remote and %s not looked at; micon check --remote asks for %s\n", (long long)n, n == 1 ? " is" : "s are",
               n == 1 ? "was" : "were", n == 1 ? "it" : "them");
    check_say_wells(&c->cfg, ix);
done:
    remote_close(&net);
    index_free(&ix);
    free(cache);
    return st;
}

status command_check(call *c)
{
    status st = OK;
    findings f = {0};
    text t = {0};
    check_work(&c->cfg, &f);
    check_named_files(&c->cfg, &f);
    check_method(&c->cfg, &f);
    if (!c->cfg.evaluate.profiles.n) TRY(check_plates(c, &f));
    findings_show(&f, &t);
    fputs(f.n ? text_str(&t) : "no problems found\n", stdout);
    int64_t errors = findings_count(&f, FINDING_ERROR);
    if (errors) TRY(fail(E_FAILED, "%s: %lld error%s to fix before running", c->path, (long long)errors, errors == 1 ? "" : "s"));
done:
    text_free(&t);
    findings_free(&f);
    return st;
}
