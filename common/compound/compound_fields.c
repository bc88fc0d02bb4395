/* compound_fields.c -- the fields of a compound without Open Babel: names of states, changes and fingerprints, its size, bits. */
#include "micon/compound/compound.h"

#include <stdio.h>
#include <string.h>

const char compound_rules[] =
    "1. Text after the first blank of a SMILES is not read. "
    "2. Of several fragments the one with most heavy atoms stays (then weight, then first canonical SMILES). "
    "3. Charges are neutralized where simple: +1 on N, P with four bonds, O, S, Se with three, one of them to H, without a negative "
    "neighbour, loses H+; -1 on O, S, Se, Te with one bond, N with two, lone halogens, without a positive neighbour, gains H+; if the "
    "other charges sum to more than 0 negative atoms stay, if to less than 0 positive ones. "
    "4. Tautomers, isotopes and stereochemistry stay as written. "
    "5. InChIKey, weight, formula and fingerprint are those of the canonical SMILES.";

const char *compound_state_name(compound_state s)
{
    switch (s) {
    case COMPOUND_OK: return "ok";
    case COMPOUND_NO_INCHIKEY: return "no_inchikey";
    case COMPOUND_EMPTY: return "empty";
    case COMPOUND_TOO_LARGE: return "too_large";
    case COMPOUND_BAD_CHARACTER: return "bad_character";
    case COMPOUND_REACTION: return "reaction";
    case COMPOUND_UNREADABLE: return "unreadable";
    case COMPOUND_NO_ATOMS: return "no_atoms";
    case COMPOUND_NO_FINGERPRINT: return "no_fingerprint";
    case COMPOUND_CRASHED: return "crashed";
    case COMPOUND_TIMEOUT: return "timeout";
    case COMPOUND_N_STATES: break;
    }
    return "unknown";
}

char *compound_show_changes(unsigned changes, char *buf, size_t size)
{
    static const char *const word[] = {"text", "fragment", "charge", "warning"};
    size_t n = 0;
    if (size) buf[0] = '\0';
    for (unsigned i = 0; i < 4; i++)
        if (changes >> i & 1u && n + 1 < size) {
            int m = snprintf(buf + n, size - n, "%s%s", n ? "+" : "", word[i]);
            n += m > 0 ? (size_t)m : 0;
        }
    return buf;
}

const char *compound_kind_name(compound_kind k)
{
    switch (k) {
    case COMPOUND_ECFP2: return "ECFP2";
    case COMPOUND_ECFP4: return "ECFP4";
    case COMPOUND_ECFP6: return "ECFP6";
    case COMPOUND_ECFP8: return "ECFP8";
    }
    return "unknown";
}

size_t compound_size(const compound *c)
{
    return offsetof(compound, smiles) + strlen(c->smiles) + 1;
}

void compound_unpack(const uint8_t *fingerprint, int bits, uint8_t *out)
{
    for (int i = 0; i < bits; i++) out[i] = fingerprint[i / 8] >> i % 8 & 1;
}

double compound_tanimoto(const uint8_t *a, const uint8_t *b, int bits)
{
    long both = 0, either = 0;
    for (int i = 0; i < bits / 8; i++) {
        both += __builtin_popcount((unsigned)(a[i] & b[i]));
        either += __builtin_popcount((unsigned)(a[i] | b[i]));
    }
    return either ? (double)both / (double)either : 0.0;
}
