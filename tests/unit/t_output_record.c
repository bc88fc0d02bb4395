/* t_output_record.c -- the record of what an output was made from. */
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/provenance/output_record.h"

#include "../tap.h"

#include <stdlib.h>
#include <unistd.h>

static void put(const char *path, const char *s)
{
    if (path_write(path, s, strlen(s)) != OK) ok(0, msg_get());
}

int main(void)
{
    const char *dir = tap_dir();
    names sets = {0};
    config c = {0}, d = {0};
    output_record m;
    text why = {0}, from = {0};
    char *out = path_join(dir, "x.h5"), *rec = path_join(dir, "status/tile/x.made");
    names_add(&sets, "tile.size=96");
    const char yaml[] = "screen:\n  name: a\n";
    ok(config_parse(&c, "screen.yaml", yaml, sizeof yaml - 1, NULL) == OK &&
           config_parse(&d, "screen.yaml", yaml, sizeof yaml - 1, &sets) == OK,
       "two configurations");
    config_show(&c, AFFECTS_TILES, &from);
    text_add(&from, "index rows: 0123456789abcdef\nquote: \"\\\n");
    put(out, "12345");
    ok(!output_record_read(&m, rec) && !*msg_get(), "no record: nothing is read, no message kept");
    ok(output_record_write(rec, "micon-tile", out, text_str(&from), 0xfeedULL, 0xffffffffffffffffULL) == OK,
       "a record is written, and its folder");
    if (ok(output_record_read(&m, rec), "and read")) {
        same(m.program, "micon-tile", "program");
        same(m.output, "x.h5", "output");
        ok(m.size == 5 && m.content == 0xffffffffffffffffULL && m.inputs == 0xfeedULL, "size and digests, all 64 bits of them");
        same(m.made_from, text_str(&from), "what it was made from, byte for byte");
        ok(output_record_is_of(&m, out), "it is of the file");
        ok(!output_record_config_differs(&m, &c, &why), "the same configuration");
        ok(output_record_config_differs(&m, &d, &why), "another one");
        same(text_str(&why), "tile.size was 224, is 96", "says which key");
        free(m.made_from);
        m.made_from = xstrdup("tile.size: 224\ntile.low: 0.05\nx: 1\n");
        ok(!output_record_config_differs(&m, &c, &why), "a record under a key's older name is of the same configuration");
        ok(output_record_same(m.made_from, "tile.size: 224\ntile.percentile_low: 0.05\nx: 1\n"), "and the same text");
        ok(output_record_digest(m.made_from) == output_record_digest("tile.size: 224\ntile.percentile_low: 0.05\nx: 1\n"), "and digest");
        ok(!output_record_same(m.made_from, "tile.size: 224\ntile.percentile_low: 0.06\nx: 1\n"), "another value is not");
        ok(!output_record_same(m.made_from, "tile.size: 224\ntile.percentile_high: 0.05\nx: 1\n"), "nor another key");
        free(m.made_from);
        m.made_from = xstrdup("tile.low: 0.5\n");
        text_clear(&why);
        ok(output_record_config_differs(&m, &c, &why), "another value under the older name");
        same(text_str(&why), "tile.percentile_low was 0.5, is 0.05", "is told under the new one");
        free(m.made_from);
        m.made_from = xstrdup(text_str(&from));
        char *rows = output_record_line(&m, "index rows");
        same(rows, "0123456789abcdef", "a line that is no configuration");
        free(rows);
        ok(output_record_line(&m, "index row") == NULL && output_record_line(&m, "rows") == NULL, "only whole keys are lines");
        put(out, "123456");
        ok(!output_record_is_of(&m, out), "another size: not of the file");
        unlink(out);
        ok(!output_record_is_of(&m, out) && !*msg_get(), "no file");
        output_record_free(&m);
    }
    char *whole = NULL, *changed;
    size_t size = 0;
    uint64_t digest = 0;
    int taken = 0, passed = 0;
    put(out, "12345");
    ok(output_record_write(rec, "micon-tile", out, text_str(&from), 1, 2) == OK && output_record_check(rec, &digest) == OK && digest,
       "a record has a digest of itself");
    ok(path_read(rec, &whole, &size, 1 << 20) == OK, "its bytes");
    for (size_t i = 0; i < size; i++) {
        changed = xstrndup(whole, size);
        changed[i] ^= 0x04;
        if (path_write(rec, changed, size) != OK) break;
        passed += output_record_check(rec, &digest) == OK;
        taken += output_record_read(&m, rec);
        msg_clear();
        output_record_free(&m);
        free(changed);
    }
    ok(size > 100 && !passed && !taken, "a changed bit anywhere: it does not pass, and is not taken");
    free(whole);
    unlink(out);
    static const char *const bad[] = {"", "{", "[]", "{\"format\": 2}", "{\"format\": 1, \"program\": 3}", "null"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(rec, bad[i]);
        ok(!output_record_read(&m, rec) && !m.program && !*msg_get(), "a damaged record is none");
    }
    ok(output_record_write(rec, "p", out, "", 0, 0) == E_IO, "no output: nothing to record");
    msg_clear();
    char *cmd = xasprintf("%s/status/tile", dir), *status_dir = path_join(dir, "status");
    unlink(rec);
    rmdir(cmd);
    rmdir(status_dir);
    rmdir(dir);
    free(cmd);
    free(status_dir);
    free(out);
    free(rec);
    text_free(&why);
    text_free(&from);
    names_free(&sets);
    config_free(&c);
    config_free(&d);
    return tap_done();
}
