/* opt.c -- values from text, checked, by table. */
#include "micon/config/opt.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *at(const opt *o, void *base)
{
    return (char *)base + o->offset;
}

static const void *at_const(const opt *o, const void *base)
{
    return (const char *)base + o->offset;
}

/* Position of `value` among "a|b|c", or -1. */
static int word_find(const char *words, const char *value)
{
    int i = 0;
    size_t n = strlen(value);
    for (const char *w = words; w && *w; i++) {
        size_t len = strcspn(w, "|");
        if (len == n && memcmp(w, value, n) == 0) return i;
        w += len + (w[len] == '|');
    }
    return -1;
}

static const char *word_at(const char *words, int i, size_t *len)
{
    for (; i > 0 && *words; i--) {
        words += strcspn(words, "|");
        words += *words == '|';
    }
    *len = strcspn(words, "|");
    return words;
}

static status bad(const opt *o, const char *where, const char *value, const char *wanted)
{
    char v[80];
    text_show(v, sizeof v, value);
    if (where) return fail(E_USAGE, "%s: %s: '%s' is not %s", where, o->name, v, wanted);
    return fail(E_USAGE, "%s%s: '%s' is not %s", strlen(o->name) == 1 ? "-" : "--", o->name, v, wanted);
}

static status set_number(const opt *o, void *place, const char *value, const char *where)
{
    char wanted[200], lo[32], hi[32];
    double v = 0;
    int64_t i = 0;
    int w = word_find(o->words, value);
    if (w >= 0) {
        if (o->type == OPT_REAL)
            *(double *)place = -1.0 - w;
        else
            *(int64_t *)place = -1 - w;
        return OK;
    }
    bool good = o->type == OPT_INT ? num_i64(value, &i) : o->type == OPT_BYTES ? num_bytes(value, &i) : num_f64(value, &v);
    if (good && o->type != OPT_REAL) v = (double)i;
    if (good && v >= o->min && v <= o->max) {
        if (o->type == OPT_REAL)
            *(double *)place = v;
        else
            *(int64_t *)place = i;
        return OK;
    }
    const char *kind = o->type == OPT_INT ? "a whole number" : o->type == OPT_BYTES ? "a size such as 512MiB" : "a number";
    if (o->type == OPT_BYTES) {
        num_show_bytes(lo, sizeof lo, o->min);
        num_show_bytes(hi, sizeof hi, o->max);
    } else {
        snprintf(lo, sizeof lo, "%.15g", o->min);
        snprintf(hi, sizeof hi, "%.15g", o->max);
    }
    snprintf(wanted, sizeof wanted, "%s from %s to %s%s%s", kind, lo, hi, o->words ? ", or " : "", o->words ? o->words : "");
    return bad(o, where, value, wanted);
}

status opt_set(const opt *o, void *base, const char *value, const char *where)
{
    void *place = at(o, base);
    switch (o->type) {
    case OPT_FLAG:
    case OPT_YES:
        if (!num_yes(value, place)) return bad(o, where, value, "yes or no");
        return OK;
    case OPT_TEXT: {
        char *copy = xstrdup(value);
        free(*(char **)place);
        *(char **)place = copy;
        return OK;
    }
    case OPT_LIST: names_add(place, value); return OK;
    case OPT_CHOICE: {
        int w = word_find(o->words, value);
        if (w < 0) {
            char wanted[300] = "one of ";
            size_t n = strlen(wanted);
            for (const char *p = o->words; *p && n + 3 < sizeof wanted; p++) {
                if (*p == '|')
                    wanted[n++] = ',', wanted[n++] = ' ';
                else
                    wanted[n++] = *p;
            }
            wanted[n] = '\0';
            return bad(o, where, value, wanted);
        }
        *(int *)place = w;
        return OK;
    }
    case OPT_INT:
    case OPT_REAL:
    case OPT_BYTES: return set_number(o, place, value, where);
    }
    return fail(E_INTERNAL, "option %s has no type", o->name);
}

void opt_clear(const opt *o, void *base)
{
    if (o->type == OPT_LIST) names_free(at(o, base));
}

status opt_defaults(const opt *table, void *base)
{
    status st = OK;
    for (const opt *o = table; o->name; o++) {
        if (o->type == OPT_FLAG) {
            *(bool *)at(o, base) = false;
        } else if (o->type == OPT_LIST) {
            if (*o->def) names_split(at(o, base), o->def, ',');
        } else {
            TRY(opt_set(o, base, o->def, "default"));
        }
    }
done:
    return st;
}

void opt_free(const opt *table, void *base)
{
    for (const opt *o = table; o->name; o++) {
        if (o->type == OPT_TEXT) FREE(*(char **)at(o, base));
        if (o->type == OPT_LIST) names_free(at(o, base));
    }
}

const opt *opt_find(const opt *table, const char *section, const char *name)
{
    for (const opt *o = table; o->name; o++)
        if (strcmp(o->name, name) == 0 && (!section || (o->section && strcmp(o->section, section) == 0))) return o;
    return NULL;
}

static void show_number(const opt *o, double v, text *out)
{
    if (o->words && v < 0 && v < o->min) {
        size_t len;
        const char *w = word_at(o->words, (int)(-v) - 1, &len);
        text_addn(out, w, len);
        return;
    }
    char digits[40];
    for (int precision = 6; precision <= 17; precision++) { /* the shortest that reads back the same */
        snprintf(digits, sizeof digits, "%.*g", precision, v);
        if (strtod(digits, NULL) == v) break;
    }
    text_add(out, digits);
}

