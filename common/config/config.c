/* config.c -- YAML to options, with libyaml's event parser: sections are mappings of scalars (or lists of scalars), every scalar
 * is text to the parser, and every event knows its line. */
#include "micon/config/config.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/base/url.h"
#include "micon/config/file_formats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

enum { MAX_FILE = 16 << 20, MAX_OPTIONS = 256 };

typedef struct {
    yaml_parser_t yaml;
    yaml_event_t event; /* the current one, owned */
    const char *path;
    config *out;
    struct {
        size_t line; /* 0: not given */
        char key[64];
    } seen[MAX_OPTIONS]; /* by position in config_options: line and name under which each was given */
    names sections;      /* already opened */
    char where[600];
} parser;

static const char *where(parser *p)
{
    char shown[512];
    snprintf(p->where, sizeof p->where, "%s:%zu", text_show(shown, sizeof shown, p->path), p->event.start_mark.line + 1);
    return p->where;
}

static status next(parser *p)
{
    yaml_event_delete(&p->event);
    memset(&p->event, 0, sizeof p->event);
    if (yaml_parser_parse(&p->yaml, &p->event)) return OK;
    char shown[512];
    return fail(E_USAGE, "%s:%zu: not YAML: %s", text_show(shown, sizeof shown, p->path), p->yaml.problem_mark.line + 1,
                p->yaml.problem ? p->yaml.problem : "unreadable");
}

static status plain(parser *p, const char *what)
{
    if (p->event.type == YAML_ALIAS_EVENT) return fail(E_USAGE, "%s: aliases (*name) are not supported here", where(p));
    if (p->event.type != YAML_SCALAR_EVENT) return fail(E_USAGE, "%s: %s must be plain text", where(p), what);
    if (strlen((char *)p->event.data.scalar.value) != p->event.data.scalar.length)
        return fail(E_USAGE, "%s: %s holds a zero byte", where(p), what);
    return OK;
}

static const char *scalar(const parser *p)
{
    return (const char *)p->event.data.scalar.value;
}

/* "unknown section 'tiles'; did you mean 'tile'?" among the table's sections, or the keys of one. */
static status unknown_name(const char *at, const char *section, const char *word)
{
    const char *known[MAX_OPTIONS] = {0}, *kind = section ? "key" : "section";
    char shown[80], in[120] = "";
    size_t n = 0;
    for (const opt *o = config_options; o->name; o++)
        if (!section || strcmp(o->section, section) == 0) known[n++] = section ? o->name : o->section;
    const char *near = names_nearest(word, known, n);
    text_show(shown, sizeof shown, word);
    if (section) snprintf(in, sizeof in, " in section '%s'", section);
    if (near) return fail(E_USAGE, "%s: unknown %s '%s'%s; did you mean '%s'?", at, kind, shown, in, near);
    /* Next best guess: a key of that name in another section. */
    const opt *other = section ? opt_find(config_options, NULL, word) : NULL;
    if (other) return fail(E_USAGE, "%s: unknown key '%s'%s; it belongs to section '%s'", at, shown, in, other->section);
    return fail(E_USAGE, "%s: unknown %s '%s'%s", at, kind, shown, in);
}

/* The option with this name or older name; the use of an older name is noted in `out`. NULL: unknown. */
static const opt *find_key(config *out, const char *at, const char *section, const char *key)
{
    const opt *o = opt_find(config_options, section, key);
    for (const config_rename *r = config_renamed; !o && r->section; r++) {
        if (strcmp(r->section, section) != 0 || strcmp(r->older, key) != 0) continue;
        char *note = xasprintf("%s: %s.%s is now called %s.%s; the older name still works", at, section, key, section, r->name);
        o = opt_find(config_options, section, r->name);
        names_add(&out->older_keys, note);
        free(note);
    }
    return o;
}

/* ---- keys that were removed ---- */

static const char *older_or_name(const config_removal *r)
{
    return r->older ? r->older : r->name;
}

static const config_removal *find_removed(const char *section, const char *key)
{
    for (const config_removal *r = config_removed; r->section; r++)
        if (strcmp(r->section, section) == 0 && (strcmp(r->name, key) == 0 || strcmp(older_or_name(r), key) == 0)) return r;
    return NULL;
}

