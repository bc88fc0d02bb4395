/* report_page.c -- the frame that report.html and compare.html share: report.html with its places {{style}}, {{data}} and {{script}}
 * filled. The page loads nothing from elsewhere. Its parts are files of this folder, which the Makefile embeds. */
#include "evaluate.h"

#include <string.h>

/* The final line feed of the last file is left out: the frame has one. */
static void add_file(text *page, const char *file, bool last)
{
    size_t n = strlen(file);
    text_addn(page, file, last && n && file[n - 1] == '\n' ? n - 1 : n);
}

/* A '<' is escaped, so that no text of a table can end the element that holds the data. */
static void add_data(text *page, const char *data)
{
    for (const char *s = data, *next; *s; s = next) {
        size_t n = strcspn(s, "<");
        text_addn(page, s, n);
        next = s + n;
        if (*next) text_add(page, "\\u003c"), next++;
    }
}

void report_page(text *page, const char *data, const char *const *scripts)
{
    for (const char *s = report_html, *place; *s;) {
        place = strstr(s, "{{");
        text_addn(page, s, place ? (size_t)(place - s) : strlen(s));
        if (!place) break;
        if (strncmp(place, "{{style}}", 9) == 0)
            add_file(page, report_css, true);
        else if (strncmp(place, "{{data}}", 8) == 0)
            add_data(page, data);
        else { /* {{script}} */
            add_file(page, page_js, false);
            for (size_t i = 0; scripts[i]; i++) add_file(page, scripts[i], !scripts[i + 1]);
        }
        s = strstr(place, "}}") + 2;
    }
}
