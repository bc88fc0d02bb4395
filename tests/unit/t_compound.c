/* t_compound.c -- the C face of Open Babel: standardization rule by rule, identifiers against known ones, every kind of bad SMILES.
 * run: limit=60 */
#include "../tap.h"
#include "micon/compound/compound.h"

#include <math.h>
#include <stdlib.h>

enum { BITS = 1024 };

static compound *get(const char *smiles)
{
    static compound c;
    compound_read(&c, smiles, strlen(smiles), COMPOUND_ECFP4, BITS);
    return &c;
}

static char canonical[2][COMPOUND_MAX_SMILES];

/* Two ways of writing one compound become one; with what was done to the first. */
static void merges(const char *a, const char *b, unsigned changes)
{
    char what[256], got[64], want[64];
    unsigned did = get(a)->changes;
    snprintf(canonical[0], sizeof canonical[0], "%s", get(a)->smiles);
    snprintf(canonical[1], sizeof canonical[1], "%s", get(b)->smiles);
    snprintf(what, sizeof what, "%.100s is %.100s", a, b);
    ok(canonical[0][0], what);
    same(canonical[0], canonical[1], what);
    snprintf(what, sizeof what, "changes of %.200s", a);
    same(compound_show_changes(did, got, sizeof got), compound_show_changes(changes, want, sizeof want), what);
}

/* Left as it is: nothing was neutralized, and this charge is left. */
static void stays(const char *a, int charge)
{
    char what[256];
    compound *c = get(a);
    snprintf(what, sizeof what, "%.200s keeps its charges", a);
    ok(compound_is_kept(c->state) && !(c->changes & COMPOUND_NEUTRALIZED) && c->charge == charge, what);
}

static void rejected(const char *smiles, compound_state why)
{
    char what[256];
    static const uint8_t none[COMPOUND_MAX_BITS / 8];
    compound *c = get(smiles);
    snprintf(what, sizeof what, "'%.60s' is %s", smiles, compound_state_name(why));
    same(compound_state_name(c->state), compound_state_name(why), what);
    snprintf(what, sizeof what, "'%.60s': a reason, and nothing else (%s)", smiles, c->reason);
    ok(c->reason[0] && !c->smiles[0] && !c->key[0] && memcmp(c->fingerprint, none, sizeof none) == 0, what);
}

static void known(void)
{
    compound *c = get("CS(C)=O");
    ok(c->state == COMPOUND_OK && c->changes == 0, "DMSO is read");
    same(c->key, "IAZDPXIOMUYVGZ-UHFFFAOYSA-N", "InChIKey of DMSO");
    same(c->formula, "C2H6OS", "formula of DMSO");
    near(c->weight, 78.13, 2e-4, "weight of DMSO");
    ok(c->n_heavy == 4, "heavy atoms of DMSO");
    same(get("CC(=O)Oc1ccccc1C(=O)O")->key, "BSYNRYMUTXBXSQ-UHFFFAOYSA-N", "InChIKey of aspirin");
    same(get("CN1C=NC2=C1C(=O)N(C(=O)N2C)C")->key, "RYYVLZVUVIJVGH-UHFFFAOYSA-N", "InChIKey of caffeine");
    same(get("C[C@H](N)C(=O)O")->key, "QNAYBMKLOCPYGJ-REOHCLBHSA-N", "InChIKey of L-alanine");
    same(get("C[C@@H](N)C(=O)O")->key, "QNAYBMKLOCPYGJ-UWTATZPHSA-N", "InChIKey of D-alanine");
    ok(strncmp(compound_library(), "Open Babel ", 11) == 0, compound_library());
}

