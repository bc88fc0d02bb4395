/* status_page.c -- micon status --html: the state of all steps as one page, plates by stages, that a browser refreshes while
 * something runs. It has no script; colours are never alone: every cell has its word. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdlib.h>
#include <string.h>

static const char style[] =
    ":root{--bg:#fbfbfa;--card:#fff;--ink:#1c2024;--soft:#565f6b;--line:#dfe2e6;--done:#d5ebe2;--run:#d9e8f7;--bad:#f9dcd0;--wait:#eceef0}"
    "\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#12151a;--card:#1a1e25;--ink:#e6e9ee;--soft:#a0a9b6;--line:#303742;--done:#17382c;"
    "--run:#1d3552;--bad:#51261a;--wait:#262c35;color-scheme:dark}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:1180px;padding:14px 16px 50px;background:var(--bg);color:var(--ink);"
    "font:15px/1.5 system-ui,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
    "h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:22px 0 "
    "6px}h1,h2,td,th,li,p{overflow-wrap:anywhere}p{color:var(--soft);margin:2px 0 "
    "14px}\n"
    ".scroll{overflow-x:auto}table{border-collapse:separate;border-spacing:2px;width:100%;font-size:.86rem}th{text-align:left;font-weight:"
    "600;"
    "color:var(--soft)}td{padding:3px "
    "8px;border-radius:5px;background:var(--wait)}td:first-child,td:empty{background:none}td+td,th{white-space:nowrap}\n"
    ".done{background:var(--done)}.running{background:var(--run)}.failed,.stopped{background:var(--bad)}.failed{font-weight:700}\n"
    "progress{width:100%;min-width:90px;height:10px}li{margin:4px 0}small{color:var(--soft)}";

static void add_escaped(text *out, const char *s)
{
    char *shown = xstrdup(s);
    text_disarm(shown);
    for (const char *c = shown; *c; c++) switch (*c) {
        case '&': text_add(out, "&amp;"); break;
        case '<': text_add(out, "&lt;"); break;
        case '>': text_add(out, "&gt;"); break;
        case '"': text_add(out, "&quot;"); break;
        case '\'': text_add(out, "&#39;"); break;
        default: text_addn(out, c, 1);
        }
    free(shown);
}

/* The word is also its CSS class; "to do" has no style. */
static void add_cell(text *out, const step *s)
{
    const char *word = step_kind_words[s->is];
    text_addf(out, "<td class=\"%s\" title=\"", word);
    add_escaped(out, s->is == IS_RUNNING || s->is == IS_FAILED ? s->last.message : s->why);
    text_addf(out, "\">%s", word);
    if (s->is == IS_RUNNING && s->last.total > 0) text_addf(out, " %.0f&nbsp;%%", 100 * s->last.done / s->last.total);
    text_add(out, "</td>");
}

/* The step of that stage and plate; the last, where there are several. */
static const step *step_at(const plan *p, int stage, int64_t plate)
{
    const step *found = NULL;
    for (size_t i = 0; i < p->n; i++)
        if (p->step[i].stage == stage && p->step[i].plate == plate) found = &p->step[i];
    return found;
}

static void add_row(text *out, const plan *p, const bool *shown, int64_t plate, const char *label)
{
    text_add(out, "<tr><td>");
    add_escaped(out, label);
    text_add(out, "</td>");
    for (int stage = 0; stage < n_stages; stage++) {
        if (!shown[stage]) continue;
        const step *s = step_at(p, stage, plate);
        if (s)
            add_cell(out, s);
        else
            text_add(out, "<td></td>");
    }
    text_add(out, "</tr>\n");
}

