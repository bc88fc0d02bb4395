/* fuzz_index.c -- any bytes as the tables of a screen, or as a damaged index.
 * First byte even: the rest, cut at bytes 0x1E, are the image, plate, well and compound table; 2 asks for pages, 4 for a tall sheet's
 * channels. Odd: triples (place high, place low, value) are put into an index's block, which gets a right digest again. */
#include "../../common/index/block_impl.h"
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/index/split.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TABLES = 4, END_OF_TABLE = 0x1E };
static const char *const file[TABLES] = {"t.csv", "p.csv", "w.csv", "c.csv"};
static char folder[64];

static void clean(void)
{
    if (chdir(folder) == 0)
        for (int i = 0; i < TABLES; i++) unlink(file[i]);
    rmdir(folder);
}

static void write_table(const char *name, const uint8_t *data, size_t size)
{
    char *path = path_join(folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    close(fd);
    free(path);
}

/* Everything an index can be asked. */
static void walk(const screen_index *ix)
{
    text t = {0};
    findings notes = {0};
    screen_split s = {0};
    split_options o = {.seed = 1, .test_batches = 1, .unseen_compounds = xstrdup("0.5")};
    frame f = {0};
    size_t n = 0;
    for (int64_t i = 0; i < index_n_rows(ix); i++) {
        for (int k = 0; k < index_n_cols(ix); k++) n += strlen(index_cell(ix, i, k)) + strlen(index_col_name(ix, k));
        for (int k = 0; k < index_n_channels(ix); k++) {
            n += strlen(index_path(ix, i, k, &t)) + strlen(index_illumination(ix, i, k, &t)) + (size_t)(index_page(ix, i, k) + 1);
            int64_t at;
            for (int64_t left = index_planes(ix, i, k, &at); left > 0; left--, at++) n += strlen(index_plane_path(ix, at, &t));
        }
        n += strlen(index_where(ix, i, &t));
        if (index_class(ix, i) >= 0) n += strlen(index_class_name(ix, index_class(ix, i)));
        if (index_well_end(ix, i) <= i) abort();
    }
    for (int64_t p = 0; p < index_n_plates(ix); p++) n += index_plate_digest(ix, p, INDEX_OF_ALL) & 1;
    if (n == SIZE_MAX) abort();
    if (split_make(&s, ix, &o, folder, &notes) == OK && s.n_rows != index_n_rows(ix)) abort();
    if (index_frame(ix, 0, index_n_rows(ix), &f) == OK && f.n_rows != index_n_rows(ix)) abort();
    text_clear(&t);
    findings_show(index_findings(ix), &t);
    free(o.unseen_compounds);
    screen_split_free(&s), findings_free(&notes), frame_free(&f), text_free(&t), msg_clear();
}

static screen_index *build(unsigned flags, const uint8_t *data, size_t size)
{
    names list[TABLES] = {0}, channels = {0}, control = {0}, treatment = {0};
    for (int i = 0; i < TABLES; i++) {
        const uint8_t *end = memchr(data, END_OF_TABLE, size);
        size_t n = end && i < TABLES - 1 ? (size_t)(end - data) : size;
        if (n) names_add(&list[i], file[i]);
        write_table(file[i], data, n);
        data += n + (n < size), size -= n + (n < size);
    }
    names_add(&channels, "DNA"), names_add(&channels, "ER"), names_add(&control, "DMSO");
    if (flags & 8) names_add(&treatment, "dose");
    index_options o = {.dir = folder,
                       .images = &list[0],
                       .plate = &list[1],
                       .well = &list[2],
                       .compound = &list[3],
                       .channels = &channels,
                       .control = &control,
                       .treatment = &treatment,
                       .z = flags & 16 ? flags & 32 ? Z_MIDDLE : Z_MAX : 0,
                       .pages = (flags & 2) != 0};
    screen_index *ix = NULL;
    if (index_build(&ix, &o) != OK) abort(); /* trouble in tables is a finding, never a failure */
    for (int i = 0; i < TABLES; i++) names_free(&list[i]);
    names_free(&channels), names_free(&control), names_free(&treatment);
    return ix;
}

static void damaged(const uint8_t *data, size_t size)
{
    static uint8_t *good;
    static size_t n;
    static const char tables[] =
        "DNA,ER,FileName_IllumDNA,Source,Batch,Plate,Well,Site,JCP2022\na,b,c,S,B,P,A01,1,DMSO\nx,,y,S,B,P,A02,1,X\na,b,,S,B,Q,A02,1,Y\n";
    if (!good) {
        screen_index *ix = build(2, (const uint8_t *)tables, sizeof tables - 1);
        const void *bytes = index_bytes(ix, &n);
        good = xmalloc(n);
        memcpy(good, bytes, n);
        index_free(&ix);
    }
    uint8_t *copy = xmalloc(n);
    memcpy(copy, good, n);
    for (; size >= 3; data += 3, size -= 3) copy[(size_t)(data[0] << 8 | data[1]) % n] = data[2];
    uint64_t d = digest_bytes(copy + sizeof(block_head), n - sizeof(block_head));
    memcpy(copy + offsetof(block_head, content), &d, sizeof d);
    screen_index *ix = NULL;
    if (index_from_bytes(&ix, copy, n, "") == OK) walk(ix);
    index_free(&ix);
    msg_clear();
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!*folder) {
        strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz_index.XXXXXX" : "/tmp/fuzz_index.XXXXXX");
        if (!mkdtemp(folder)) abort();
        atexit(clean);
    }
    if (size < 1 || size > 1 << 16) return 0;
    if (data[0] & 1) {
        damaged(data + 1, size - 1);
        return 0;
    }
    screen_index *ix = build(data[0], data + 1, size - 1);
    if (msg_get()[0]) abort(); /* a message left behind would show up with the next failure */
    walk(ix);
    index_free(&ix);
    return 0;
}