void opt_show(const opt *o, const void *base, text *out)
{
    const void *p = at_const(o, base);
    switch (o->type) {
    case OPT_FLAG:
    case OPT_YES: text_add(out, *(const bool *)p ? "yes" : "no"); break;
    case OPT_TEXT: text_add(out, *(char *const *)p); break;
    case OPT_LIST: {
        const names *l = p;
        text_add(out, "[");
        for (size_t i = 0; i < l->n; i++) text_addf(out, "%s%s", i ? ", " : "", l->item[i]);
        text_add(out, "]");
        break;
    }
    case OPT_CHOICE: {
        size_t len;
        const char *w = word_at(o->words, *(const int *)p, &len);
        text_addn(out, w, len);
        break;
    }
    case OPT_INT:
    case OPT_BYTES:
        if (o->words && *(const int64_t *)p < 0 && (double)*(const int64_t *)p < o->min)
            show_number(o, (double)*(const int64_t *)p, out);
        else
            text_addf(out, "%lld", (long long)*(const int64_t *)p);
        break;
    case OPT_REAL: show_number(o, *(const double *)p, out); break;
    }
}

void opt_show_range(const opt *o, text *out)
{
    bool of_texts = o->type == OPT_TEXT || o->type == OPT_LIST;
    if (o->type == OPT_FLAG || (of_texts && !*o->def)) return; /* empty: the help text says what that means */
    text_addf(out, " [%s", o->def);
    if (o->type == OPT_CHOICE) text_addf(out, "; %s", o->words);
    if (o->type == OPT_INT || o->type == OPT_REAL) text_addf(out, "; %.15g..%.15g", o->min, o->max);
    bool number = o->type == OPT_INT || o->type == OPT_REAL;
    if ((number || o->type == OPT_BYTES) && o->words) text_addf(out, number ? " or %s" : "; a size or %s", o->words);
    text_add(out, "]");
}

static bool is_key(const opt *o, const char *name)
{
    size_t n = o->section ? strlen(o->section) : 0;
    return n && name && strncmp(name, o->section, n) == 0 && name[n] == '.' && strcmp(name + n + 1, o->name) == 0;
}

bool opt_is_of(const opt *o, const char *section_or_key)
{
    return !section_or_key || (o->section && strcmp(o->section, section_or_key) == 0) || is_key(o, section_or_key);
}

char *opt_title(char *buf, size_t size, const opt *o, const char *section_or_key)
{
    bool whole = is_key(o, section_or_key);
    snprintf(buf, size, "%s%s%s", !o->section ? (strlen(o->name) == 1 ? "-" : "--") : whole ? o->section : "", whole ? "." : "", o->name);
    return buf;
}

void opt_help(const opt *table, const char *section_or_key, text *out)
{
    static const char *const value[] = {"", "yes|no", "TEXT", "TEXT", "N", "X", "SIZE", "WORD"};
    for (const opt *o = table; o->name; o++) {
        char head[96], title[64];
        if (!o->help || !opt_is_of(o, section_or_key)) continue;
        snprintf(head, sizeof head, "  %s%s %s", opt_title(title, sizeof title, o, section_or_key), o->section ? ":" : "", value[o->type]);
        text_addf(out, "%-28s %s", head, o->help);
        opt_show_range(o, out);
        text_add(out, "\n");
    }
}

/* `dashes` as they were given: the name follows them. */
static status unknown(const opt *table, const char *dashes, const char *arg, size_t name_len)
{
    const char *known[128];
    size_t n = 0;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)name_len, arg);
    for (const opt *o = table; o->name && n < 128; o++) known[n++] = o->name;
    const char *near = names_nearest(name, known, n);
    if (near) return fail(E_USAGE, "unknown option %s%s; did you mean %s%s?", dashes, name, strlen(near) == 1 ? "-" : "--", near);
    return fail(E_USAGE, "unknown option %s%s; --help lists them", dashes, name);
}

status opt_args(const opt *table, void *base, int argc, char **argv, names *rest)
{
    status st = OK;
    for (int i = 1; i < argc; i++) {
        const char *a = strcmp(argv[i], "-h") == 0 && opt_find(table, NULL, "help") ? "--help" : argv[i];
        if (strcmp(a, "--") == 0) {
            while (++i < argc) names_add(rest, argv[i]);
            break;
        }
        bool is_long = a[0] == '-' && a[1] == '-', is_short = a[0] == '-' && a[1] && a[1] != '-' && !a[2];
        if (!is_long && !is_short) {
            if (a[0] == '-' && a[1]) TRY(fail(E_USAGE, "unknown option %s; --help lists them", a));
            names_add(rest, a);
            continue;
        }
        const char *name = a + (is_long ? 2 : 1);
        size_t len = strcspn(name, "=");
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)len, name);
        const opt *o = len < sizeof key ? opt_find(table, NULL, key) : NULL;
        if (!o || (is_short && strlen(o->name) != 1)) TRY(unknown(table, is_long ? "--" : "-", name, len));
        if (o->type == OPT_FLAG) {
            if (name[len] == '=') TRY(fail(E_USAGE, "--%s takes no value", o->name));
            *(bool *)at(o, base) = true;
            continue;
        }
        const char *value = name[len] == '=' ? name + len + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value) TRY(fail(E_USAGE, "%s%s needs a value", is_long ? "--" : "-", o->name));
        TRY(opt_set(o, base, value, NULL));
    }
done:
    return st;
}
