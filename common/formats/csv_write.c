/* csv_write.c -- fields as they are written, and texts that a spreadsheet would take for formulas. */
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/formats/csv.h"

#include <stdlib.h>
#include <string.h>

void csv_quote(text *out, const char *field)
{
    if (!field[strcspn(field, ",\"\r\n\t")]) {
        text_add(out, field);
        return;
    }
    text_add(out, "\"");
    for (const char *q; (q = strchr(field, '"')) != NULL; field = q + 1) {
        text_addn(out, field, (size_t)(q - field) + 1);
        text_add(out, "\"");
    }
    text_add(out, field);
    text_add(out, "\"");
}

/* Is it taken for a formula when it begins so? */
static bool begins_formula(const char *s)
{
    return *s && strchr("=+-@\t\r", *s) != NULL;
}

const char *csv_text(const char *field)
{
    return field[0] == '\'' && (field[1] == '\'' || begins_formula(field + 1)) ? field + 1 : field;
}

void csv_quote_text(text *out, const char *field)
{
    double number;
    if (csv_text(field) != field || (begins_formula(field) && !num_f64(field, &number))) {
        char *kept = xasprintf("'%s", field);
        csv_quote(out, kept);
        free(kept);
    } else {
        csv_quote(out, field);
    }
}
