/* export.c -- what the readers of microscopes' files share (export_impl.h). */
#include "export_impl.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void plate_file_free(plate_file *p)
{
    free(p->path);
    free(p->plate);
    free(p->channel);
}

status plate_files_add(plate_files *f, plate_file p)
{
    status st = mem_grow(&f->item, &f->cap, f->n + 1, sizeof *f->item, "names of images");
    if (st == OK)
        f->item[f->n++] = p;
    else
        plate_file_free(&p);
    return st;
}

char *plate_name_of_folder(const char *path)
{
    char *dir = path_dir(path);
    for (;;) {
        const char *base = path_base(dir);
        if (strcasecmp(base, "Images") != 0 && strncmp(base, "TimePoint_", 10) != 0 && strncmp(base, "ZStep_", 6) != 0) break;
        char *up = path_dir(dir);
        free(dir);
        dir = up;
    }
    char *name = xstrdup(path_base(dir)), *date = strstr(name, "__");
    if (date && date > name && strstr(date, "-Measurement")) *date = '\0';
    free(dir);
    return name;
}

bool plate_well_name(int64_t row, int64_t column, char out[8])
{
    char place[16], letters[3] = {0};
    if (row < 1 || row > 26 * 27 || column < 1 || column > 99) return false;
    row--;
    letters[0] = (char)('A' + row % 26);
    if (row >= 26) letters[0] = (char)('A' + row / 26 - 1), letters[1] = (char)('A' + row % 26);
    snprintf(place, sizeof place, "%s%02d", letters, (int)column);
    return text_well(place, out);
}

static int by_name(const void *key, const void *entry)
{
    return strcmp(key, (*(struct dirent *const *)entry)->d_name);
}

bool folder_has(const export_folder *d, const char *name)
{
    return d->n > 0 && bsearch(name, d->entry, d->n, sizeof *d->entry, by_name) != NULL;
}

status export_add(export_reading *r, const export_image *image)
{
    status st = OK;
    plate_file p = {.site = image->site, .z = image->plane, .time = image->time};
    if (!*image->name || strchr(image->name, '/') || !plate_well_name(image->row, image->column, p.well)) {
        r->n_other++;
        goto done;
    }
    if (!folder_has(r->d, image->name)) {
        if (r->n_absent++ == 0) text_add(&r->absent, image->name);
        goto done;
    }
    p.path = path_join(r->d->path, image->name);
    p.plate = xstrdup(image->plate);
    p.channel = xasprintf("Ch%lld", (long long)image->channel);
    TRY(plate_files_add(r->f, p));
done:
    return st;
}

void export_name_channel(export_reading *r, int64_t number, const char *name)
{
    char key[40];
    snprintf(key, sizeof key, "Ch%lld", (long long)number);
    if (!*name || names_find(&r->channel, key) >= 0) return;
    names_add(&r->channel, key);
    names_add(&r->channel_name, name);
}

/* Do the images found have channels whose names differ, one each? */
static bool names_tell_apart(const export_reading *r)
{
    names seen = {0};
    bool good = true;
    for (size_t i = 0; i < r->channel_name.n; i++) {
        good = good && names_find(&seen, r->channel_name.item[i]) < 0 && !strchr(r->channel_name.item[i], '/');
        names_add(&seen, r->channel_name.item[i]);
    }
    for (size_t i = r->first; good && i < r->f->n; i++) good = names_find(&r->channel, r->f->item[i].channel) >= 0;
    names_free(&seen);
    return good && r->channel_name.n > 0;
}

static void free_memory(export_reading *r)
{
    text_free(&r->absent);
    names_free(&r->channel);
    names_free(&r->channel_name);
}

void export_finish(export_reading *r, const char *file)
{
    char shown[300];
    text line = {0};
    if (names_tell_apart(r))
        for (size_t i = r->first; i < r->f->n; i++) {
            plate_file *p = &r->f->item[i];
            long at = names_find(&r->channel, p->channel);
            free(p->channel);
            p->channel = xstrdup(r->channel_name.item[at]);
        }
    text_show(shown, sizeof shown, file);
    if (r->n_absent)
        text_addf(&line, "%s: %lld of its %lld images are not in the folder, the first is %s", shown, (long long)r->n_absent,
                  (long long)(r->n_absent + (int64_t)(r->f->n - r->first)), text_str(&r->absent));
    if (line.n) names_add(&r->f->told, line.s);
    text_clear(&line);
    if (r->n_other) text_addf(&line, "%s: %lld records left out: no image of a well, or no name of a file", shown, (long long)r->n_other);
    if (line.n) names_add(&r->f->told, line.s);
    text_free(&line);
    free_memory(r);
}

void export_forget(export_reading *r)
{
    while (r->f->n > r->first) plate_file_free(&r->f->item[--r->f->n]);
    free_memory(r);
}

status export_damaged(plate_files *f, status st)
{
    if (st != E_FORMAT && st != E_IO) return st;
    char *line = xasprintf("%s; not used", msg_get());
    names_add(&f->told, line);
    free(line);
    msg_clear();
    return OK;
}