static void add_stages(text *out, const plan *p, bool *shown)
{
    text_add(out, "<h2>Stages</h2><div class=scroll><table><tr><th>stage</th><th>done</th><th></th><th>running</th><th>failed</th><th>to "
                  "do</th></tr>\n");
    for (int stage = 0; stage < n_stages; stage++) {
        size_t n[N_STEP_KINDS] = {0}, all = 0;
        for (size_t i = 0; i < p->n; i++)
            if (p->step[i].stage == stage) n[p->step[i].is]++, all++;
        shown[stage] = all > 0;
        if (!all) continue;
        text_addf(out,
                  "<tr><td>%s</td><td class=done>%zu of %zu</td><td><progress value=%zu max=%zu></progress></td><td class=\"%s\">%zu</td>"
                  "<td class=\"%s\">%zu</td><td>%zu</td></tr>\n",
                  stage_table[stage].name, n[IS_DONE], all, n[IS_DONE], all, n[IS_RUNNING] ? "running" : "", n[IS_RUNNING],
                  n[IS_FAILED] ? "failed" : "", n[IS_FAILED], all - n[IS_DONE] - n[IS_RUNNING] - n[IS_FAILED]);
    }
    text_add(out, "</table></div>\n");
}

static void add_plates(text *out, const plan *p, const bool *shown)
{
    int64_t plates = 0;
    bool whole = false;
    for (size_t i = 0; i < p->n; i++) {
        if (p->step[i].plate >= plates) plates = p->step[i].plate + 1;
        whole |= p->step[i].plate < 0;
    }
    text_add(out, "<h2>Plates</h2><div class=scroll><table><tr><th>plate</th>");
    for (int stage = 0; stage < n_stages; stage++)
        if (shown[stage]) text_addf(out, "<th>%s</th>", stage_table[stage].name);
    text_add(out, "</tr>\n");
    if (whole) add_row(out, p, shown, -1, "whole screen");
    for (int64_t k = 0; k < plates; k++) {
        const step *any = NULL;
        for (size_t i = 0; i < p->n && !any; i++)
            if (p->step[i].plate == k) any = &p->step[i];
        if (any) add_row(out, p, shown, k, step_label(p, any));
    }
    text_add(out, "</table></div>\n");
}

static void add_messages(text *out, const plan *p, step_kind is, const char *title)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        const step *s = &p->step[i];
        text progress = {0};
        if (s->is != is) continue;
        if (!n++) text_addf(out, "<h2>%s</h2><ul>\n", title);
        text_addf(out, "<li>%s ", stage_table[s->stage].name);
        add_escaped(out, step_label(p, s));
        text_add(out, ": ");
        if (is == IS_RUNNING && s->last.state == STATUS_RUNNING) step_status_show(&s->last, &progress);
        add_escaped(out, text_str(&progress));
        if (*s->last.message) text_add(out, progress.n ? "; " : "");
        add_escaped(out, s->last.message);
        if (s->last.log) text_add(out, " <small>"), add_escaped(out, s->last.log), text_add(out, "</small>");
        text_add(out, "</li>\n");
        text_free(&progress);
    }
    if (n) text_add(out, "</ul>\n");
}

status status_page_write(const char *file, const char *title, const plan *p, int64_t refresh_s)
{
    text out = {0};
    bool *shown = xcalloc((size_t)n_stages, sizeof *shown);
    text_add(&out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, "
                   "initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\"><title>");
    add_escaped(&out, title);
    text_add(&out, "</title>\n");
    if (refresh_s > 0) text_addf(&out, "<meta http-equiv=\"refresh\" content=\"%lld\">\n", (long long)refresh_s);
    text_addf(&out, "<style>%s</style></head>\n<body><h1>", style);
    add_escaped(&out, title);
    text_add(&out, "</h1><p>");
    add_escaped(&out, p->holder.n ? text_str(&p->holder) : refresh_s > 0 ? "steps are running" : "nothing is running here");
    text_add(&out, refresh_s > 0 ? "; this page refreshes itself</p>\n" : "</p>\n");
    add_stages(&out, p, shown);
    add_messages(&out, p, IS_FAILED, "Failed");
    add_messages(&out, p, IS_STOPPED, "Stopped on request");
    add_messages(&out, p, IS_RUNNING, "Running");
    add_plates(&out, p, shown);
    text_add(&out, "</body></html>\n");
    status st = path_write(file, text_str(&out), out.n);
    text_free(&out);
    free(shown);
    return st;
}
