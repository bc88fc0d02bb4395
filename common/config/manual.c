/* manual.c -- --help, man pages and the words of completion, from option tables. */
#include "micon/config/manual.h"

#include "micon/config/config.h"

#include <string.h>

static const char *const type_words[] = {"", "yes|no", "TEXT", "TEXT", "N", "X", "SIZE", "WORD"};

/* ---- --help ---- */
void manual_text(const manual *m, text *out)
{
    text_addf(out, "%s -- %s\n\nUsage: %s%s %s%s\n", m->program, m->summary, m->before ? m->before : "", m->program, m->arguments,
              m->options ? "[options]" : "");
    if (m->options) {
        text_add(out, "\nOptions [default; range]:\n");
        opt_help(m->options, NULL, out);
    }
    for (const char *const *k = m->keys; k && *k; k += 2) {
        if (k[1]) text_addf(out, "\n%s [default; range]:\n", k[1]);
        opt_help(config_options, k[0], out);
    }
    if (m->notes) text_addf(out, "\n%s\n", m->notes);
    text_addf(out, "\nExit status: %s.\n", m->exit);
}

/* ---- man(7) ---- */
/* Nothing of the text is taken for a request of roff, and a minus stays one. */
void manual_prose(const char *s, text *out)
{
    bool line_start = out->n == 0 || out->s[out->n - 1] == '\n';
    for (; *s; s++) {
        if (line_start && (*s == '.' || *s == '\'')) text_add(out, "\\&");
        if (*s == '\\')
            text_add(out, "\\e");
        else if (*s == '-')
            text_add(out, "\\-");
        else if (*s == '\'')
            text_add(out, "\\(aq");
        else
            text_addn(out, s, 1);
        line_start = *s == '\n';
    }
}

static void request(const char *name, const char *argument, text *out)
{
    text_addf(out, ".%s \"", name);
    for (const char *p = argument; *p; p++) {
        if (*p == '"')
            text_add(out, "\\(dq");
        else if (*p == '-')
            text_add(out, "\\-");
        else
            text_addn(out, p, 1);
    }
    text_add(out, "\"\n");
}

static void entry(const opt *o, const char *section_or_key, text *out)
{
    char title[64];
    text_add(out, ".TP\n\\fB");
    manual_prose(opt_title(title, sizeof title, o, section_or_key), out);
    text_add(out, o->section ? ":\\fR" : "\\fR");
    if (*type_words[o->type]) text_addf(out, " \\fI%s\\fR", type_words[o->type]);
    text_add(out, "\n");
    manual_prose(o->help, out);
    text range = {0};
    opt_show_range(o, &range);
    manual_prose(text_str(&range), out);
    text_free(&range);
    text_add(out, "\n");
}

void manual_head(const char *name, int section, const char *summary, text *out)
{
    text_addf(out, ".TH \"%s\" %d \"\" \"micon %s\" \"MICON\"\n.SH NAME\n", name, section, MICON_VERSION);
    manual_prose(name, out);
    text_add(out, " \\- ");
    manual_prose(summary, out);
    text_add(out, "\n");
}

void manual_keys(const char *section_or_key, text *out)
{
    for (const opt *o = config_options; o->name; o++)
        if (o->help && opt_is_of(o, section_or_key)) entry(o, section_or_key, out);
}

/* Of a page of its own a heading, of a part a line. */
static void title(const char *words, bool page, text *out)
{
    if (page) {
        request("SH", words, out);
    } else {
        text_add(out, ".PP\n");
        manual_prose(words, out);
        text_add(out, ":\n");
    }
}

static void body(const manual *m, bool page, text *out)
{
    if (m->options && page) title("OPTIONS", page, out);
    for (const opt *o = m->options; o && o->name; o++)
        if (o->help) entry(o, NULL, out);
    for (const char *const *k = m->keys; k && *k; k += 2) {
        if (k[1]) title(k[1], page, out);
        manual_keys(k[0], out);
    }
    if (m->notes) {
        text_add(out, page ? ".SH NOTES\n" : ".PP\n");
        manual_prose(m->notes, out);
        text_add(out, "\n");
    }
    title(page ? "EXIT STATUS" : "Exit status", page, out);
    manual_prose(m->exit, out);
    text_add(out, ".\n");
}

static void usage(const manual *m, text *out)
{
    if (m->before) manual_prose(m->before, out);
    text_add(out, "\\fB");
    manual_prose(m->program, out);
    text_add(out, "\\fR ");
    manual_prose(m->arguments, out);
    text_add(out, m->options ? "[options]\n" : "\n");
}

void manual_page(const manual *m, text *out)
{
    manual_head(m->program, 1, m->summary, out);
    text_add(out, ".SH SYNOPSIS\n");
    usage(m, out);
    body(m, true, out);
    text_add(out, ".SH SEE ALSO\n\\fBmicon\\fR(1), \\fBscreen.yaml\\fR(5)\n");
}

void manual_part(const manual *m, text *out)
{
    request("SS", m->program, out);
    usage(m, out);
    text_add(out, ".br\n");
    manual_prose(m->summary, out);
    text_add(out, "\n");
    body(m, false, out);
}

/* ---- words of completion ---- */
static void word_line(const char *program, const opt *o, text *out)
{
    static const char *const types[] = {"flag", "yes", "text", "list", "int", "real", "bytes", "choice"};
    text_addf(out, "%s\t", program);
    if (o->section)
        text_addf(out, "%s.%s", o->section, o->name);
    else
        text_addf(out, "%s%s", strlen(o->name) == 1 ? "-" : "--", o->name);
    text_addf(out, "\t%s\t%s\t%s\n", types[o->type], o->type == OPT_YES ? "yes|no" : o->words ? o->words : "", o->help);
}

void manual_words(const manual *m, text *out)
{
    for (const opt *o = m->options; o && o->name; o++)
        if (o->help) word_line(m->program, o, out);
}

void manual_key_words(text *out)
{
    for (const opt *o = config_options; o->name; o++)
        if (o->help) word_line("key", o, out);
}
