/* t_inputs.c -- inputs are remembered by size and time, and by nothing else. */
#include "../tap.h"
#include "micon/digest.h"
#include "micon/inputs.h"
#include "micon/mem.h"
#include "micon/path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static int known(const inputs *in)
{
    int n = 0;
    for (size_t i = 0; i < in->n; i++) n += in->item[i].known;
    return n;
}

int main(void)
{
    const char *dir = getenv("T") ? getenv("T") : "/tmp";
    char *a = xasprintf("%s/a \"quoted\", b", dir), *b = xasprintf("%s/b\xC3\xA9", dir), *c = xasprintf("%s/gone", dir),
         *memory = xasprintf("%s/status/x.inputs", dir);
    inputs in = {0}, again = {0}, changed = {0}, damaged = {0};
    ok(path_write(a, "one", 3) == OK && path_write(b, "two", 3) == OK, "two files");
    ok(inputs_add(&in, a) == OK && inputs_add(&in, b) == OK && inputs_add(&in, c) == OK && known(&in) == 1,
       "a missing one is known to be missing");
    for (size_t i = 0; i < 2; i++) in.item[i].known = digest_file(in.item[i].path, &in.item[i].digest) == OK;
    ok(inputs_remember(&in, memory) == OK, "remembered");
    ok(inputs_add(&again, a) == OK && inputs_add(&again, b) == OK && inputs_add(&again, c) == OK, "the same again");
    inputs_recall(&again, memory);
    ok(known(&again) == 3 && inputs_digest(&again) == inputs_digest(&in), "all recalled");
    struct timespec later[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    ok(utimensat(AT_FDCWD, b, later, 0) == 0, "a touched file");
    ok(inputs_add(&changed, a) == OK && inputs_add(&changed, b) == OK && inputs_add(&changed, c) == OK, "once more");
    inputs_recall(&changed, memory);
    ok(known(&changed) == 2 && !changed.item[1].known, "is not recalled");
    ok(path_write(memory, "digest,size\n\"", 13) == OK && inputs_add(&damaged, a) == OK, "a damaged memory");
    inputs_recall(&damaged, memory);
    ok(known(&damaged) == 0, "knows nothing");
    same(msg_get(), "", "and leaves no message");
    inputs_free(&in);
    inputs_free(&again);
    inputs_free(&changed);
    inputs_free(&damaged);
    free(a);
    free(b);
    free(c);
    free(memory);
    return tap_done();
}
