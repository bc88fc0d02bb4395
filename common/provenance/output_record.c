/* output_record.c -- the record of what an output was made from, as JSON. */
#include "micon/provenance/output_record.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_MOST = 4 << 20 };
/* The last entry of the object; it covers all bytes before it. */
static const digest_end end_line = {",\n  \"check\": \"", "\"\n}\n"};

char *output_record_path(const config *c, const char *stage, const char *name)
{
    return config_status_file(c, stage, name, "made");
}

static void add_text(text *t, const char *key, const char *value)
{
    text_addf(t, "  \"%s\": ", key);
    text_add_json(t, value);
    text_add(t, ",\n");
}

status output_record_write(const char *path, const char *program, const char *output, const char *made_from, uint64_t inputs,
                           uint64_t content)
{
    status st = OK;
    text t = {0};
    char d[DIGEST_TEXT], *dir = path_dir(path);
    int64_t size, mtime_ns;
    TRY(path_stat(output, &size, &mtime_ns));
    text_addf(&t, "{\n  \"format\": %d,\n", OUTPUT_RECORD_FORMAT);
    add_text(&t, "program", program);
    add_text(&t, "version", MICON_VERSION);
    add_text(&t, "output", path_base(output));
    text_addf(&t, "  \"size\": %lld,\n  \"mtime_ns\": %lld,\n", (long long)size, (long long)mtime_ns);
    add_text(&t, "content", digest_show(content, d));
    add_text(&t, "inputs", digest_show(inputs, d));
    text_add(&t, "  \"made_from\": ");
    text_add_json(&t, made_from);
    digest_end_add(&t, &end_line);
    TRY(path_make_dirs(dir));
    TRY(path_write(path, text_str(&t), t.n));
done:
    free(dir);
    text_free(&t);
    return st;
}

static bool get_text(const json_t *o, const char *key, char **out)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_string(v)) return false;
    *out = xstrdup(json_string_value(v));
    return true;
}

static bool get_int(const json_t *o, const char *key, int64_t *out)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v)) return false;
    *out = json_integer_value(v);
    return true;
}

static bool get_digest(const json_t *o, const char *key, uint64_t *out)
{
    const json_t *v = json_object_get(o, key);
    const char *s = json_is_string(v) ? json_string_value(v) : "";
    char *end;
    *out = strtoull(s, &end, 16);
    return strlen(s) == DIGEST_TEXT - 1 && !*end;
}

bool output_record_read(output_record *out, const char *path)
{
    char *data = NULL;
    size_t size = 0;
    int64_t format = 0;
    uint64_t own;
    *out = (output_record){0};
    if (!path_exists(path)) return false;
    if (path_read(path, &data, &size, RECORD_MOST) != OK) msg_clear(); /* no record: the stage program will look */
    bool whole = data && digest_end_check(data, size, &end_line, &own) == OK;
    if (data && !whole) msg_clear(); /* as good as none */
    json_t *o = whole ? json_loadb(data, size, 0, NULL) : NULL;
    bool good = o && get_int(o, "format", &format) && format == OUTPUT_RECORD_FORMAT && get_text(o, "program", &out->program) &&
                get_text(o, "version", &out->version) && get_text(o, "output", &out->output) && get_int(o, "size", &out->size) &&
                get_int(o, "mtime_ns", &out->mtime_ns) && get_digest(o, "content", &out->content) &&
                get_digest(o, "inputs", &out->inputs) && get_text(o, "made_from", &out->made_from);
    if (!good) output_record_free(out);
    json_decref(o);
    free(data);
    return good;
}

status output_record_check(const char *path, uint64_t *digest)
{
    status st = OK;
    char *data = NULL;
    size_t size;
    TRY(path_read(path, &data, &size, RECORD_MOST));
    TRY(fail_within(digest_end_check(data, size, &end_line, digest), "%s", path));
done:
    free(data);
    return st;
}

void output_record_free(output_record *m)
{
    free(m->program);
    free(m->version);
    free(m->output);
    free(m->made_from);
    *m = (output_record){0};
}

bool output_record_is_of(const output_record *m, const char *output)
{
    int64_t size, mtime_ns;
    if (!path_exists(output)) return false;
    if (path_stat(output, &size, &mtime_ns) != OK) {
        msg_clear();
        return false;
    }
    return size == m->size && mtime_ns == m->mtime_ns;
}

/* The value after "key: " of a line of text that begins with it; NULL where there is none. */
char *output_record_value(const char *lines, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = lines; *p; p += strcspn(p, "\n"), p += *p == '\n')
        if (strncmp(p, key, n) == 0 && p[n] == ':' && p[n + 1] == ' ') return xstrndup(p + n + 2, strcspn(p + n + 2, "\n"));
    return NULL;
}

char *output_record_line(const output_record *m, const char *key)
{
    return output_record_value(m->made_from, key);
}

bool output_record_same(const char *made_from, const char *other)
{
    text a = {0}, b = {0};
    config_comparable(made_from, &a);
    config_comparable(other, &b);
    bool same = strcmp(text_str(&a), text_str(&b)) == 0;
    text_free(&a);
    text_free(&b);
    return same;
}

uint64_t output_record_digest(const char *made_from)
{
    text t = {0};
    config_comparable(made_from, &t);
    uint64_t d = digest_text(text_str(&t));
    text_free(&t);
    return d;
}

/* A key that was removed: does the record have another value than the one that always holds now? */
static bool removed_differs(const output_record *m, text *why)
{
    for (const config_removal *r = config_removed; r->section; r++) {
        char *key = xasprintf("%s.%s", r->section, r->name), *older = xasprintf("%s.%s", r->section, r->older ? r->older : r->name),
             *then = output_record_value(m->made_from, key);
        if (!then) then = output_record_value(m->made_from, older);
        bool differs = then && strcmp(then, r->always) != 0;
        if (differs) text_addf(why, "%s was %s, is always %s now", key, *then ? then : "empty", r->always);
        free(key);
        free(older);
        free(then);
        if (differs) return true;
    }
    return false;
}

/* The older name of section.name as a line gives it, or NULL; caller frees. */
static char *older_key(const opt *o)
{
    for (const config_rename *r = config_renamed; r->section; r++)
        if (strcmp(r->section, o->section) == 0 && strcmp(r->name, o->name) == 0) return xasprintf("%s.%s", r->section, r->older);
    return NULL;
}

bool output_record_config_differs(const output_record *m, const config *c, text *why)
{
    text today = {0};
    bool differs = removed_differs(m, why);
    config_show(c, ~0u, &today);
    for (const opt *o = config_options; o->name && !differs; o++) {
        char *key = xasprintf("%s.%s", o->section, o->name), *older = older_key(o), *then = output_record_value(m->made_from, key),
             *now = output_record_value(text_str(&today), key);
        if (!then && older) then = output_record_value(m->made_from, older);
        differs = then && now && strcmp(then, now) != 0;
        if (differs) text_addf(why, "%s was %s, is %s", key, *then ? then : "empty", *now ? now : "empty");
        free(key);
        free(older);
        free(then);
        free(now);
    }
    text_free(&today);
    return differs;
}
