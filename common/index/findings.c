/* findings.c -- kinds of trouble with counts and first examples. */
#include "micon/index/findings.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EXAMPLE = 700 };

static finding *kind_of(findings *f, finding_level level, const char *what)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->item[i].level == level && strcmp(f->item[i].what, what) == 0) return &f->item[i];
    if (f->n == f->cap) f->item = xrealloc(f->item, (f->cap = f->cap * 2 + 8) * sizeof *f->item);
    f->item[f->n] = (finding){.level = level, .what = xstrdup(what)};
    return &f->item[f->n++];
}

static void add(findings *f, finding_level level, const char *what, int64_t count, const char *fmt, va_list ap)
{
    finding *k = kind_of(f, level, what);
    k->count += count;
    if (k->example.n >= FINDING_EXAMPLES) return;
    char raw[MAX_EXAMPLE], shown[MAX_EXAMPLE + 8];
    vsnprintf(raw, sizeof raw, fmt, ap);
    names_add(&k->example, text_show(shown, sizeof shown, raw));
}

void findings_add(findings *f, finding_level level, const char *what, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(f, level, what, 1, fmt, ap);
    va_end(ap);
}

void findings_add_n(findings *f, finding_level level, const char *what, int64_t count, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(f, level, what, count, fmt, ap);
    va_end(ap);
}

bool findings_full(const findings *f, finding_level level, const char *what)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->item[i].level == level && strcmp(f->item[i].what, what) == 0) return f->item[i].example.n >= FINDING_EXAMPLES;
    return false;
}

void findings_merge(findings *to, const findings *from)
{
    for (size_t i = 0; i < from->n; i++) {
        const finding *k = &from->item[i];
        finding *t = kind_of(to, k->level, k->what);
        t->count += k->count;
        for (size_t e = 0; e < k->example.n && t->example.n < FINDING_EXAMPLES; e++) names_add(&t->example, k->example.item[e]);
    }
}

int64_t findings_count(const findings *f, finding_level level)
{
    int64_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        if (f->item[i].level == level) n += f->item[i].count;
    return n;
}

void findings_free(findings *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->item[i].what);
        names_free(&f->item[i].example);
    }
    free(f->item);
    *f = (findings){0};
}

void findings_show(const findings *f, text *out)
{
    for (int level = FINDING_ERROR; level >= FINDING_WARNING; level--)
        for (size_t i = 0; i < f->n; i++) {
            const finding *k = &f->item[i];
            if ((int)k->level != level) continue;
            text_addf(out, "%s: %s: %lld\n", level == FINDING_ERROR ? "error" : "warning", k->what, (long long)k->count);
            for (size_t e = 0; e < k->example.n; e++) text_addf(out, "    %s\n", k->example.item[e]);
            if (k->count > (int64_t)k->example.n && k->example.n == FINDING_EXAMPLES)
                text_addf(out, "    ... and %lld more\n", (long long)(k->count - (int64_t)k->example.n));
        }
}

status findings_verdict(const findings *f)
{
    int64_t n = findings_count(f, FINDING_ERROR);
    for (size_t i = 0; i < f->n; i++) {
        const finding *k = &f->item[i];
        if (k->level != FINDING_ERROR) continue;
        if (n == 1) return fail(E_FAILED, "%s (%s)", k->example.item[0], k->what);
        return fail(E_FAILED, "%s (%s; the first of %lld errors in the inputs; micon check lists them)", k->example.item[0], k->what,
                    (long long)n);
    }
    return OK;
}

/* Lines: level, count, number of examples, and the texts (which hold no line ends), each on its own. */
void findings_pack(const findings *f, text *out)
{
    for (size_t i = 0; i < f->n; i++) {
        const finding *k = &f->item[i];
        text_addf(out, "%d\n%lld\n%zu\n%s\n", (int)k->level, (long long)k->count, k->example.n, k->what);
        for (size_t e = 0; e < k->example.n; e++) text_addf(out, "%s\n", k->example.item[e]);
    }
}

/* The next line, or NULL; at most `max` bytes of it. */
static char *take_line(const char **p, const char *end, size_t max)
{
    const char *nl = *p < end ? memchr(*p, '\n', (size_t)(end - *p)) : NULL;
    if (!nl || (size_t)(nl - *p) > max || memchr(*p, '\0', (size_t)(nl - *p))) return NULL;
    char *line = xstrndup(*p, (size_t)(nl - *p));
    *p = nl + 1;
    return line;
}

static bool take_number(const char **p, const char *end, int64_t max, int64_t *v)
{
    char *line = take_line(p, end, 20);
    bool good = line && num_i64(line, v) && *v >= 0 && *v <= max;
    free(line);
    return good;
}

status findings_unpack(findings *out, const void *data, size_t size)
{
    const char *p = data, *end = p + size;
    while (p < end) {
        int64_t level, count, n;
        if (!take_number(&p, end, FINDING_ERROR, &level) || !take_number(&p, end, INT64_MAX / 4, &count) ||
            !take_number(&p, end, FINDING_EXAMPLES, &n) || n < 1)
            return fail(E_FORMAT, "not a packed list of findings");
        findings one = {0};
        char *what = take_line(&p, end, 4096), *example;
        finding *k = kind_of(&one, (finding_level)level, what ? what : "");
        k->count = count;
        while (what && n > 0 && (example = take_line(&p, end, 4096)) != NULL) {
            names_add(&k->example, example);
            free(example);
            n--;
        }
        if (n == 0) findings_merge(out, &one);
        findings_free(&one);
        free(what);
        if (n) return fail(E_FORMAT, "not a packed list of findings");
    }
    return OK;
}
