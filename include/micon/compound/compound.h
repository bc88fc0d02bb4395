/* compound.h -- the C face of Open Babel: SMILES in; standardized molecule, identifiers and fingerprint out. Local.
 * common/compound/compound.cc is the only C++ of the project; no exception crosses this header.
 *
 * Open Babel can crash or run for minutes on hostile input: tables of strangers go through a worker process (worker.h), known
 * molecules can be read in-process. Not thread-safe: Open Babel is not.
 *
 * Standardization, in this order (docs/method.md 3; compound_rules has the same as one text, to be recorded in files):
 *   1. What follows the first space or tab of the cell (a name, a CXSMILES extension) is not read. Blanks around it are dropped.
 *   2. Of several fragments the one with most heavy atoms (everything but hydrogen and `*`) stays; then the largest molecular
 *      weight (compared in units of 0.001); then the first canonical SMILES in byte order. They are compared as they were written.
 *   3. Simple charges are neutralized, on the fragment that stayed:
 *        +1 on N or P with four bonds, on O, S or Se with three, at least one of them to hydrogen, and no negative neighbour: loses
 *        the charge and one hydrogen;
 *        -1 on O, S, Se or Te with one bond, on N with two, on a lone halogen, without a positive neighbour: gains a hydrogen.
 *      (Bonds are counted by their order.) If the molecule's other charges sum to more than 0, its negative atoms stay as they are,
 *      and if to less than 0 its positive ones: the two belong together (betaine, carnitine). Everything else (quaternary N, nitro,
 *      azide, metals, boranes, carbanions) is left as written.
 *   4. Tautomers, isotopes and stereochemistry are left as written; stereo marks that make no sense are ignored by Open Babel
 *      and reported in `changes`.
 *   5. The result is what its canonical SMILES says: InChIKey, weight, formula and fingerprint are taken from a molecule read
 *      back from it, so that anyone can repeat them from the SMILES column alone. */
#ifndef MICON_COMPOUND_COMPOUND_H
#define MICON_COMPOUND_COMPOUND_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    COMPOUND_MAX_CHARS = 4000, /* of a SMILES: longer ones are never shown to Open Babel */
    COMPOUND_MAX_ATOMS = 1000, /* heavy atoms, of all fragments: larger ones are parsed, and that is all */
    COMPOUND_MAX_SMILES = 16000,
    COMPOUND_MAX_BITS = 4096, /* 32, 64, .. 4096 */
    COMPOUND_KEY = 28         /* an InChIKey and its end */
};

typedef enum {
    COMPOUND_OK,
    COMPOUND_NO_INCHIKEY, /* everything but an InChIKey: kept */
    /* from here on the row is rejected, and nothing but `state` and `reason` is set */
    COMPOUND_EMPTY,          /* no SMILES at all */
    COMPOUND_TOO_LARGE,      /* more than COMPOUND_MAX_CHARS or COMPOUND_MAX_ATOMS */
    COMPOUND_BAD_CHARACTER,  /* control characters or bytes outside ASCII */
    COMPOUND_REACTION,       /* a reaction, not a molecule */
    COMPOUND_UNREADABLE,     /* Open Babel does not accept it, or a bracket is not closed */
    COMPOUND_NO_ATOMS,       /* nothing but hydrogen and `*` */
    COMPOUND_NO_FINGERPRINT, /* Open Babel gave none, or one without a bit */
    COMPOUND_CRASHED,        /* Open Babel died of it (set by whoever watches the worker), threw, or ran out of memory */
    COMPOUND_TIMEOUT,        /* it took longer than allowed (set by whoever watches the worker) */
    COMPOUND_N_STATES
} compound_state;
const char *compound_state_name(compound_state s); /* "ok", "no_inchikey", "empty", "too_large", ... */
static inline bool compound_is_kept(compound_state s)
{
    return s == COMPOUND_OK || s == COMPOUND_NO_INCHIKEY;
}

/* What standardization did, as bits. */
enum {
    COMPOUND_CUT_TEXT = 1,     /* text after the SMILES was not read */
    COMPOUND_CUT_FRAGMENT = 2, /* smaller fragments were dropped */
    COMPOUND_NEUTRALIZED = 4,
    COMPOUND_WARNED = 8 /* Open Babel warned (of stereo marks, mostly): see reason */
};
/* "fragment+charge", "" for none; buf is returned, 64 bytes are enough. */
char *compound_show_changes(unsigned changes, char *buf, size_t size);

typedef enum { COMPOUND_ECFP2, COMPOUND_ECFP4, COMPOUND_ECFP6, COMPOUND_ECFP8 } compound_kind;
const char *compound_kind_name(compound_kind k); /* "ECFP4", as Open Babel calls it */

/* Flat, so that it can be sent through a pipe: compound_size bytes of it say everything. */
typedef struct {
    compound_state state;
    unsigned changes;
    int32_t n_heavy;                            /* heavy atoms */
    int32_t charge;                             /* total formal charge that is left */
    double weight;                              /* average molecular weight in g/mol, to 0.0001 */
    char reason[160];                           /* why rejected, or what Open Babel warned of; "" otherwise */
    char key[COMPOUND_KEY];                     /* standard InChIKey, "" where there is none */
    char formula[720];                          /* Hill order; room for every element */
    uint8_t fingerprint[COMPOUND_MAX_BITS / 8]; /* bit i is fingerprint[i / 8] >> i % 8 & 1, the order of an FPS file */
    char smiles[COMPOUND_MAX_SMILES];           /* canonical, standardized */
} compound;
size_t compound_size(const compound *c); /* bytes up to the end of its SMILES */

/* Are the parts of Open Babel there (formats smi, can, inchikey; the fingerprint)? E_FAILED says what to set (BABEL_LIBDIR). Also
 * silences Open Babel's own log. Must come before compound_read; cheap when called again. */
status compound_init(compound_kind k) MUST_USE;
const char *compound_library(void); /* "Open Babel 3.1.1" */
extern const char compound_rules[]; /* the rules above in one text */

/* The checks that need no Open Babel: empty, too long, bad characters, reactions, brackets. True if *c was set to a rejection. */
bool compound_refuse(compound *c, const char *smiles, size_t size);

/* Read and standardize one SMILES of `size` bytes; bits is a power of two from 32 to COMPOUND_MAX_BITS. What is wrong with the
 * molecule is told by out->state, never by a crash of ours. Time is not limited here. */
void compound_read(compound *out, const char *smiles, size_t size, compound_kind k, int bits);

/* One byte a bit, 0 or 1: out is [bits]. */
void compound_unpack(const uint8_t *fingerprint, int bits, uint8_t *out);

/* The structure of a SMILES laid out in the plane, as JSON: {"a":[[x,y,"label"],..],"b":[[i,j,order,way],..]}. Atoms: tenths of a bond
 * length, y downwards, the label "" for carbon, else element, hydrogens and charge ("NH2", "O-"). Bonds: atoms i and j, order 1 to 3
 * (aromatic ones are written out), way 1 a wedge from i, 2 a hash from i, else 0. Returns its length, 0 where it cannot be drawn or does
 * not fit. As hostile to time and memory as compound_read. */
size_t compound_draw(const char *smiles, size_t size, char *out, size_t room);

/* Shared bits over bits set in either, of fingerprints packed as above; 0 where neither has a bit. */
double compound_tanimoto(const uint8_t *a, const uint8_t *b, int bits);

#ifdef __cplusplus
}
#endif
#endif