/* Such a key is noted in `out`; another value than the one that always holds is an error. */
static status removed_key(config *out, const config_removal *r, const char *at, const char *key, const char *value)
{
    double given, always;
    char shown[80];
    bool same = strcmp(value, r->always) == 0 || (num_f64(value, &given) && num_f64(r->always, &always) && given == always);
    if (!same)
        return fail(E_USAGE, "%s: %s.%s was removed: it is always %s, and cannot be '%s'; remove this key", at, r->section, key, r->always,
                    text_show(shown, sizeof shown, value));
    char *note = xasprintf("%s: %s.%s was removed: it is always %s; this key is ignored", at, r->section, key, r->always);
    names_add(&out->older_keys, note);
    free(note);
    return OK;
}

static bool is_section(const char *name)
{
    for (const opt *o = config_options; o->name; o++)
        if (strcmp(o->section, name) == 0) return true;
    return false;
}

/* The value of one key: a scalar, or a list of scalars where the option takes one. */
static status read_value(parser *p, const opt *o)
{
    status st = OK;
    TRY(next(p));
    if (p->event.type == YAML_SEQUENCE_START_EVENT) {
        if (o->type != OPT_LIST) TRY(fail(E_USAGE, "%s: %s: takes one value, not a list", where(p), o->name));
        opt_clear(o, p->out);
        for (;;) {
            TRY(next(p));
            if (p->event.type == YAML_SEQUENCE_END_EVENT) break;
            TRY(plain(p, o->name));
            TRY(opt_set(o, p->out, scalar(p), where(p)));
        }
        goto done;
    }
    TRY(plain(p, o->name));
    opt_clear(o, p->out);
    if (o->type == OPT_LIST && !*scalar(p)) goto done; /* "treatment:" is an empty list */
    TRY(opt_set(o, p->out, scalar(p), where(p)));
done:
    return st;
}

/* A key is given once, under one of its names. */
static status note_seen(parser *p, const opt *o, const char *key)
{
    size_t i = (size_t)(o - config_options), first = p->seen[i].line;
    if (first && strcmp(p->seen[i].key, key) == 0)
        return fail(E_USAGE, "%s: key '%s' is given twice in section '%s', first in line %zu", where(p), key, o->section, first);
    if (first)
        return fail(E_USAGE, "%s: '%s' and '%s' in line %zu are names of one key of section '%s': keep '%s'", where(p), key, p->seen[i].key,
                    first, o->section, o->name);
    p->seen[i].line = p->event.start_mark.line + 1;
    snprintf(p->seen[i].key, sizeof p->seen[i].key, "%s", key);
    return OK;
}

static status read_section(parser *p, const char *section)
{
    status st = OK;
    char key[64], inner[140];
    TRY(next(p));
    if (p->event.type == YAML_SCALAR_EVENT && !*scalar(p)) goto done; /* "tile:" with nothing below: all defaults */
    if (p->event.type != YAML_MAPPING_START_EVENT) TRY(fail(E_USAGE, "%s: section '%s' must hold 'key: value' lines", where(p), section));
    for (;;) {
        TRY(next(p));
        if (p->event.type == YAML_MAPPING_END_EVENT) break;
        TRY(plain(p, "a key"));
        snprintf(key, sizeof key, "%s", scalar(p));
        snprintf(inner, sizeof inner, "%s.%s", section, key);
        if (is_section(inner)) {
            if (names_find(&p->sections, inner) >= 0) TRY(fail(E_USAGE, "%s: section '%s' is given twice", where(p), inner));
            names_add(&p->sections, inner);
            TRY(read_section(p, inner));
            continue;
        }
        const config_removal *removed = find_removed(section, key);
        if (removed) {
            TRY(next(p));
            TRY(plain(p, key));
            TRY(removed_key(p->out, removed, where(p), key, scalar(p)));
            continue;
        }
        const opt *o = find_key(p->out, where(p), section, key);
        if (!o) TRY(unknown_name(where(p), section, key));
        TRY(note_seen(p, o, key));
        TRY(read_value(p, o));
    }
done:
    return st;
}

