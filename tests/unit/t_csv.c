/* t_csv.c -- the CSV reader: dialects, gzip, buffer borders, every way to be wrong; and the 742,825 rows of JUMP where they are. */
#include "../tap.h"
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

/* All rows as "[a|b][c|d]", or "!" and the message. */
static char *shape_of(const void *data, size_t size, text *t)
{
    csv *c = NULL;
    bool more = true;
    char **field;
    text_clear(t);
    status st = csv_open_memory(&c, "x.csv", data, size);
    for (int i = 0; st == OK && i < csv_n_cols(c); i++) text_addf(t, "%s%s", i ? "|" : "", csv_col_name(c, i));
    while (st == OK && (st = csv_next(c, &field, &more)) == OK && more) {
        text_addf(t, " %lld:", (long long)csv_line(c));
        for (int i = 0; i < csv_n_cols(c); i++) text_addf(t, "%s%s", i ? "|" : "", field[i]);
    }
    if (st != OK) {
        text_clear(t);
        text_addf(t, "!%s", msg_get());
    }
    msg_clear();
    csv_close(&c);
    return t->s;
}

static const struct {
    const char *text, *want;
} cases[] = {
    {"a,b\n1,2\n3,4\n", "a|b 2:1|2 3:3|4"},
    {"a,b\r\n1,2\r\n3,4", "a|b 2:1|2 3:3|4"},
    {"\xEF\xBB\xBF"
     "a,b\n1,2\n",
     "a|b 2:1|2"},
    {"a\tb\n1\t2,5\n", "a|b 2:1|2,5"},
    {"a,b\tc\n1,2\t3\n", "a|b\tc 2:1|2\t3"},
    {"\n\na,b\n\n1,2\n\r\n3,4\n\n", "a|b 5:1|2 7:3|4"},
    {"a,b\n\"1\",\"x, \"\"y\"\"\n z\"\n3,4\n", "a|b 2:1|x, \"y\"\n z 4:3|4"},
    {"\"a\"\"1\",\"b\"\r\n\"\",\"\"\r\n", "a\"1|b 2:|"},
    {"a,b\n5\" plate,x\"y\"\n", "a|b 2:5\" plate|x\"y\""},
    {"a,b\n,\n\"\",2", "a|b 2:| 3:|2"},
    {",a,\n1,2,3\n", "|a| 2:1|2|3"},
    {"a\nx\n", "a 2:x"},
    {"a\n\"x\"\r", "a 2:x"},
    {"a,b\n", "a|b"},
    {"a,b", "a|b"},
    {"a,\"b\tc\"\n1,2\n", "a|b\tc 2:1|2"},
    {"\"a,b\"\tc\n1\t2\n", "a,b|c 2:1|2"},
    /* wrong */
    {"", "!x.csv:1: the file is empty"},
    {"\xEF\xBB\xBF\n\n", "!x.csv:1: the file is empty"},
    {"a,a\n", "!x.csv:1: duplicate column 'a'"},
    {",,\n", "!x.csv:1: the header names no column"},
    {"a,b\n1,2\n\n3\n", "!x.csv:4: 1 field, but the header has 2"},
    {"a,b\n1,2,3\n", "!x.csv:2: 3 fields, but the header has 2"},
    {"a,b\n\"1\n2\",3\n1,2,3\n", "!x.csv:4: 3 fields, but the header has 2"},
    {"a,b\n1,\"2\n3,4\n", "!x.csv:2: a quote that opens in this row is never closed"},
    {"a,b\n1,\"2\"x\n", "!x.csv:2: text follows a closing quote"},
    {"a,b\n\"\n\n2\"x,1\n", "!x.csv:4: text follows a closing quote"},
    {"a,b\n1,\"2\"\rx\n", "!x.csv:2: text follows a closing quote"},
    {"\"a\"\tb,c\n1,2\n", "!x.csv:1: text follows a closing quote"},
    {"a,b\r1,2\r3,4\r", "!x.csv:1: the lines end in CR alone; save the file with LF or CRLF"},
};

static void dialects(void)
{
    text t = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        same(shape_of(cases[i].text, strlen(cases[i].text), &t), cases[i].want, cases[i].want);
    same(shape_of("a,b\n1,2\n3,\0\n", 11, &t), "!x.csv:3: a zero byte; if this is a UTF-16 file, save it as UTF-8", "a zero byte");
    same(shape_of("\xFF\xFE"
                  "a\0,\0b\0\n\0",
                  10, &t),
         "!x.csv:1: a zero byte; if this is a UTF-16 file, save it as UTF-8", "UTF-16");
    text_free(&t);
}

/* ---- gzip ---- */