static void standardization(void)
{
    merges("OCC", "CCO", 0);
    merges("[H]OC([H])([H])C", "CCO", 0);
    merges("CCO ethanol |lp:2:2|", "CCO", COMPOUND_CUT_TEXT);
    merges("  CCO\t", "CCO", 0);
    merges("CCO.[Na+]", "CCO", COMPOUND_CUT_FRAGMENT);
    merges("O.CCO.O", "CCO", COMPOUND_CUT_FRAGMENT);
    merges("C1.C1O", "CCO", 0);
    merges("CCN.Cl", "CCN", COMPOUND_CUT_FRAGMENT);
    merges("CC[NH3+].[Cl-]", "CCN", COMPOUND_CUT_FRAGMENT | COMPOUND_NEUTRALIZED);
    merges("[Cl-].C[C@H]([NH3+])C(=O)[O-].[Cl-]", "C[C@H](N)C(=O)O", COMPOUND_CUT_FRAGMENT | COMPOUND_NEUTRALIZED);
    merges("CCO.CCS", "CCS", COMPOUND_CUT_FRAGMENT);           /* equal heavy atoms: the weight */
    merges("OCC=C.CC(C)=O", "CC(=O)C", COMPOUND_CUT_FRAGMENT); /* equal weight: the first in byte order */
    merges("[O-]c1ccccc1", "Oc1ccccc1", COMPOUND_NEUTRALIZED);
    merges("CC(=O)[S-]", "CC(=O)S", COMPOUND_NEUTRALIZED);
    merges("c1cc[nH+]cc1", "c1ccncc1", COMPOUND_NEUTRALIZED);
    merges("c1nn[n-]n1", "c1nn[nH]n1", COMPOUND_NEUTRALIZED);
    merges("CS(=O)(=O)[N-]C", "CS(=O)(=O)NC", COMPOUND_NEUTRALIZED);
    merges("[H][N+]([H])([H])CC([O-])=O", "NCC(=O)O", COMPOUND_NEUTRALIZED);
    merges("C[PH+](C)C", "CP(C)C", COMPOUND_NEUTRALIZED);
    merges("CC[OH2+]", "CCO", COMPOUND_NEUTRALIZED);
    merges("[Na+].[Cl-]", "Cl", COMPOUND_CUT_FRAGMENT | COMPOUND_NEUTRALIZED);
    merges("C[N+](C)(C)CC([NH3+])C(=O)[O-]", "C[N+](C)(C)CC(N)C(=O)[O-]", COMPOUND_NEUTRALIZED);
    stays("C[N+](C)(C)C", 1);
    stays("C[N+](C)(C)CC(=O)[O-]", 0);
    stays("C[N+](=O)[O-]", 0);
    stays("CN=[N+]=[N-]", 0);
    stays("C[n+]1ccccc1", 1);
    stays("[O-][n+]1ccccc1", 0);
    stays("C[S+]([O-])C", 0);
    stays("F[B-](F)(F)F", -1);
    stays("[NH3+]CC[B-](F)(F)F", 0);
    stays("[C-]#[N+]C", 0);
    stays("[Na+]", 1);
    stays("[CH3-]", -1);
    merges("[13CH3]O", "O[13CH3]", 0);
    merges("[2H]OC", "CO[2H]", 0);
    ok(strcmp(get("[2H]OC")->key, get("OC")->key) == 0 || get("[2H]OC")->key[0], "isotopes are kept");
    compound *c = get("C[C@](C)CC"); /* three neighbours make no centre */
    ok(compound_is_kept(c->state) && c->changes == COMPOUND_WARNED && strstr(c->reason, "stereo"),
       "a stereo mark without sense is reported");
    ok(compound_is_kept(get("C/C=C(/C)\\C")->state), "so are contradicting bond marks");
}

