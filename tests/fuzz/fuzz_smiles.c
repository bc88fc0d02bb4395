/* fuzz_smiles.c -- arbitrary bytes as rows of a compound table, through the worker process: a row a line, each must get one sound answer,
 * whatever Open Babel does. That Open Babel dies of a row or takes too long is a finding of Open Babel's and no failure of ours: with
 * MICON_FINDINGS=FOLDER such rows are kept there (crashed-*, timeout-*). */
#include "micon/base/digest.h"
#include "micon/base/text.h"
#include "micon/compound/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 64, BITS = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

typedef struct {
    names rows;
    int answers[MAX_ROWS];
} batch;

static const char *smiles(void *ctx, int64_t i)
{
    return ((batch *)ctx)->rows.item[i];
}

static void keep_finding(const compound *c, const char *row)
{
    const char *folder = getenv("MICON_FINDINGS");
    char path[4096], d[DIGEST_TEXT];
    if (!folder || (c->state != COMPOUND_CRASHED && c->state != COMPOUND_TIMEOUT)) return;
    snprintf(path, sizeof path, "%s/%s-%s", folder, compound_state_name(c->state), digest_show(digest_text(row), d));
    FILE *f = fopen(path, "w");
    if (!f) return;
    fprintf(f, "%s\n", row);
    fclose(f);
}

static void check(int good, const char *what, const char *row)
{
    if (good) return;
    fprintf(stderr, "fuzz_smiles: %s: '%s'\n", what, row);
    abort();
}

static void take(void *ctx, int64_t i, const compound *c)
{
    batch *b = ctx;
    const char *row = b->rows.item[i];
    int set = 0;
    for (int k = 0; k < BITS / 8; k++) set |= c->fingerprint[k];
    b->answers[i]++;
    check((unsigned)c->state < COMPOUND_N_STATES, "no state", row);
    check(compound_is_kept(c->state) == (c->smiles[0] != '\0'), "kept and SMILES", row);
    check(compound_is_kept(c->state) == (set != 0), "kept and fingerprint", row);
    check((c->state == COMPOUND_OK) == (c->key[0] != '\0'), "ok and InChIKey", row);
    check(compound_is_kept(c->state) || c->reason[0], "a reason", row);
    check(!strchr(c->smiles, '.') && !strpbrk(c->smiles, " \t\r\n"), "one fragment", row);
    keep_finding(c, row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static worker *w;
    batch b = {0};
    if (!w && compound_worker_start(&w) != OK) abort();
    for (size_t at = 0, n; at <= size && b.rows.n < MAX_ROWS; at += n + 1) {
        const uint8_t *end = size > at ? memchr(data + at, '\n', size - at) : NULL;
        n = end ? (size_t)(end - data) - at : size - at;
        names_addn(&b.rows, (const char *)data + at, n); /* up to a NUL, as a table's cell would be */
    }
    compound_job job = {
        .n = (int64_t)b.rows.n, .smiles = smiles, .take = take, .ctx = &b, .kind = COMPOUND_ECFP4, .bits = BITS, .limit_s = 2};
    if (compound_worker_run(w, &job) != OK) {
        fprintf(stderr, "fuzz_smiles: %s\n", msg_get());
        abort();
    }
    for (size_t i = 0; i < b.rows.n; i++) check(b.answers[i] == 1, "one answer", b.rows.item[i]);
    names_free(&b.rows);
    return 0;
}

/* Open Babel is not instrumented, so that coverage cannot lead: mutations know what SMILES are made of. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    static const char *const token[] = {
        "C",        "N",     "O",       "c",     "n",     "o",    "s",         "p",      "[nH]",     "[NH3+]", "[O-]",     "[n-]",
        "[nH+]",    "(",     ")",       "[",     "]",     "=",    "#",         "$",      ":",        "/",      "\\",       "-",
        "~",        ".",     "1",       "2",     "3",     "%10",  "%99",       "@",      "@@",       "H",      "+",        "-",
        "+2",       "*",     "[*]",     "[C@H]", "[C@@]", "[S@]", "[Pt]",      "[Fe+2]", "[U]",      "[13C]",  "[2H]",     "[H]",
        "[B-]",     "[Xe]",  "@TH1",    "@AL1",  "@SP2",  "@TB5", "[Co@OH12]", "[Cl-]",  "[cH-]",    "[Si]",   "[te]",     "[se]",
        "c1ccccc1", "C1CC1", "F/C=C/F", "\n",    " ",     ">",    "[999C]",    "[C+15]", "[C:9999]", "[N@+]",  "C(C)(C)C", "[b-]",
        "%(100)",   "&1",    "0",       "!",     ";",     "CC",   "Cl",        "Br"};
    uint32_t r = seed * 2654435761u + 12345u;
    for (int round = 0; round < 1 + (int)(seed % 5); round++) {
        r = r * 1664525u + 1013904223u;
        size_t at = size ? (r >> 8) % (size + 1) : 0, n = size > at ? 1 + (r >> 4) % (size - at) : 0;
        if (n > 64) n = n % 64 + 1;
        const char *t = token[(r >> 16) % (sizeof token / sizeof *token)];
        size_t len = strlen(t);
        switch (r >> 28 & 7) {
        case 0: /* cut */
            memmove(data + at, data + at + n, size - at - n);
            size -= n;
            break;
        case 1: /* double a piece */
            if (size + n > max) break;
            memmove(data + at + n, data + at, size - at);
            size += n;
            break;
        case 2: /* any byte */
            if (at < size) data[at] = (uint8_t)(r >> 12);
            break;
        case 3: /* over what is there */
            for (size_t i = 0; i < len && at + i < size; i++) data[at + i] = (uint8_t)t[i];
            break;
        default: /* in between */
            if (size + len > max) break;
            memmove(data + at + len, data + at, size - at);
            memcpy(data + at, t, len);
            size += len;
        }
    }
    return size;
}
