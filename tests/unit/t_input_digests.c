/* t_input_digests.c -- inputs are remembered by size and time, and by nothing else. */
#include "../tap.h"
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/provenance/input_digests.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int known(const input_digests *in)
{
    int n = 0;
    for (size_t i = 0; i < in->n; i++) n += in->item[i].known;
    return n;
}

/* Remembered in one folder, recalled in another, through a link, and from a memory of paths as they were given. */
static void test_elsewhere(const char *dir)
{
    char *sub = xasprintf("%s/screen/images", dir), *link = xasprintf("%s/link", dir), *memory = xasprintf("%s/screen/m.inputs", dir),
         *there = xasprintf("%s/screen", dir), *old = NULL, *data = NULL, d[DIGEST_TEXT];
    size_t n = 0;
    input_digests in = {0}, above = {0}, linked = {0}, again = {0}, before = {0};
    ok(path_make_dirs(sub) == OK && chdir(there) == 0 && path_write("images/a.tif", "one", 3) == OK, "a file in a folder");
    ok(symlink("screen", link) == 0 && input_digests_add(&in, "images/a.tif") == OK, "and a link to that");
    in.item[0].known = true;
    in.item[0].digest = 0xabc;
    ok(input_digests_remember(&in, memory) == OK && path_read(memory, &data, &n, 4096) == OK, "remembered there");
    ok(data && strstr(data, ",/") && strstr(data, "/screen/images/a.tif\n"), "by its absolute path");
    ok(input_digests_add(&again, "images/a.tif") == OK, "the same again");
    input_digests_recall(&again, memory);
    ok(known(&again) == 1, "is recalled");
    ok(chdir(dir) == 0 && input_digests_add(&above, "screen/images/a.tif") == OK && input_digests_add(&linked, "link/images/a.tif") == OK,
       "from above");
    input_digests_recall(&above, memory);
    ok(known(&above) == 1 && above.item[0].digest == 0xabc, "it is recalled");
    input_digests_recall(&linked, memory);
    ok(known(&linked) == 1, "and through a link");
    old = xasprintf("digest,size,mtime_ns,path\n%s,3,%lld,images/a.tif\n", digest_show(7, d), (long long)in.item[0].mtime_ns);
    ok(path_write(memory, old, strlen(old)) == OK && chdir(there) == 0 && input_digests_add(&before, "images/a.tif") == OK,
       "an older memory");
    input_digests_recall(&before, memory);
    ok(known(&before) == 1 && before.item[0].digest == 7, "is understood where it was made");
    input_digests *all[] = {&in, &above, &linked, &again, &before};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) input_digests_free(all[i]);
    ok(chdir(dir) == 0, "back");
    free(sub);
    free(link);
    free(memory);
    free(there);
    free(old);
    free(data);
}

int main(void)
{
    const char *dir = tap_dir();
    char *a = xasprintf("%s/a \"quoted\", b", dir), *b = xasprintf("%s/b\xC3\xA9", dir), *c = xasprintf("%s/gone", dir),
         *memory = xasprintf("%s/status/x.inputs", dir);
    input_digests in = {0}, again = {0}, changed = {0}, damaged = {0};
    ok(path_write(a, "one", 3) == OK && path_write(b, "two", 3) == OK, "two files");
    ok(input_digests_add(&in, a) == OK && input_digests_add(&in, b) == OK && input_digests_add(&in, c) == OK && known(&in) == 1,
       "a missing one is known to be missing");
    for (size_t i = 0; i < 2; i++) in.item[i].known = digest_file(in.item[i].path, &in.item[i].digest) == OK;
    ok(input_digests_remember(&in, memory) == OK, "remembered");
    ok(input_digests_add(&again, a) == OK && input_digests_add(&again, b) == OK && input_digests_add(&again, c) == OK, "the same again");
    input_digests_recall(&again, memory);
    ok(known(&again) == 3 && input_digests_digest(&again) == input_digests_digest(&in), "all recalled");
    struct timespec later[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    ok(utimensat(AT_FDCWD, b, later, 0) == 0, "a touched file");
    ok(input_digests_add(&changed, a) == OK && input_digests_add(&changed, b) == OK && input_digests_add(&changed, c) == OK, "once more");
    input_digests_recall(&changed, memory);
    ok(known(&changed) == 2 && !changed.item[1].known, "is not recalled");
    char *lines = NULL;
    size_t size = 0;
    uint64_t digest = 0;
    ok(input_digests_check(memory, &digest) == OK && digest && path_read(memory, &lines, &size, 1 << 20) == OK,
       "it has a digest of itself");
    lines[20] ^= 1;
    ok(path_write(memory, lines, size) == OK && input_digests_check(memory, &digest) == E_FORMAT, "a changed bit is seen");
    msg_clear();
    input_digests flipped = {0};
    ok(input_digests_add(&flipped, a) == OK, "the file again");
    input_digests_recall(&flipped, memory);
    ok(known(&flipped) == 0, "and nothing is recalled from there");
    input_digests_free(&flipped);
    free(lines);
    ok(path_write(memory, "digest,size\n\"", 13) == OK && input_digests_add(&damaged, a) == OK, "a damaged memory");
    input_digests_recall(&damaged, memory);
    ok(known(&damaged) == 0, "knows nothing");
    same(msg_get(), "", "and leaves no message");
    input_digests_free(&in);
    input_digests_free(&again);
    input_digests_free(&changed);
    input_digests_free(&damaged);
    free(a);
    free(b);
    free(c);
    free(memory);
    test_elsewhere(dir);
    return tap_done();
}
