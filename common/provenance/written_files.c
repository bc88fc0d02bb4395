/* written_files.c -- CSV "digest,file", and at its end the digest of the list itself. */
#include "micon/provenance/written_files.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"
#include "micon/formats/csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_MOST = 64 << 20 };
static const char header[] = "digest,file\n";
static const digest_end end_line = {"list,", "\n"};

void written_files_forget(const config *c, const char *stage, const char *name)
{
    char *list = config_status_file(c, stage, name, "files");
    unlink(list); /* none: nothing to forget */
    free(list);
}

status written_files_record(const config *c, const char *stage, const char *name, const names *below)
{
    status st = OK;
    text t = {0};
    char *list = config_status_file(c, stage, name, "files"), *dir = path_dir(list), d[DIGEST_TEXT];
    text_add(&t, header);
    for (size_t i = 0; i < below->n; i++) {
        uint64_t digest;
        char *path = config_work(c, below->item[i]);
        bool there = path_exists(path);
        if (there) st = digest_file(path, &digest);
        free(path);
        if (st != OK) goto done;
        if (!there) continue;
        text_addf(&t, "%s,", digest_show(digest, d));
        csv_quote(&t, below->item[i]);
        text_add(&t, "\n");
    }
    digest_end_add(&t, &end_line);
    TRY(path_make_dirs(dir));
    TRY(path_write(list, text_str(&t), t.n));
done:
    text_free(&t);
    free(list);
    free(dir);
    return st;
}

static status list_read(const char *list, char **data, uint64_t *digest)
{
    status st = OK;
    size_t size;
    TRY(path_read(list, data, &size, LIST_MOST));
    TRY(fail_within(digest_end_check(*data, size, &end_line, digest), "%s", list));
done:
    return st;
}

status written_files_check_list(const char *path, uint64_t *digest)
{
    char *data = NULL;
    status st = list_read(path, &data, digest);
    free(data);
    return st;
}

/* The digest that a list has of the file, or 0. */
static status look_up(const char *list, const char *below, uint64_t *digest)
{
    status st = OK;
    uint64_t own;
    char *data = NULL;
    text want = {0};
    *digest = 0;
    TRY(list_read(list, &data, &own));
    text_add(&want, ",");
    csv_quote(&want, below);
    text_add(&want, "\n");
    const char *at = strstr(data, text_str(&want));
    if (at && at - data >= DIGEST_TEXT - 1) *digest = strtoull(at - (DIGEST_TEXT - 1), NULL, 16);
done:
    text_free(&want);
    free(data);
    return st;
}

/* The lists of the work folder that holds `whole`, and the file's name below it; none: the list stays empty. */
static status find_lists(const char *whole, names *lists, const char **below)
{
    status st = OK;
    char *folder = path_dir(whole);
    for (;;) {
        char *status_dir = path_join(folder, WORK_STATUS), *up = path_dir(folder);
        bool found = path_is_dir(status_dir);
        if (found) {
            *below = whole + strlen(folder) + (strcmp(folder, "/") != 0);
            st = path_glob(lists, status_dir, "*/*.files");
        }
        bool top = strcmp(folder, up) == 0;
        free(status_dir);
        free(folder);
        folder = up;
        if (found || top || st != OK) break;
    }
    free(folder);
    return st;
}

/* Two stages may write the same file: one of them has its digest. */
status written_files_check(const char *path, uint64_t *digest)
{
    status st = OK;
    names lists = {0};
    const char *below = NULL;
    uint64_t now, then;
    bool any = false;
    char *whole = realpath(path, NULL);
    *digest = 0;
    if (!whole) TRY(fail(E_IO, "%s: %s", path, strerror(errno)));
    TRY(find_lists(whole, &lists, &below));
    for (size_t i = 0; i < lists.n; i++) {
        TRY(look_up(lists.item[i], below, &then));
        if (!then) continue;
        if (!any) TRY(digest_file(path, &now));
        any = true;
        if (now == then) *digest = now;
    }
    if (any && !*digest) TRY(fail(E_FORMAT, "%s: is not what was written: it was changed or damaged since", path));
done:
    names_free(&lists);
    free(whole);
    return st;
}