static status read_document(parser *p)
{
    status st = OK;
    char section[64];
    TRY(next(p)); /* stream start */
    TRY(next(p));
    if (p->event.type == YAML_STREAM_END_EVENT) TRY(fail(E_USAGE, "%s: the file is empty; README.md shows a screen.yaml", p->path));
    TRY(next(p));
    if (p->event.type != YAML_MAPPING_START_EVENT) TRY(fail(E_USAGE, "%s: expected sections such as 'screen:'", where(p)));
    for (;;) {
        TRY(next(p));
        if (p->event.type == YAML_MAPPING_END_EVENT) break;
        TRY(plain(p, "a section's name"));
        snprintf(section, sizeof section, "%s", scalar(p));
        if (strchr(section, '.') || !is_section(section)) TRY(unknown_name(where(p), NULL, section));
        if (names_find(&p->sections, section) >= 0) TRY(fail(E_USAGE, "%s: section '%s' is given twice", where(p), section));
        names_add(&p->sections, section);
        TRY(read_section(p, section));
    }
    TRY(next(p)); /* document end */
    TRY(next(p));
    if (p->event.type != YAML_STREAM_END_EVENT) TRY(fail(E_USAGE, "%s: a second YAML document (---) is not allowed", where(p)));
done:
    return st;
}

/* "section.key=value" from the command line; a list is written a,b or [a, b]. */
static status apply_set(config *c, const char *set)
{
    status st = OK;
    names parts = {0};
    char at[400], shown[300];
    const char *equal = strchr(set, '='), *dot = NULL;
    snprintf(at, sizeof at, "--set %s", text_show(shown, sizeof shown, set));
    for (const char *d = set; equal && d < equal; d++)
        if (*d == '.') dot = d; /* the last one: slurm.train.nodes */
    if (!dot) return fail(E_USAGE, "%s: expected section.key=value", at);
    char *section = xstrndup(set, (size_t)(dot - set)), *key = xstrndup(dot + 1, (size_t)(equal - dot - 1));
    if (!is_section(section)) TRY(unknown_name(at, NULL, section));
    const config_removal *removed = find_removed(section, key);
    if (removed) {
        st = removed_key(c, removed, at, key, equal + 1);
        goto done;
    }
    const opt *o = find_key(c, at, section, key);
    if (!o) TRY(unknown_name(at, section, key));
    opt_clear(o, c);
    if (o->type != OPT_LIST) {
        TRY(opt_set(o, c, equal + 1, at));
    } else if (equal[1]) {
        size_t n = strlen(equal + 1);
        bool bracket = n >= 2 && equal[1] == '[' && equal[n] == ']';
        char *inside = xstrndup(equal + 1 + bracket, n - 2 * (size_t)bracket);
        names_split(&parts, inside, ',');
        free(inside);
        for (size_t i = 0; i < parts.n; i++)
            if (*parts.item[i]) TRY(opt_set(o, c, parts.item[i], at));
    }
done:
    names_free(&parts);
    free(section);
    free(key);
    return st;
}

/* As copairs takes them: no column in both lists of a kind of pair, some column for each kind; and a name that fits into tables. */
static status check_pairs(const config *c)
{
    const pair_options *p = &c->evaluate.pairs;
    const struct {
        const char *kind;
        const names *same, *diff;
    } list[] = {{"pos", &p->pos_sameby, &p->pos_diffby}, {"neg", &p->neg_sameby, &p->neg_diffby}};
    if (p->pos_sameby.n == 0 && p->pos_diffby.n + p->neg_sameby.n + p->neg_diffby.n > 0)
        return fail(E_USAGE, "%s: evaluate.pairs.pos_sameby is empty: name the columns in which a positive pair has the same values",
                    c->path);
    if (p->pos_sameby.n == 0) return OK;
    if (p->neg_sameby.n + p->neg_diffby.n == 0)
        return fail(E_USAGE, "%s: evaluate.pairs: neg_sameby or neg_diffby must name a column, else all pairs are negative", c->path);
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < list[k].same->n; i++)
            if (names_find(list[k].diff, list[k].same->item[i]) >= 0)
                return fail(E_USAGE, "%s: evaluate.pairs: column '%s' is in %s_sameby and in %s_diffby", c->path, list[k].same->item[i],
                            list[k].kind, list[k].kind);
    size_t plain = strspn(p->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    if (!*p->name || p->name[plain]) return fail(E_USAGE, "%s: evaluate.pairs.name: letters, digits, _, - and . only", c->path);
    return OK;
}