static void bad(void)
{
    rejected("", COMPOUND_EMPTY);
    rejected("  \t ", COMPOUND_EMPTY);
    rejected("C(", COMPOUND_UNREADABLE);
    rejected("C(C))C(", COMPOUND_UNREADABLE);
    rejected("[C[H]]", COMPOUND_UNREADABLE);
    rejected("(C)CC", COMPOUND_UNREADABLE);
    rejected("C((C))C", COMPOUND_UNREADABLE);
    rejected("C()C", COMPOUND_UNREADABLE);
    rejected("C.(C)C", COMPOUND_UNREADABLE);
    rejected("C)C", COMPOUND_UNREADABLE);
    rejected("[CH3", COMPOUND_UNREADABLE);
    rejected("CH3]", COMPOUND_UNREADABLE);
    rejected("C1CC", COMPOUND_UNREADABLE);
    rejected("[Xx]", COMPOUND_UNREADABLE);
    rejected("CC[Jq]C", COMPOUND_UNREADABLE);
    rejected("hello", COMPOUND_UNREADABLE);
    rejected("c1cccc1", COMPOUND_UNREADABLE);
    rejected("N/A", COMPOUND_UNREADABLE);
    rejected("CC>>CO", COMPOUND_REACTION);
    rejected("C\x01"
             "C",
             COMPOUND_BAD_CHARACTER);
    rejected("C\nC", COMPOUND_BAD_CHARACTER);
    rejected("C\xc3\xa9", COMPOUND_BAD_CHARACTER);
    rejected("*", COMPOUND_NO_ATOMS);
    rejected("[H][H]", COMPOUND_NO_ATOMS);
    rejected("[H+]", COMPOUND_NO_ATOMS);
    compound c;
    compound_read(&c, "C\0C", 3, COMPOUND_ECFP4, BITS);
    ok(c.state == COMPOUND_BAD_CHARACTER, "a NUL byte is a bad character");
    c = *get("*CC");
    ok(c.state == COMPOUND_NO_INCHIKEY && c.smiles[0] && !c.key[0], "a wildcard: no InChIKey, kept");
    ok(compound_is_kept(get("[Fe+2]")->state) && compound_is_kept(get("Cl[Pt](Cl)(N)N")->state), "metals are kept");
}

static char *repeat(const char *unit, size_t n, const char *end)
{
    size_t u = strlen(unit), e = strlen(end);
    char *s = malloc(n * u + e + 1);
    if (!s) abort();
    for (size_t i = 0; i < n; i++) memcpy(s + i * u, unit, u);
    memcpy(s + n * u, end, e + 1);
    return s;
}

static void large(void)
{
    char *s = repeat("C", 100000, "");
    rejected(s, COMPOUND_TOO_LARGE);
    free(s);
    s = repeat("C", COMPOUND_MAX_CHARS + 1, "");
    rejected(s, COMPOUND_TOO_LARGE);
    free(s);
    s = repeat("C", COMPOUND_MAX_ATOMS + 1, "");
    rejected(s, COMPOUND_TOO_LARGE);
    free(s);
    s = repeat("C1CC1", 500, ""); /* many rings, one bond between neighbours */
    rejected(s, COMPOUND_TOO_LARGE);
    free(s);
    s = repeat("C.", 1999, "CC"); /* many fragments */
    rejected(s, COMPOUND_TOO_LARGE);
    free(s);
    s = repeat("C(", 1900, "C");
    rejected(s, COMPOUND_UNREADABLE);
    free(s);
    s = repeat("C", 300, "");
    ok(get(s)->state == COMPOUND_OK && get(s)->n_heavy == 300, "300 atoms are read");
    free(s);
    s = repeat("C.", 400, "CC");
    ok(get(s)->n_heavy == 2, "of 401 fragments one stays");
    free(s);
}

