/* leftovers.c -- incomplete files that dead runs left, and folders that only we write into. */
#include "driver.h"

#include "micon/base/log.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where small files are written aside: status and records, choices, pictures of reports. A slash at the end: folders only. */
static const char *const small_files = WORK_STATUS " " WORK_STATUS "/*/ " WORK_STATUS "/*/*/ " WORK_CHOICES " " WORK_REPORTS "/*/*/";

void clean_leftovers(const config *c, const queue *q)
{
    int removed = 0;
    char *work = config_work(c, "");
    names folders = {0};
    for (int i = 0; i < n_stages; i++) names_split(&folders, stage_table[i].folders, ' ');
    names_split(&folders, small_files, ' ');
    for (size_t i = 0; i < folders.n; i++) {
        names found = {0};
        char *of_all_runs = stage_path(folders.item[i], "*", "*");
        if (path_glob(&found, work, of_all_runs) != OK) msg_clear();
        for (size_t k = 0; k < found.n; k++) removed += path_sweep_parts(found.item[k], q->answered ? &q->numbers : NULL);
        names_free(&found);
        free(of_all_runs);
    }
    names_free(&folders);
    free(work);
    if (removed) log_info("removed %d incomplete file%s that a dead run left", removed, removed == 1 ? "" : "s");
}

void clean_own_folder(const char *path)
{
    struct stat sb;
    DIR *d;
    if (lstat(path, &sb) != 0) return;
    if (!S_ISDIR(sb.st_mode)) {
        unlink(path);
        return;
    }
    if ((d = opendir(path)) == NULL) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *p = path_join(path, e->d_name);
        clean_own_folder(p);
        free(p);
    }
    closedir(d);
    rmdir(path);
}
