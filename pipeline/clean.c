/* clean.c -- micon clean: outputs, never inputs. Only files whose names are those of outputs are removed, only below `work`, and links are
 * never followed. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    bool remove;
    int64_t files, bytes;
    const char *ends; /* endings of outputs in this folder */
    const char *run;  /* NULL; else only files called this with an ending */
    text busy;        /* the first program found that writes there now */
    status st;
} sweep;

/* ends: ".h5 .json" */
static bool is_output(const char *name, const char *ends)
{
    names list = {0};
    bool is = false;
    size_t n = strlen(name);
    names_split(&list, ends, ' ');
    for (size_t i = 0; i < list.n && !is; i++) {
        size_t m = strlen(list.item[i]);
        const char *part = strstr(name, ".part.");
        size_t end = part ? (size_t)(part - name) : n; /* a part file is named after the output it would have become */
        is = end > m && strncmp(name + end - m, list.item[i], m) == 0;
    }
    names_free(&list);
    return is;
}

static bool is_of_run(const char *name, const char *run)
{
    size_t n = run ? strlen(run) : 0;
    return !run || (strncmp(name, run, n) == 0 && name[n] == '.');
}

static void sweep_file(sweep *w, const char *path, const struct stat *sb)
{
    w->files++;
    w->bytes += sb->st_size;
    if (!w->busy.n && text_ends(path, ".json")) step_status_is_live(path, &w->busy);
    if (!w->busy.n && path_part_is_live(path_base(path))) text_addf(&w->busy, "a program that is writing %s", path);
    if (w->remove && unlink(path) != 0 && w->st == OK) w->st = fail(E_IO, "%s: %s", path, strerror(errno));
}

static void sweep_path(sweep *w, const char *path, int depth)
{
    struct stat sb;
    if (lstat(path, &sb) != 0) return;
    if (S_ISREG(sb.st_mode) && is_output(path_base(path), w->ends) && is_of_run(path_base(path), w->run)) sweep_file(w, path, &sb);
    DIR *d = S_ISDIR(sb.st_mode) && depth < 8 ? opendir(path) : NULL;
    if (!d) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *p = path_join(path, e->d_name);
        sweep_path(w, p, depth + 1);
        free(p);
    }
    closedir(d);
    if (w->remove && rmdir(path) != 0 && errno != ENOTEMPTY && errno != EEXIST && w->st == OK)
        w->st = fail(E_IO, "%s: %s", path, strerror(errno));
}

/* A place of a stage's files below work, and how their names end and begin. */
typedef struct {
    char *path;
    const char *ends, *run;
} area;
typedef struct {
    area *item;
    size_t n, cap;
    char *run; /* encoded */
} areas;

static status areas_add(areas *a, char *path, const char *ends, const char *run)
{
    status st = mem_grow(&a->item, &a->cap, a->n + 1, sizeof *a->item, "folders");
    if (st == OK)
        a->item[a->n++] = (area){path, ends, run};
    else
        free(path);
    return st;
}

static void areas_free(areas *a)
{
    for (size_t i = 0; i < a->n; i++) free(a->item[i].path);
    free(a->item);
    free(a->run);
}

/* Its outputs; then its status files: in a folder of the run's own where the record has one, else by the run's name. */
static status areas_of(areas *a, int stage)
{
    static const char records[] = ".made .json .inputs .files .log .failed .stopped";
    status st = OK;
    const stage_info *s = &stage_table[stage];
    names outputs = {0};
    const char *below = strrchr(s->record, '/');
    char *folder = below ? xstrndup(s->record, (size_t)(below - s->record)) : xstrdup("");
    char *pattern = xasprintf(WORK_STATUS "/%s%s%s", s->name, below ? "/" : "", folder);
    names_split(&outputs, s->clean, ' ');
    for (size_t i = 0; i < outputs.n; i++) TRY(areas_add(a, stage_path(outputs.item[i], a->run, ""), s->ends, NULL));
    TRY(areas_add(a, stage_path(pattern, a->run, ""), records, strcmp(s->record, "{run}") == 0 ? a->run : NULL));
done:
    names_free(&outputs);
    free(folder);
    free(pattern);
    return st;
}

static bool agreed(void)
{
    char answer[16] = "";
    fputs("remove these files? Type yes: ", stdout);
    fflush(stdout);
    return fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0;
}

static status sweep_all(const call *c, const areas *a, sweep *w)
{
    for (size_t i = 0; i < a->n; i++) {
        char *p = config_work(&c->cfg, a->item[i].path);
        w->ends = a->item[i].ends;
        w->run = a->item[i].run;
        sweep_path(w, p, 0);
        free(p);
    }
    return w->st;
}

status command_clean(call *c)
{
    status st = OK;
    unsigned stages;
    areas all = {.run = text_encode_name(c->cfg.train.run)};
    sweep look = {0}, again = {0}, sweep_now = {.remove = true};
    work_lock lock = {NULL};
    queue q = {0};
    char size[32], *work = config_work(&c->cfg, "");
    TRY(stages_chosen(&c->a.stages, &stages));
    for (int i = 0; i < n_stages; i++)
        if (stages >> i & 1) TRY(areas_of(&all, i));
    TRY(sweep_all(c, &all, &look));
    if (!look.files) {
        printf("nothing to remove in %s\n", work);
        goto done;
    }
    printf("%lld files, %s, in %s:\n", (long long)look.files, num_show_bytes(size, sizeof size, (double)look.bytes), work);
    for (size_t i = 0; i < all.n; i++) {
        const char *run = all.item[i].run;
        char *p = config_work(&c->cfg, all.item[i].path);
        if (path_exists(p)) printf("  %s%s%s%s\n", all.item[i].path, run ? "/" : "", run ? run : "", run ? ".*" : "");
        free(p);
    }
    if (c->a.dry_run) goto done;
    if (!c->a.yes && !agreed()) TRY(fail(E_FAILED, "nothing was removed"));
    TRY(submissions_none_active(c, &q));
    TRY(lock_take(&lock, c));
    TRY(sweep_all(c, &all, &again));
    if (again.busy.n)
        TRY(fail(E_FAILED, "still running here: %s; nothing was removed. Stop it or wait for its end", text_str(&again.busy)));
    TRY(sweep_all(c, &all, &sweep_now));
    printf("removed\n");
done:
    lock_release(&lock);
    queue_free(&q);
    text_free(&look.busy);
    text_free(&again.busy);
    text_free(&sweep_now.busy);
    areas_free(&all);
    free(work);
    return st;
}