static void fingerprints(void)
{
    compound a = *get("CC(=O)Oc1ccccc1C(=O)O"), b = *get("OC(=O)c1ccccc1O");
    uint8_t one[BITS];
    compound_unpack(a.fingerprint, BITS, one);
    int n = 0, wrong = 0;
    for (int i = 0; i < BITS; i++) {
        n += one[i];
        wrong += one[i] != (a.fingerprint[i / 8] >> i % 8 & 1);
    }
    ok(n > 10 && n < 60 && wrong == 0, "bits are unpacked");
    near(compound_tanimoto(a.fingerprint, a.fingerprint, BITS), 1.0, 0, "a compound is like itself");
    double t = compound_tanimoto(a.fingerprint, b.fingerprint, BITS);
    ok(t > 0.2 && t < 0.9, "aspirin and salicylic acid are similar");
    uint8_t zero[BITS / 8] = {0};
    near(compound_tanimoto(zero, zero, BITS), 0.0, 0, "nothing is like nothing: 0");
    compound folded;
    compound_read(&folded, "CC(=O)Oc1ccccc1C(=O)O", 21, COMPOUND_ECFP4, 32);
    uint8_t want[4] = {0};
    for (int i = 0; i < BITS / 8; i++) want[i % 4] = (uint8_t)(want[i % 4] | a.fingerprint[i]);
    ok(memcmp(want, folded.fingerprint, 4) == 0, "fewer bits are the folded ones");
    compound_read(&folded, "CC(=O)Oc1ccccc1C(=O)O", 21, COMPOUND_ECFP2, BITS);
    int subset = 1;
    for (int i = 0; i < BITS / 8; i++) subset &= (folded.fingerprint[i] & ~a.fingerprint[i]) == 0;
    ok(subset && memcmp(folded.fingerprint, a.fingerprint, BITS / 8) != 0, "ECFP2 is a part of ECFP4");
    ok(compound_size(&a) > 0 && compound_size(&a) < sizeof a, "only the used part of it is sent");
}

/* How often `part` is in the drawing of a SMILES; -1: it was not drawn. */
static int drawn(const char *smiles, const char *part)
{
    static char out[32 << 10];
    size_t n = compound_draw(smiles, strlen(smiles), out, sizeof out - 1);
    int found = 0;
    if (n == 0) return -1;
    out[n] = '\0';
    for (const char *s = out; (s = strstr(s, part)); s++) found++;
    return found;
}

static void drawings(void)
{
    char small[10];
    ok(drawn("OCC", "\"OH\"]") == 1 && drawn("OCC", "\"\"]") == 2, "ethanol: an OH and two carbons");
    ok(drawn("c1ccccc1", ",2,0]") == 3 && drawn("c1ccccc1", ",1,0]") == 3, "benzene: three double bonds and three single ones");
    ok(drawn("C[N+](C)(C)C", "\"N+\"]") == 1 && drawn("[13CH4]", "\"13CH4\"]") == 1, "charges and isotopes");
    ok(drawn("C[C@H](N)C(=O)O", ",1,1]") + drawn("C[C@H](N)C(=O)O", ",1,2]") == 1, "L-alanine: one wedge or hash");
    ok(drawn("CC(N)C(=O)O", ",1,1]") + drawn("CC(N)C(=O)O", ",1,2]") == 0, "without a stereo mark: neither");
    ok(drawn("C1CC", "a") == -1 && drawn("", "\"b\"") <= 1, "a ring that is not closed is not drawn");
    ok(compound_draw("CCO", 3, small, sizeof small) == 0, "what does not fit is not written");
    double x[2], y[2];
    char out[200];
    out[compound_draw("CC", 2, out, sizeof out - 1)] = '\0';
    ok(sscanf(out, "{\"a\":[[%lf,%lf,\"\"],[%lf,%lf,", &x[0], &y[0], &x[1], &y[1]) == 4, "ethane: two atoms");
    near(hypot(x[0] - x[1], y[0] - y[1]), 10.0, 1.0, "a bond is ten long");
}

int main(void)
{
    if (!ok(compound_init(COMPOUND_ECFP4) == OK, "Open Babel is complete")) {
        printf("# %s\n", msg_get());
        return tap_done();
    }
    known();
    standardization();
    bad();
    large();
    fingerprints();
    drawings();
    for (int s = 0; s < COMPOUND_N_STATES; s++) ok(strcmp(compound_state_name((compound_state)s), "unknown") != 0, "a state has a name");
    return tap_done();
}
