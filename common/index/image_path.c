/* image_path.c -- a path of an image table: from another machine's folder to ours, from a URL to a file's name. */
#include "build_impl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool image_path_local(text *t)
{
    char *s = t->s, *from, *to = s;
    if (strncasecmp(s, "file:", 5) != 0) return strstr(s, "://") == NULL; /* a plain path */
    from = s + 5;
    if (from[0] == '/' && from[1] == '/') {
        from += 2;
        if (strncasecmp(from, "localhost/", 10) == 0) from += 9;
        if (*from != '/') return false; /* another host */
    }
    while (*from) {
        char hex[3] = {0};
        if (*from == '%' && from[1]) hex[0] = from[1], hex[1] = from[2];
        if (isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1])) {
            *to = (char)strtol(hex, NULL, 16);
            if (!*to) return false;
            from += 3;
        } else {
            *to = *from++;
        }
        to++;
    }
    *to = '\0';
    t->n = (size_t)(to - s);
    return true;
}

static bool is_separator(char c)
{
    return c == '/' || c == '\\';
}

bool image_path_move(text *path, const char *from, const char *to)
{
    const char *full = text_str(path);
    size_t n = from ? strlen(from) : 0;
    if (!n || strncmp(full, from, n) != 0) return false;
    bool windows = strchr(from, '\\') != NULL, inside = full[n] && !is_separator(full[n]);
    if (inside && !is_separator(from[n - 1])) return false; /* `from` ends within a name */
    text moved = {0};
    text_add(&moved, to && *to ? to : ".");
    while (!inside && moved.n > 1 && moved.s[moved.n - 1] == '/') moved.s[--moved.n] = '\0';
    if (inside && moved.s[moved.n - 1] != '/') text_add(&moved, "/");
    size_t rest = moved.n;
    text_add(&moved, full + n);
    for (char *p = moved.s + rest; windows && *p; p++)
        if (*p == '\\') *p = '/';
    text_free(path);
    *path = moved;
    return true;
}
