/* name_pattern.c -- matching by trying: each field takes its shortest text first and gets longer until the rest matches. A budget of steps
 * bounds what names made for it could cost. */
#include "name_pattern_impl.h"

#include "micon/base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MOST_STEPS = 200000, GUID_LENGTH = 36 };

static const struct {
    const char *name;
    size_t least, most;
} fields[N_FIELDS] = {
    [FIELD_PLATE] = {"plate", 1, 255}, [FIELD_WELL] = {"well", 2, 4}, [FIELD_ROW] = {"row", 1, 3},
    [FIELD_COL] = {"col", 1, 3},       [FIELD_SITE] = {"site", 1, 9}, [FIELD_CHANNEL] = {"channel", 1, 255},
    [FIELD_Z] = {"z", 1, 9},           [FIELD_TIME] = {"time", 1, 9}, [FIELD_GUID] = {"guid", GUID_LENGTH, GUID_LENGTH},
    [FIELD_ANY] = {"*", 0, 255},
};

typedef struct {
    name_fields *out;
    const char *ending; /* of the pattern: from its last '.' on upper and lower case are the same */
    int steps;
} search;

/* The field that begins at p ('{'); *length of "{name}". N_FIELDS: there is none of this name. */
static field_kind field_at(const char *p, size_t *length)
{
    const char *end = strchr(p, '}');
    if (!end) return N_FIELDS;
    *length = (size_t)(end - p) + 1;
    for (int k = 0; k < N_FIELDS; k++)
        if (strlen(fields[k].name) == *length - 2 && strncmp(fields[k].name, p + 1, *length - 2) == 0) return (field_kind)k;
    return N_FIELDS;
}

status name_pattern_check(const char *pattern)
{
    char shown[200];
    bool has[N_FIELDS] = {false};
    size_t length;
    text_show(shown, sizeof shown, pattern);
    for (const char *p = pattern; (p = strchr(p, '{')) != NULL; p += length) {
        field_kind k = field_at(p, &length);
        if (k == N_FIELDS)
            return fail(
                E_USAGE,
                "--pattern: '%s' has a field that is not known; {plate} {well} {row} {col} {site} {channel} {z} {time} {guid} {*} are",
                shown);
        has[k] = true;
    }
    if (!has[FIELD_WELL] && !(has[FIELD_ROW] && has[FIELD_COL]))
        return fail(E_USAGE, "--pattern: '%s' has no {well}, nor {row} and {col}", shown);
    return OK;
}

/* May a field hold this byte at this place? */
static bool may_hold(field_kind k, unsigned char c, size_t place)
{
    switch (k) {
    case FIELD_WELL: return place == 0 ? isalpha(c) != 0 : isalnum(c) != 0;
    case FIELD_ROW: return isalnum(c) != 0;
    case FIELD_COL:
    case FIELD_SITE:
    case FIELD_Z:
    case FIELD_TIME: return isdigit(c) != 0;
    case FIELD_GUID: return place == 8 || place == 13 || place == 18 || place == 23 ? c == '-' : isxdigit(c) != 0;
    default: return c != '/';
    }
}

/* Is what a field would take a value of it, and what it took before? */
static bool accepts(const name_fields *f, field_kind k, const char *s, size_t n)
{
    char well[8], copy[8];
    if (k == FIELD_WELL) {
        snprintf(copy, sizeof copy, "%.*s", (int)n, s);
        if (!text_well(copy, well)) return false;
    }
    if (k == FIELD_ROW)
        for (size_t i = 1; i < n; i++)
            if (!isdigit((unsigned char)s[i]) != !isdigit((unsigned char)s[0])) return false;
    return k == FIELD_ANY || !f->at[k] || (f->n[k] == n && strncmp(f->at[k], s, n) == 0);
}

static bool match(search *m, const char *p, const char *s)
{
    size_t length;
    if (m->steps++ > MOST_STEPS) return false;
    for (; *p && *p != '{'; p++, s++)
        if (*p != *s && (!m->ending || p < m->ending || tolower((unsigned char)*p) != tolower((unsigned char)*s))) return false;
    if (!*p) return !*s;
    field_kind k = field_at(p, &length);
    for (size_t n = 0; n <= fields[k].most; n++) {
        if (n >= fields[k].least && accepts(m->out, k, s, n)) {
            name_fields before = *m->out;
            m->out->at[k] = s;
            m->out->n[k] = n;
            if (match(m, p + length, s + n)) return true;
            *m->out = before;
        }
        if (!s[n] || !may_hold(k, (unsigned char)s[n], n)) break;
    }
    return false;
}

bool name_pattern_match(const char *pattern, const char *path, name_fields *out)
{
    size_t parts = 1;
    const char *s = path + strlen(path);
    search m = {.out = out, .ending = strrchr(pattern, '.')};
    for (const char *p = pattern; *p; p++) parts += *p == '/';
    while (s > path && (s[-1] != '/' || --parts > 0)) s--;
    *out = (name_fields){0};
    return match(&m, pattern, s);
}
