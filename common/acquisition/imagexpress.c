/* imagexpress.c -- PLATE.HTD of an ImageXpress: lines "key", value. Of it only the names of the wavelengths are needed: the images' names
 * say the rest. */
#include "export_impl.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_BYTES = 1 << 20 };

/* Latin-1, as Windows writes it, to UTF-8; what is UTF-8 already stays. */
static char *to_utf8(const char *s, size_t n)
{
    char *out = xmalloc(2 * n + 1), *to = out, *copy = xstrndup(s, n), *shown = xmalloc(3 * n + 8);
    bool good = strcmp(text_show(shown, 3 * n + 8, copy), copy) == 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (good || c < 128) {
            *to++ = (char)c;
        } else {
            *to++ = (char)(0xC0 | c >> 6);
            *to++ = (char)(0x80 | (c & 0x3F));
        }
    }
    *to = '\0';
    free(copy);
    free(shown);
    return out;
}

/* "WaveName2", "DAPI" in a line: 2 and the name. 0: the line says something else. */
static int64_t wave_name(const char *line, const char *end, char **name)
{
    static const char key[] = "\"WaveName";
    while (line < end && isspace((unsigned char)*line)) line++;
    if ((size_t)(end - line) < sizeof key || strncasecmp(line, key, sizeof key - 1) != 0) return 0;
    int64_t number = strtoll(line + sizeof key - 1, NULL, 10);
    const char *comma = memchr(line, ',', (size_t)(end - line)), *from = comma ? memchr(comma, '"', (size_t)(end - comma)) : NULL;
    const char *to = from ? memchr(from + 1, '"', (size_t)(end - from - 1)) : NULL;
    if (!to || number < 1) return 0;
    *name = to_utf8(from + 1, (size_t)(to - from - 1));
    return number;
}

static status read_htd(export_reading *r, const char *path)
{
    status st = OK;
    char *all = NULL, *name;
    size_t n;
    TRY(path_read(path, &all, &n, MOST_BYTES));
    for (const char *line = all, *end; line && *line; line = *end ? end + 1 : NULL) {
        end = line + strcspn(line, "\n");
        int64_t number = wave_name(line, end, &name);
        if (!number) continue;
        export_name_channel(r, number, name);
        free(name);
    }
done:
    free(all);
    return st;
}

status imagexpress_name_channels(plate_files *f, const export_folder *d, size_t first)
{
    status st = OK;
    for (size_t i = 0; i < d->n && st == OK; i++) {
        const char *end = strrchr(d->entry[i]->d_name, '.');
        if (!end || strcasecmp(end, ".htd") != 0) continue;
        char *path = path_join(d->path, d->entry[i]->d_name);
        export_reading r = {.f = f, .d = d, .first = first};
        st = export_damaged(f, read_htd(&r, path));
        export_finish(&r, path);
        free(path);
        break; /* of one plate: a folder with two is of no plate */
    }
    return st;
}
