/* num.h -- strict numbers: the whole text must be the number, and in range. Local, no messages: the caller knows where. */
#ifndef MICON_BASE_NUM_H
#define MICON_BASE_NUM_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stdint.h>

bool num_i64(const char *s, int64_t *out) MUST_USE;   /* decimal, optional sign, no spaces */
bool num_f64(const char *s, double *out) MUST_USE;    /* decimal or exponent; nan, inf, hex are refused */
bool num_yes(const char *s, bool *out) MUST_USE;      /* yes no true false on off */
bool num_bytes(const char *s, int64_t *out) MUST_USE; /* 4096, 512KiB, 4GiB, 1.5TiB, 4GB (10^9) */

float num_half(uint16_t bits); /* an IEEE half float */

/* For MPI and BLAS, which count in int: fails, never truncates. */
status int_from_i64(int64_t v, int *out) MUST_USE;

/* Human forms, for messages: "38.0 GB"; "1 h 02 min"; buf is returned. */
char *num_show_bytes(char *buf, size_t size, double bytes);
char *num_show_time(char *buf, size_t size, double seconds);

#endif
