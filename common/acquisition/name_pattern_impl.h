/* name_pattern_impl.h -- file names against patterns with fields, for plate_files.c. */
#ifndef MICON_ACQUISITION_NAME_PATTERN_IMPL_H
#define MICON_ACQUISITION_NAME_PATTERN_IMPL_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    FIELD_PLATE,
    FIELD_WELL,
    FIELD_ROW,
    FIELD_COL,
    FIELD_SITE,
    FIELD_CHANNEL,
    FIELD_Z,
    FIELD_TIME,
    FIELD_GUID,
    FIELD_ANY,
    N_FIELDS
} field_kind;

typedef struct {
    const char *at[N_FIELDS]; /* NULL: not in the pattern */
    size_t n[N_FIELDS];
} name_fields;

status name_pattern_check(const char *pattern) MUST_USE;
/* Does the end of `path`, with as many parts as the pattern has, match it as a whole? Each field takes as little as it can. */
bool name_pattern_match(const char *pattern, const char *path, name_fields *out);

#endif
