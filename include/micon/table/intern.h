/* intern.h -- interned text: every distinct string once, under a number from 0 in the order of arrival. Local.
 * {0} is valid and empty; intern_free gives the memory back. Strings handed out stay where they are only until the next intern_add. */
#ifndef MICON_TABLE_INTERN_H
#define MICON_TABLE_INTERN_H
#include "micon/base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *block; /* the strings, each with its end */
    size_t size, cap;
    size_t *start; /* of each in the block */
    size_t n, starts_cap;
    uint32_t *slot; /* hash table of number + 1; n_slots a power of two */
    size_t n_slots;
} intern_table;

status intern_add(intern_table *w, const char *s, uint32_t *id) MUST_USE; /* its number, new or known */
int64_t intern_find(const intern_table *w, const char *s);                /* its number, or -1 */
const char *intern_at(const intern_table *w, size_t id);                  /* borrowed */
void intern_free(intern_table *w);

#endif