static size_t pack(const char *s, size_t n, unsigned char *out, size_t cap)
{
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
    z.next_in = (unsigned char *)(uintptr_t)s, z.avail_in = (uInt)n;
    z.next_out = out, z.avail_out = (uInt)cap;
    int rc = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return rc == Z_STREAM_END ? cap - z.avail_out : 0;
}

static void gzip(void)
{
    text t = {0};
    unsigned char z[400] = {0};
    size_t n1 = pack("a,b\n1,2\n3", 9, z, sizeof z), n2 = pack(",4\n", 3, z + n1, sizeof z - n1), n = n1 + n2;
    same(shape_of(z, n1, &t), "!x.csv:3: 1 field, but the header has 2", "one member");
    same(shape_of(z, n, &t), "a|b 2:1|2 3:3|4", "two members are one file");
    same(shape_of(z, n + 50, &t), "a|b 2:1|2 3:3|4", "zero bytes behind them");
    z[n] = 'x';
    same(shape_of(z, n + 1, &t), "!x.csv:4: something else follows the gzip data", "something else behind them");
    z[n] = 0, z[n + 1] = 0x1f;
    same(shape_of(z, n + 2, &t), "!x.csv:4: something else follows the gzip data", "something behind the zero bytes");
    int wrong = 0;
    for (size_t cut = 2; cut < n; cut++) /* every shorter file but the one that ends between the members */
        if (cut != n1 && shape_of(z, cut, &t)[0] != '!') wrong++;
    ok(wrong == 0, "a gzip file that is cut off anywhere");
    same(shape_of(z, n1 - 8, &t), "!x.csv:3: the gzip data end early: the file is cut off", "its message");
    z[n1 - 6] ^= 1; /* the checksum of the first member */
    same(shape_of(z, n, &t), "!x.csv:1: the gzip data are damaged", "a wrong checksum");
    n = pack("", 0, z, sizeof z);
    same(shape_of(z, n, &t), "!x.csv:1: the file is empty", "gzip of nothing");
    text_free(&t);
}

/* Rows of all lengths lie over every border of the buffers, quoted and not. */
static void borders(const char *dir)
{
    text t = {0}, line = {0}, name = {0};
    text_addf(&name, "%s/big.csv", dir);
    text_add(&t, "n,x,y\n");
    const int rows = 3000;
    for (int i = 0; i < rows; i++) {
        text_clear(&line);
        for (int j = 0; j < i % 1200; j++) text_addf(&line, "%c", i % 3 == 0 && j % 50 == 7 ? "\"\n,"[j % 3] : 'a' + (i + j) % 26);
        text_addf(&t, "%d,", i);
        csv_quote(&t, text_str(&line));
        text_add(&t, i % 2 ? ",end\n" : ",end\r\n");
    }
    ok(path_write(text_str(&name), t.s, t.n) == OK, "written");
    for (int kind = 0; kind < 2; kind++) {
        csv *c = NULL;
        char **field;
        bool more = true;
        status st = kind ? csv_open_memory(&c, "x", t.s, t.n) : csv_open(&c, text_str(&name));
        int wrong = 0, n = 0;
        for (; st == OK && (st = csv_next(c, &field, &more)) == OK && more; n++) {
            text_clear(&line);
            for (int j = 0; j < n % 1200; j++) text_addf(&line, "%c", n % 3 == 0 && j % 50 == 7 ? "\"\n,"[j % 3] : 'a' + (n + j) % 26);
            wrong += atoi(field[0]) != n || strcmp(field[1], text_str(&line)) != 0 || strcmp(field[2], "end") != 0;
        }
        ok(st == OK && n == rows && wrong == 0, kind ? "3,000 rows from memory" : "3,000 rows from a file");
        ok(c && csv_digest(c) == digest_bytes(t.s, t.n), "the digest is that of the file");
        csv_close(&c);
    }
    text_free(&t);
    text_free(&line);
    text_free(&name);
}

static void long_rows(void)
{
    const size_t n = CSV_MAX_ROW + (16u << 20);
    text t = {0};
    char *big = malloc(n);
    if (!big) {
        tap_skip("rows beyond the limit", "no memory");
        return;
    }
    memset(big, 'x', n);
    memcpy(big, "a,b\n1,", 6);
    big[n - 1] = '\n';
    same(shape_of(big, n, &t), "!x.csv:2: the row is longer than 256 MiB", "a row of 272 MiB");
    big[6] = '"';
    same(shape_of(big, n, &t), "!x.csv:2: a quote that opens in this row is not closed within 256 MiB", "a quote open for 272 MiB");
    big[6] = 'x', big[20 << 20] = '\n';
    csv *c = NULL;
    char **field;
    bool more;
    ok(csv_open_memory(&c, "x.csv", big, (20 << 20) + 1) == OK && csv_next(c, &field, &more) == OK && strlen(field[1]) == (20 << 20) - 6,
       "a row of 20 MiB");
    csv_close(&c);
    free(big);
    text_free(&t);
}