/* Passwords would be written into outputs; the value is not shown. */
static status check_urls(const config *c)
{
    const char *s3 = c->tile.fetch.s3, *to = c->screen.paths.to, *flaw;
    char *object = xasprintf("%s/object", s3), *moved = xasprintf("%s/file", to);
    status st = OK;
    if (!url_is_remote(s3) || strncasecmp(s3, "s3:", 3) == 0)
        st = fail(E_USAGE, "%s: tile.fetch.s3: expected an address such as https://{bucket}.s3.amazonaws.com", c->path);
    else if ((flaw = url_flaw(object)) != NULL)
        st = fail(E_USAGE, "%s: tile.fetch.s3: the address %s", c->path, flaw);
    else if (url_is_remote(to) && (flaw = url_flaw(moved)) != NULL)
        st = fail(E_USAGE, "%s: screen.paths.to: the address %s", c->path, flaw);
    free(object);
    free(moved);
    return st;
}

/* Checks that involve several values. */
static status cross_check(const config *c)
{
    int64_t tiles = c->tile.tiles_per_site, g = (int64_t)floor(sqrt((double)tiles) + 0.5), bits = c->featurize.bits;
    const names *channels = &c->screen.channels;
    bool square = c->tile.crop == CROP_SQUARE;
    if (square && (g * g != tiles || tiles > 64))
        return fail(E_USAGE, "%s: tile.tiles_per_site: %lld is not a square number%s (1, 4, 9, ...)", c->path, (long long)tiles,
                    g * g == tiles ? " up to 64" : "");
    if (square && (c->tile.mask != MASK_NONE || c->tile.scale != 1))
        return fail(E_USAGE, "%s: tile.%s applies to tile.crop: cells only", c->path, c->tile.mask != MASK_NONE ? "mask" : "scale");
    if (bits & (bits - 1)) return fail(E_USAGE, "%s: featurize.bits: %lld is not a power of two", c->path, (long long)bits);
    if (channels->n < 1 || channels->n > 64)
        return fail(E_USAGE, "%s: screen.channels: expected 1 to 64 channels, not %zu", c->path, channels->n);
    for (size_t i = 0; i < channels->n; i++) {
        const char *name = channels->item[i];
        if (!*name) return fail(E_USAGE, "%s: screen.channels: an empty name", c->path);
        if (names_find(channels, name) != (long)i) return fail(E_USAGE, "%s: screen.channels: '%s' is given twice", c->path, name);
    }
    const evaluate_options *e = &c->evaluate;
    if (e->batch_correction == CORRECTION_AUTO &&
        (e->recipe == RECIPE_0_1 || e->reshape != RESHAPE_AUTO || e->sphere != SPHERING_AUTO || e->ridge != RIDGE_AUTO))
        return fail(E_USAGE, "%s: evaluate.batch_correction: auto chooses evaluate.reshape, sphere and ridge: leave them out%s", c->path,
                    e->recipe == RECIPE_0_1 ? ", and recipe 0.1, which does not know it" : "");
    if (c->train.dose && c->screen.treatment.n != 1)
        return fail(E_USAGE, "%s: train.dose needs screen.treatment: the one column that holds the dose", c->path);
    if (!*c->screen.work) return fail(E_USAGE, "%s: screen.work is empty: name the folder for the outputs", c->path);
    status st = check_pairs(c);
    return st == OK ? check_urls(c) : st;
}

/* What auto means under the recipe that was chosen. */
static void settle(evaluate_options *e)
{
    bool old = e->recipe == RECIPE_0_1;
    if (e->reshape == RESHAPE_AUTO && old) e->reshape = RESHAPE_NONE;
    if (e->sphere == SPHERING_AUTO) e->sphere = old ? SPHERING_ZCA : SPHERING_NONE;
    if (e->ridge == RIDGE_AUTO) e->ridge = old ? 0 : 1;
}

status config_parse(config *out, const char *path, const char *yaml, size_t size, const names *sets)
{
    status st = OK;
    parser p = {.path = path, .out = out};
    out->path = xstrdup(path);
    out->dir = path_dir(path);
    if (!yaml_parser_initialize(&p.yaml)) return fail(E_NOMEM, "%s: no memory for the YAML parser", path);
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.yaml, (const unsigned char *)yaml, size);
    TRY(opt_defaults(config_options, out));
    TRY(read_document(&p));
    for (size_t i = 0; sets && i < sets->n; i++) TRY(apply_set(out, sets->item[i]));
    TRY(cross_check(out));
    settle(&out->evaluate);
