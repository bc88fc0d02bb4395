/* t_compound_merge.c -- rows into compounds: by hand, and random ones against a slow rule-by-rule version.
 * run: limit=30 */
#include "../tap.h"
#include "micon/compound/merge.h"

#include <stdlib.h>

static void by_hand(void)
{
    static const merge_row row[] = {
        {"D", "x"},  /* 0: with A: compound A */
        {"B", "y"},  /* 1 */
        {"A", "x"},  /* 2: speaks */
        {"B", "y"},  /* 3: repeats 1 */
        {"B", "z"},  /* 4: conflicts with 1 */
        {"C", NULL}, /* 5: rejected */
        {"C", "w"},  /* 6: says what C is */
        {"E", NULL}, /* 7 */
    };
    merged m;
    if (!ok(compound_merge(&m, row, 8) == OK, "eight rows")) return;
    ok(m.n_compounds == 3 && m.row[0] == 2 && m.row[1] == 1 && m.row[2] == 6, "three compounds, in order of their keys");
    ok(m.compound[0] == 0 && m.compound[2] == 0, "one identity is one compound, the smallest identifier its key");
    ok(m.compound[1] == 1 && m.compound[3] == 1 && m.first[3] == 1, "a repeat");
    ok(m.compound[4] == MERGE_CONFLICT && m.first[4] == 1, "a conflict names the row it disagrees with");
    ok(m.compound[5] == MERGE_REJECTED && m.compound[6] == 2 && m.first[6] == 6, "a rejected row does not speak for its identifier");
    ok(m.compound[7] == MERGE_REJECTED, "a rejected row has no compound");
    ok(m.n_ids == 4 && m.n_repeats == 1 && m.n_conflicts == 1, "counts");
    merged_free(&m);
    ok(compound_merge(&m, row, 0) == OK && m.n_compounds == 0, "no rows");
    merged_free(&m);
}

/* The rules read aloud: O(n^2). */
static int64_t slow_first(const merge_row *r, int64_t i)
{
    for (int64_t k = 0; k < i; k++)
        if (r[k].identity && strcmp(r[k].id, r[i].id) == 0) return k;
    return i;
}

static int64_t slow_speaker(const merge_row *r, int64_t n, int64_t i)
{
    int64_t best = slow_first(r, i);
    for (int64_t k = 0; k < n; k++)
        if (r[k].identity && slow_first(r, k) == k && strcmp(r[k].identity, r[i].identity) == 0 && strcmp(r[k].id, r[best].id) < 0)
            best = k;
    return best;
}

static int agree(const merge_row *r, int64_t n)
{
    merged m;
    int bad = 0;
    if (compound_merge(&m, r, n) != OK) return 0;
    for (int64_t i = 0; i < n; i++) {
        if (!r[i].identity) {
            bad += m.compound[i] != MERGE_REJECTED;
            continue;
        }
        int64_t first = slow_first(r, i);
        if (strcmp(r[first].identity, r[i].identity) != 0)
            bad += m.compound[i] != MERGE_CONFLICT || m.first[i] != first;
        else
            bad += m.compound[i] < 0 || m.row[m.compound[i]] != slow_speaker(r, n, i) || m.first[i] != first;
    }
    for (int64_t k = 1; k < m.n_compounds; k++) bad += strcmp(r[m.row[k - 1]].id, r[m.row[k]].id) >= 0;
    merged_free(&m);
    return bad == 0;
}

static void random_rows(void)
{
    static const char *const name[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"};
    const char *given = getenv("MICON_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 7;
    printf("# seed %u\n", seed);
    int good = 0, want = 300;
    for (int t = 0; t < want; t++) {
        merge_row r[40];
        int64_t n = t % 40;
        for (int64_t i = 0; i < n; i++) {
            seed = seed * 1664525u + 1013904223u;
            r[i] = (merge_row){name[seed >> 24 & 15], seed >> 20 & 7 ? name[seed >> 12 & 7] : NULL};
        }
        good += agree(r, n);
    }
    ok(good == want, "random rows, as the rules say");
}

int main(void)
{
    by_hand();
    random_rows();
    return tap_done();
}