static void tables(const char *dir)
{
    table *t = NULL;
    int col;
    char name[600];
    snprintf(name, sizeof name, "%s/a 'b' \xC3\xA4.csv", dir);
    const char *s = "Metadata_Plate,Metadata_Well,x\n1,A01,\"q\"\"\n\"\n2,,\n";
    ok(path_write(name, s, strlen(s)) == OK && table_read(&t, name) == OK, "a table, from a path with spaces, quotes, UTF-8");
    ok(table_n_rows(t) == 2 && table_n_cols(t) == 3 && table_digest(t) == digest_bytes(s, strlen(s)), "its size and digest");
    same(table_cell(t, 0, 2), "q\"\n", "a cell");
    same(table_cell(t, 1, 1), "", "an empty cell");
    ok(table_line(t, 0) == 2 && table_line(t, 1) == 4, "lines");
    ok(table_col_any(t, "y", "Metadata_Well", "x", NULL) == 1 && table_col_any(t, "y", NULL) == -1, "one of several names");
    ok(table_need(t, "Metadata_Plate", &col) == OK && col == 0, "a column that is there");
    char want[700];
    ok(table_need(t, "Metadata_plate", &col) == E_FORMAT, "a column that is not");
    snprintf(want, sizeof want, "%s:1: no column 'Metadata_plate'; the nearest is 'Metadata_Plate'", name);
    same(msg_get(), want, "names the nearest");
    msg_clear();
    ok(table_need(t, "SMILES", &col) == E_FORMAT, "nothing near");
    snprintf(want, sizeof want, "%s:1: no column 'SMILES'; it has Metadata_Plate, Metadata_Well, x", name);
    same(msg_get(), want, "lists what there is");
    msg_clear();
    table_free(&t);
    ok(table_read(&t, tap_absent("x.csv")) == E_IO && !t, "no such file");
    snprintf(want, sizeof want, "%s: No such file or directory", tap_absent("x.csv"));
    same(msg_get(), want, "its message");
    msg_clear();
    ok(table_read(&t, dir) == E_FORMAT, "a folder");
    msg_clear();
}

static void quoting(void)
{
    text t = {0};
    csv_quote(&t, "plain 'x'"), text_add(&t, ","), csv_quote(&t, "a,b"), text_add(&t, ","), csv_quote(&t, "\"\""), text_add(&t, ",");
    csv_quote(&t, "a\nb"), text_add(&t, ","), csv_quote(&t, ""), text_add(&t, ","), csv_quote(&t, "t\tt");
    same(t.s, "plain 'x',\"a,b\",\"\"\"\"\"\",\"a\nb\",,\"t\tt\"", "quoted where it must be");
    static const char *const name[] = {
        "=1+1", "+x",    "-cmd|' /C calc'!A0", "@SUM(A1)", "\tx", "\rx", "'", "''", "'=1", "''=1", "'a", "-5", "+3.2e4", "", "a=b", "=",
        "-",    "5'-AMP"};
    int bad = 0;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        text_clear(&t);
        csv_quote_text(&t, name[i]);
        char first = *t.s == '"' ? t.s[1] : *t.s, *plain = xstrdup(t.s);
        double number;
        if (*plain == '"') plain[strlen(plain) - 1] = '\0';
        bad += strchr("=+-@\t\r", first) != NULL && first && !num_f64(name[i], &number);
        bad += strcmp(csv_text(*plain == '"' ? plain + 1 : plain), name[i]) != 0;
        free(plain);
    }
    ok(bad == 0, "no text is a formula of a spreadsheet, and each is read back");
    text_clear(&t);
    csv_quote_text(&t, "=1+1"), text_add(&t, ","), csv_quote_text(&t, "-5"), text_add(&t, ","), csv_quote_text(&t, "'=1");
    same(t.s, "'=1+1,-5,''=1", "how they are written");
    text_free(&t);
}

static void jump(void)
{
    const char *path = tap_shared("jump/well_81fd6c6.csv.gz");
    if (!path_exists(path)) {
        tap_skip("the wells of JUMP", path);
        return;
    }
    table *t = NULL;
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    ok(table_read(&t, path) == OK && table_n_rows(t) == 742825, "742,825 wells of JUMP");
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("# in %.2f s\n", (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec));
    int64_t dmso = 0;
    for (int64_t i = 0; i < table_n_rows(t); i++) dmso += strcmp(table_cell(t, i, 3), "JCP2022_033924") == 0;
    printf("# %lld with DMSO\n", (long long)dmso);
    ok(dmso > 10000, "their controls");
    table_free(&t);
}

int main(void)
{
    const char *dir = tap_dir();
    dialects();
    gzip();
    borders(dir);
    long_rows();
    tables(dir);
    quoting();
    jump();
    return tap_done();
}