done:
    yaml_event_delete(&p.event);
    yaml_parser_delete(&p.yaml);
    names_free(&p.sections);
    return st;
}

status config_read(config *out, const char *path, const names *sets)
{
    char *yaml = NULL;
    size_t size = 0;
    if (path_read(path, &yaml, &size, MAX_FILE) != OK) return E_USAGE; /* a missing configuration is a usage error */
    status st = config_parse(out, path, yaml, size, sets);
    free(yaml);
    return st;
}

void config_free(config *c)
{
    opt_free(config_options, c);
    free(c->path);
    free(c->dir);
    names_free(&c->older_keys);
    *c = (config){0};
}

void config_show(const config *c, unsigned affects, text *out)
{
    if (affects & AFFECTS_TILES && c->tile.crop == CROP_CELLS) affects |= AFFECTS_CELL_TILES;
    for (const opt *o = config_options; o->name; o++) {
        if (affects != ~0u && !(o->affects & affects)) continue;
        text_addf(out, "%s.%s: ", o->section, o->name);
        opt_show(o, c, out);
        text_add(out, "\n");
    }
}

void config_log_older_keys(const config *c)
{
    for (size_t i = 0; i < c->older_keys.n; i++) log_info("%s", c->older_keys.item[i]);
}

/* Does `line` hold the key section.name? The length of that, or 0. */
static size_t line_is_of(const char *line, const char *section, const char *name)
{
    size_t s = strlen(section), n = strlen(name);
    return strncmp(line, section, s) == 0 && line[s] == '.' && strncmp(line + s + 1, name, n) == 0 && line[s + 1 + n] == ':' ? s + 1 + n
                                                                                                                             : 0;
}

/* Is the line of a key that was added, at the value that does as before? */
static bool is_as_before(const char *line, size_t len)
{
    for (const config_addition *a = config_added; a->section; a++) {
        size_t key = line_is_of(line, a->section, a->name), n = strlen(a->as_before);
        if (key && len >= key + 2 + n && memcmp(line + key, ": ", 2) == 0 && memcmp(line + key + 2, a->as_before, n) == 0 &&
            (len == key + 2 + n || line[key + 2 + n] == '\n'))
            return true;
    }
    return false;
}

/* Behind the line of the key that a removed one followed: the removed one, unless the next line has it. */
static void add_removed(const char *line, const char *next_line, text *out)
{
    for (const config_removal *r = config_removed; r->section; r++)
        if (line_is_of(line, r->section, r->after) && !line_is_of(next_line, r->section, r->name) &&
            !line_is_of(next_line, r->section, older_or_name(r)))
            text_addf(out, "%s.%s: %s\n", r->section, older_or_name(r), r->always);
}

void config_comparable(const char *lines, text *out)
{
    for (const char *p = lines; *p;) {
        size_t len = strcspn(p, "\n"), key = 0;
        len += p[len] == '\n';
        for (const config_rename *r = config_renamed; r->section && !key; r++)
            if ((key = line_is_of(p, r->section, r->name))) text_addf(out, "%s.%s", r->section, r->older);
        for (const config_removal *r = config_removed; r->section && !key; r++)
            if ((key = line_is_of(p, r->section, r->name))) text_addf(out, "%s.%s", r->section, older_or_name(r));
        if (!is_as_before(p, len)) text_addn(out, p + key, len - key);
        add_removed(p, p + len, out);
        p += len;
    }
}

char *config_path(const config *c, const char *name)
{
    return strcmp(c->dir, ".") == 0 ? xstrdup(name) : path_join(c->dir, name);
}

char *config_work(const config *c, const char *below)
{
    char *work = config_path(c, c->screen.work), *p = *below ? path_join(work, below) : xstrdup(work);
    free(work);
    return p;
}

char *config_status_file(const config *c, const char *stage, const char *name, const char *end)
{
    char *below = xasprintf(WORK_STATUS "/%s/%s.%s", stage, name, end), *path = config_work(c, below);
    free(below);
    return path;
}

char *config_plate_file(const config *c, const char *folder, const char *source, const char *batch, const char *plate)
{
    char *s = text_encode_name(source), *b = text_encode_name(batch), *p = text_encode_name(plate);
    char *below = xasprintf("%s/%s__%s__%s.h5", folder, s, b, p), *path = config_work(c, below);
    free(s);
    free(b);
    free(p);
    free(below);
    return path;
}
