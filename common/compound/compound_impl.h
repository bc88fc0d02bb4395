/* compound_impl.h -- shared by compound.cc (C++) and smiles.c. */
#ifndef COMPOUND_IMPL_H
#define COMPOUND_IMPL_H
#include "micon/compound/compound.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Set *c to a rejection and nothing else. Returns false. */
bool compound_reject(compound *c, compound_state why, const char *reason);
/* The SMILES of a cell: [*begin, *end) without blanks around it and what follows it. True if something followed. */
bool smiles_trim(const char *s, size_t size, size_t *begin, size_t *end);

#ifdef __cplusplus
}
#endif
#endif
