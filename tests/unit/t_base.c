/* t_base.c -- common/base: messages, numbers, random numbers, names, options, files. */
#include "../tap.h"
#include "micon/base/digest.h"
#include "micon/base/identity.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/base/rng.h"
#include "micon/base/text.h"
#include "micon/config/opt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void messages(void)
{
    char buf[64];
    ok(fail(E_IO, "first %d", 1) == E_IO, "fail returns its code");
    if (fail(E_FAILED, "second") == E_FAILED) same(msg_get(), "first 1", "the first message is kept");
    ok(fail_within(E_IO, "plate %s", "P1") == E_IO, "fail_within returns its status");
    msg_take(buf, sizeof buf);
    same(buf, "plate P1: first 1", "the context stands before the message");
    same(msg_get(), "", "taking a message clears it");
    ok(status_exit(OK) == 0 && status_exit(E_IO) == 1 && status_exit(E_USAGE) == 2 && status_exit(E_AGAIN) == 75, "exit statuses");
    char long_text[9000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    ok(fail(E_IO, "%s", long_text) == E_IO && strlen(msg_get()) < 8000, "a huge message is cut");
    ok(fail_within(E_IO, "%s", long_text) == E_IO, "and so is its context");
    msg_clear();
}

static void numbers(void)
{
    static const char *const bad_int[] = {"", " 1", "1 ", "12abc", "0x10", "1.0", "9223372036854775808", "-", "lots", "1e3"};
    static const char *const bad_real[] = {"", "nan", "inf", "1e999", "0x1p3", "1.2.3", " 1", "1 ", ".", "-", "1e"};
    int64_t i;
    double d;
    int wrong = 0;
    for (size_t k = 0; k < sizeof bad_int / sizeof *bad_int; k++) wrong += num_i64(bad_int[k], &i);
    ok(wrong == 0, "what is not a whole number is refused");
    wrong = 0;
    for (size_t k = 0; k < sizeof bad_real / sizeof *bad_real; k++) wrong += num_f64(bad_real[k], &d);
    ok(wrong == 0, "what is not a number is refused");
    ok(num_i64("-9223372036854775808", &i) && i == INT64_MIN, "the least int64");
    ok(num_f64("-1.5e-3", &d) && d == -1.5e-3 && num_f64(".5", &d) && d == 0.5, "reals");
    ok(num_bytes("4GiB", &i) && i == 4294967296 && num_bytes("1.5KiB", &i) && i == 1536 && num_bytes("7", &i) && i == 7, "sizes");
    ok(!num_bytes("4 GiB", &i) && !num_bytes("GiB", &i) && !num_bytes("-1", &i) && !num_bytes("99999999TiB", &i), "bad sizes");
    int n;
    ok(int_from_i64(2147483647, &n) == OK && n == 2147483647, "int_from_i64 keeps what fits");
    ok(int_from_i64(2147483648, &n) == E_INTERNAL, "and refuses what does not");
    msg_clear();
    size_t size;
    ok(!mul_size(SIZE_MAX / 2, 3, &size) && mul_size(3, 4, &size) && size == 12, "mul_size sees overflow");
    void *p;
    ok(mem_alloc(&p, SIZE_MAX / 2, 16, "pixels") == E_NOMEM, "an impossible block is a status");
    msg_clear();
}

static void randoms(void)
{
    /* Known answers of Random123's Philox4x32-10. */
    uint32_t out[4], ctr0[4] = {0}, key0[2] = {0}, ones[4] = {~0u, ~0u, ~0u, ~0u};
    uint32_t pi[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, pi_key[2] = {0xa4093822, 0x299f31d0};
    philox4x32(ctr0, key0, out);
    ok(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c && out[3] == 0x9b00dbd8, "Philox of zeros");
    philox4x32(ones, ones, out);
    ok(out[0] == 0x408f276d && out[1] == 0x41c83b0e && out[2] == 0xa20bc7c6 && out[3] == 0x6d5451fd, "Philox of ones");
    philox4x32(pi, pi_key, out);
    ok(out[0] == 0xd16cfe09 && out[1] == 0x94fdcceb && out[2] == 0x5001e420 && out[3] == 0x24126ea1, "Philox of pi");
    rng r = rng_at(1, 2, 3, 4);
    double sum = 0, sq = 0;
    int n = 20000, seen[7] = {0};
    for (int i = 0; i < n; i++) {
        double x = rng_normal(&r);
        sum += x, sq += x * x;
    }
    ok(fabs(sum / n) < 0.03 && fabs(sq / n - 1) < 0.05, "normals have mean 0 and sd 1");
    for (int i = 0; i < 7000; i++) seen[rng_below(&r, 7)]++;
    int worst = 0;
    for (int i = 0; i < 7; i++) worst = abs(seen[i] - 1000) > worst ? abs(seen[i] - 1000) : worst;
    ok(worst < 150, "rng_below is even");
    int64_t v[100], total = 0;
    for (int i = 0; i < 100; i++) v[i] = i;
    rng_shuffle(&r, v, 100);
    for (int i = 0; i < 100; i++) total += v[i];
    ok(total == 4950 && !(v[0] == 0 && v[1] == 1 && v[2] == 2), "a shuffle keeps all and moves them");
}

static void naming(void)
{
    static const char *const odd[] = {"BR00116991", "a b", "..", ".", "a__b", "_", "x_", "../../etc/passwd", "p\xC3\xA9", "a_b", "", "%41"};
    int wrong = 0;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char *e = text_encode_name(odd[i]), *d = text_decode_name(e);
        if (!d || strcmp(d, odd[i]) || strchr(e, '/') || strstr(e, "__") || strcmp(e, "..") == 0) wrong++;
        free(e);
        free(d);
    }
    ok(wrong == 0, "names survive encoding, and hold no '/', '__' or '..'");
    ok(text_decode_name("a%2") == NULL && text_decode_name("a b") == NULL && text_decode_name("%00") == NULL,
       "other texts are not decoded");
    char w[8];
    ok(text_well("a1", w) && !strcmp(w, "A01") && text_well("P24", w) && !strcmp(w, "P24") && text_well("AF48", w) && !strcmp(w, "AF48"),
       "wells");
    ok(!text_well("Z99", w) && !text_well("A0", w) && !text_well("A", w) && !text_well("AG01", w) && !text_well("A1x", w) &&
           !text_well("", w),
       "no wells");
    ok(text_natural_cmp("P2", "P10") < 0 && text_natural_cmp("10", "9") > 0 && text_natural_cmp("a", "a") == 0 &&
           text_natural_cmp("01", "1") != 0,
       "natural order");
    static const char *const known[] = {"size", "tiles_per_site", "illumination"};
    const char *near_one = names_nearest("ilumination", known, 3);
    ok(near_one && !strcmp(near_one, "illumination"), "the nearest name is found");
    ok(names_nearest("banana", known, 3) == NULL, "and none where none is near");
    text t = {0};
    text_add_json(&t, "a\"\\\n\xC3\xA9\xFF");
    same(text_str(&t), "\"a\\\"\\\\\\u000a\xC3\xA9\xEF\xBF\xBD\"", "JSON strings");
    text_free(&t);
    text_clear(&t);
    text_add_json(&t, "\xC2\x9B\x7F\xE2\x80\xAE\xC2\xA0");
    same(text_str(&t), "\"\\u009b\\u007f\\u202e\xC2\xA0\"", "JSON: what a terminal would obey");
    text_free(&t);
    char show[16];
    same(text_show(show, sizeof show, "a\tb\x01"), "a?b?", "control characters are not shown");
    same(text_show(show, sizeof show, "abcdefghijklmnopqrstuvwxyz"), "abcdefghijk...", "long texts are cut");
    char wide[64], line[] = "a\xC2\x9B"
                            "31m\n\tb\xE2\x80\xAE"
                            "c\xC3\xA9\x1B[0m\xFF";
    same(text_show(wide, sizeof wide,
                   "a\xC2\x9B"
                   "31m\xE2\x80\xAE\xE2\x81\xA6\xE2\x80\xA8\xEF\xBB\xBF\xC2\xA0\xC3\xA9"),
         "a?31m????\xC2\xA0\xC3\xA9", "C1 controls and marks of direction are not shown");
    text_disarm(line);
    same(line, "a?31m\n\tb?c\xC3\xA9?[0m?", "a whole message");
}

typedef struct {
    bool flag;
    char *name;
    names plates;
    int64_t size, memory;
    double low;
    int how;
} sample;
static const opt sample_opts[] = {
    {NULL, "flag", OPT_FLAG, offsetof(sample, flag), "", 0, 0, NULL, 0, "a flag"},
    {NULL, "name", OPT_TEXT, offsetof(sample, name), "x", 0, 0, NULL, 0, "a name"},
    {NULL, "plate", OPT_LIST, offsetof(sample, plates), "", 0, 0, NULL, 0, "plates"},
    {NULL, "size", OPT_INT, offsetof(sample, size), "224", 32, 4096, NULL, 0, "pixels"},
    {NULL, "memory", OPT_BYTES, offsetof(sample, memory), "auto", 0, 1e15, "auto", 0, "bytes"},
    {NULL, "low", OPT_REAL, offsetof(sample, low), "0.05", 0, 100, NULL, 0, "per cent"},
    {NULL, "how", OPT_CHOICE, offsetof(sample, how), "b", 0, 0, "a|b|c", 0, "a way"},
    {NULL, NULL, 0, 0, NULL, 0, 0, NULL, 0, NULL},
};

static int parse(sample *s, names *rest, int n, const char *const *v)
{
    char *argv[16] = {"prog"};
    for (int i = 0; i < n; i++) argv[i + 1] = (char *)v[i];
    memset(s, 0, sizeof *s);
    if (opt_defaults(sample_opts, s) != OK) return -1;
    return (int)opt_args(sample_opts, s, n + 1, argv, rest);
}

static void options(void)
{
    sample s;
    names rest = {0};
    int rc = parse(&s, &rest, 8, (const char *[]){"in.yaml", "--size", "64", "--plate=A", "--plate", "B", "--flag", "--how=c"});
    ok(rc == OK && s.size == 64 && s.plates.n == 2 && s.flag && s.how == 2 && s.memory == -1 && rest.n == 1, "a command line");
    text t = {0};
    opt_show(opt_find(sample_opts, NULL, "memory"), &s, &t);
    text_add(&t, " ");
    opt_show(opt_find(sample_opts, NULL, "low"), &s, &t);
    text_add(&t, " ");
    opt_show(opt_find(sample_opts, NULL, "how"), &s, &t);
    same(text_str(&t), "auto 0.05 c", "values are shown as they are written");
    text_free(&t);
    opt_free(sample_opts, &s);
    names_free(&rest);
    static const struct {
        const char *arg, *message;
    } wrong[] = {
        {"--sise=3", "unknown option --sise; did you mean --size?"},
        {"--size=3", "--size: '3' is not a whole number from 32 to 4096"},
        {"--size=64px", "--size: '64px' is not a whole number from 32 to 4096"},
        {"--how=d", "--how: 'd' is not one of a, b, c"},
        {"--flag=1", "--flag takes no value"},
        {"--name", "--name needs a value"},
        {"-x", "unknown option -x; --help lists them"},
        {"--memory=much", "--memory: 'much' is not a size such as 512MiB from 0 B to 1.0 PB, or auto"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        rc = parse(&s, &rest, 1, &wrong[i].arg);
        ok(rc == E_USAGE, wrong[i].arg);
        same(msg_get(), wrong[i].message, "its message");
        msg_clear();
        opt_free(sample_opts, &s);
        names_free(&rest);
    }
}

/* A folder whose name a glob would take for a pattern, and a file like that. */
static void globs(void)
{
    char *dir = xasprintf("%s/plates[2024]{a,b}*", tap_dir()), *one = path_join(dir, "step-1.h5"), *two = path_join(dir, "step-2.h5"),
         *odd = path_join(dir, "step-[1].h5");
    names found = {0}, plain = {0}, none = {0};
    ok(path_make_dirs(dir) == OK && path_write(one, "1", 1) == OK && path_write(two, "2", 1) == OK && path_write(odd, "3", 1) == OK,
       "files in a folder with a name like a pattern");
    ok(path_glob(&found, dir, "step-?.h5") == OK && found.n == 2 && strcmp(found.item[0], one) == 0 && strcmp(found.item[1], two) == 0,
       "are found, sorted");
    ok(path_glob(&plain, dir, "step-[1].h5") == OK && plain.n == 1 && strcmp(plain.item[0], odd) == 0, "a file of just that name is meant");
    ok(path_glob(&none, dir, "*.csv") == OK && none.n == 0, "none is no error");
    names_free(&found), names_free(&plain), names_free(&none);
    free(dir), free(one), free(two), free(odd);
}

static bool path_write_plain(const char *path)
{
    FILE *f = fopen(path, "wx");
    return f && fclose(f) == 0;
}

/* Part files of this host's name: whether their writer is gone can be told within our own PID namespace only, else by their age. */
static void in_containers(const char *dir, const char *path)
{
    const identity *me = identity_mine();
    pid_t gone = fork();
    if (gone == 0) _exit(0);
    waitpid(gone, NULL, 0);
    char kept[IDENTITY_TOKEN];
    int how = 0;
    memcpy(kept, me->token, sizeof kept);
    pid_t other = fork();
    if (other == 0) _exit(strcmp(kept, identity_mine()->token) == 0);
    ok(waitpid(other, &how, 0) == other && how == 0, "another process has another token, whatever its number");
    char *name[4] = {xasprintf("%s.part.%s-%ld-%.8s-00c0ffee", path, me->host, (long)gone, *me->space ? me->space : "unknown0"),
                     xasprintf("%s.part.%s-%ld-01234567-00c0ffee", path, me->host, (long)gone),
                     xasprintf("%s.part.%s-%ld-01234567-00c0ffed", path, me->host, (long)getpid()),
                     xasprintf("%s.part.%s-%ld", path, me->host, (long)gone)};
    for (int i = 0; i < 4; i++) ok(path_write_plain(name[i]), "a part file");
    const struct timespec old[2] = {{time(NULL) - 90000, 0}, {time(NULL) - 90000, 0}};
    utimensat(AT_FDCWD, name[2], old, 0);
    ok(path_sweep_parts(dir, NULL) == (*me->space ? 3 : 2) && !path_exists(name[0]) && path_exists(name[1]) && !path_exists(name[3]),
       "of a dead process of ours: swept; of another container: only when a day old");
    unlink(name[1]);
    for (int i = 0; i < 4; i++) free(name[i]);
}

static void files(void)
{
    char *dir = xasprintf("%s/a b/c", tap_dir()), *path = path_join(dir, "f");
    char *data = NULL;
    size_t size;
    ok(path_make_dirs(dir) == OK && path_make_dirs(dir) == OK && path_is_dir(dir), "folders are made, twice");
    ok(path_write(path, "hello", 5) == OK && path_read(path, &data, &size, 100) == OK && size == 5 && !strcmp(data, "hello"),
       "a file round trip");
    free(data);
    data = NULL;
    ok(path_read(path, &data, &size, 3) == E_FORMAT && !data, "a file over the limit is refused");
    msg_clear();
    char *part = xasprintf("%s.part.nohost-1", path), *mine = path_part(path), *again = path_part(path);
    ok(strcmp(mine, again) == 0 && strstr(mine, identity_mine()->token), "a process has one part name for a file, with its token");
    ok(path_write_plain(mine) && path_write(path, "mine", 4) == E_IO && path_exists(mine), "a part file that is there is never written to");
    msg_clear();
    free(again);
    in_containers(dir, path);
    char *long_name = xasprintf("%s/%0250d", dir, 7), *long_part = path_part(long_name);
    ok(strlen(path_base(long_part)) <= 255 && path_write(long_name, "x", 1) == OK, "a name of 250 characters can be written aside");
    unlink(long_name);
    free(long_name), free(long_part);
    char *of_job[7] = {xasprintf("%s.part.12.0", path),
                       xasprintf("%s.part.123.1", path),
                       xasprintf("%s.part.12.0x", path),
                       xasprintf("%s.part.12.0.data.1", path),
                       xasprintf("%s.part.12.0.metadata.13", path),
                       xasprintf("%s.part.12.0-345", path),
                       xasprintf("%s.part.123.0-345", path)};
    names jobs = {0};
    FILE *f[] = {fopen(part, "w"),      fopen(mine, "w"),      fopen(of_job[0], "w"), fopen(of_job[1], "w"), fopen(of_job[2], "w"),
                 fopen(of_job[3], "w"), fopen(of_job[4], "w"), fopen(of_job[5], "w"), fopen(of_job[6], "w")};
    for (size_t i = 0; i < sizeof f / sizeof *f; i++)
        if (f[i]) fclose(f[i]);
    ok(path_sweep_parts(dir, NULL) == 0, "part files of other hosts, of jobs and of the living stay");
    names_add(&jobs, "123");
    ok(path_sweep_parts(dir, &jobs) == 4 && path_exists(of_job[1]) && path_exists(of_job[6]) && !path_exists(of_job[0]) &&
           !path_exists(of_job[5]),
       "those of a job that has ended are swept, and those that MPI kept beside them");
    ok(path_exists(path) && path_exists(mine) && path_exists(of_job[2]), "and nothing else");
    names_free(&jobs);
    for (size_t i = 0; i < sizeof of_job / sizeof *of_job; i++) {
        unlink(of_job[i]);
        free(of_job[i]);
    }
    unlink(part);
    unlink(mine);
    char *of_others = xasprintf("%s.part.77.0", path); /* something of another program of the same job */
    setenv("SLURM_JOB_ID", "77", 1);
    unsetenv("SLURM_RESTART_COUNT");
    ok(path_make_dirs(of_others) == OK && path_write(path, "hello", 5) == OK, "programs of one SLURM job write aside, each for itself");
    unsetenv("SLURM_JOB_ID");
    rmdir(of_others);
    free(of_others);
    uint64_t d1 = 0;
    char *pipe_path = path_join(dir, "pipe"), *link_path = path_join(dir, "link");
    int fd = -1;
    ok(mkfifo(pipe_path, 0600) == 0 && path_open_regular(pipe_path, &fd) == E_FORMAT && fd < 0 && strstr(msg_get(), "is a named pipe"),
       "a named pipe is refused and does not hold us up");
    msg_clear();
    ok(digest_file(pipe_path, &d1) == E_FORMAT && path_read(pipe_path, &data, &size, 100) == E_FORMAT, "nor is it digested or read");
    msg_clear();
    ok(digest_file("/dev/zero", &d1) == E_FORMAT && strstr(msg_get(), "is a device"), "/dev/zero is not read for ever");
    msg_clear();
    ok(symlink(path, link_path) == 0 && path_read(link_path, &data, &size, 100) == OK && size == 5, "a link to a file is read");
    free(data);
    data = NULL;
    unlink(pipe_path), unlink(link_path);
    free(pipe_path), free(link_path);
    ok(digest_file(path, &d1) == OK && d1 == digest_bytes("hello", 5), "a file's digest is that of its bytes");
    ok(digest_file(dir, &d1) == E_FORMAT, "a folder has none");
    msg_clear();
    ok(path_write(tap_absent("x"), "a", 1) == E_IO, "no folder, no file");
    msg_clear();
    free(part);
    free(mine);
    free(path);
    free(dir);
}

static void memory(void)
{
    double have = mem_available(), all = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    ok(have > 0 && have <= all, "there is memory, and not more than the machine has");
}

int main(void)
{
    memory();
    messages();
    numbers();
    randoms();
    naming();
    options();
    globs();
    files();
    return tap_done();
}
