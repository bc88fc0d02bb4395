/* blocks.c -- every byte of a finished file has its digest, and is compared with it when it is read.
 *
 * The HDF5 part of a file is followed by a tail: the XXH3-64 of each 64 KiB block of that part (the last one may be shorter), then a foot:
 *     size of the HDF5 part | bytes of a block | number of blocks | digest of the digests and of these three     (u64, little-endian)
 *     "MICON-BLOCKS-001"
 * HDF5 is told that the file ends where the tail begins; other programs ignore the bytes behind the HDF5 part. Files are read through a
 * file driver of our own: whatever HDF5 reads of a block, the block is read as a whole once and compared, so that a bit that flipped on the
 * disk is an error of the read and never a value. */
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 65536, MARK = 16, FOOT = 4 * 8 + MARK };
static const char mark[MARK + 1] = "MICON-BLOCKS-001";

typedef struct {
    uint64_t size; /* of the HDF5 part */
    size_t n;      /* blocks; 0: the file has no tail */
    uint64_t *digest;
} tail;

static uint64_t get_u64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

static void put_u64(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) p[i] = (unsigned char)(v >> (8 * i));
}

/* All of [at, at + n); short is an error. */
static status read_at(int fd, void *out, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)out + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(E_IO, "reading failed: %s", strerror(errno));
        if (got == 0) return fail(E_FORMAT, "became shorter while it was read");
        done += (size_t)got;
    }
    return OK;
}

static uint64_t foot_digest(const tail *t)
{
    uint64_t d = digest_bytes(t->digest, t->n * sizeof *t->digest);
    return digest_mix(digest_mix(digest_mix(d, t->size), BLOCK), t->n);
}

static size_t blocks_in(uint64_t size)
{
    return (size_t)((size + BLOCK - 1) / BLOCK);
}

static size_t block_bytes(const tail *t, size_t b)
{
    uint64_t left = t->size - (uint64_t)b * BLOCK;
    return left < BLOCK ? (size_t)left : BLOCK;
}

/* t is {0} before. Without a tail: n is 0, and size is that of the file. A damaged tail is E_FORMAT. */
static status tail_read(tail *t, int fd)
{
    status st = OK;
    struct stat sb;
    unsigned char foot[FOOT], *raw = NULL;
    if (fstat(fd, &sb) != 0) TRY(fail(E_IO, "%s", strerror(errno)));
    uint64_t all = (uint64_t)sb.st_size;
    t->size = all;
    if (all < FOOT) goto done;
    TRY(read_at(fd, foot, FOOT, all - FOOT));
    if (memcmp(foot + FOOT - MARK, mark, MARK) != 0) goto done;
    uint64_t size = get_u64(foot), n = get_u64(foot + 16);
    if (get_u64(foot + 8) != BLOCK || size == 0 || size > all || n != blocks_in(size) || all != size + n * 8 + FOOT)
        TRY(fail(E_FORMAT, "its length is not the recorded one: cut short, or written to since"));
    TRY(mem_alloc(&raw, (size_t)n, 8, "block digests"));
    TRY(mem_alloc(&t->digest, (size_t)n, 8, "block digests"));
    TRY(read_at(fd, raw, (size_t)n * 8, size));
    for (size_t i = 0; i < n; i++) t->digest[i] = get_u64(raw + 8 * i);
    t->size = size;
    t->n = (size_t)n;
    if (foot_digest(t) != get_u64(foot + 24)) TRY(fail(E_FORMAT, "its block digests are damaged"));
done:
    free(raw);
    return st;
}

static status block_check(const tail *t, size_t b, const void *bytes)
{
    size_t n = block_bytes(t, b);
    if (digest_bytes(bytes, n) == t->digest[b]) return OK;
    unsigned long long first = (unsigned long long)b * BLOCK;
    return fail(E_FORMAT, "bytes %llu to %llu are not those that were written: the file was changed or damaged", first, first + n - 1);
}

/* ---- writing ---- */

/* Digests of the blocks [first, first + n) of a file of `t->size` bytes. */
static status digest_some(const tail *t, const char *path, int64_t first, int64_t n, uint64_t *out)
{
    status st = OK;
    int fd = -1;
    unsigned char *block = xmalloc(BLOCK);
    TRY(path_open_regular(path, &fd));
    for (int64_t i = 0; i < n; i++) {
        size_t b = (size_t)(first + i), bytes = block_bytes(t, b);
        TRY(fail_within(read_at(fd, block, bytes, (uint64_t)b * BLOCK), "%s", path));
        out[i] = digest_bytes(block, bytes);
    }
done:
    if (fd >= 0) close(fd);
    free(block);
    return st;
}

static status tail_write(const tail *t, const char *path)
{
    status st = OK;
    size_t bytes = t->n * 8 + FOOT, done = 0;
    unsigned char *raw = xmalloc(bytes), *foot = raw + t->n * 8;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) TRY(fail(E_IO, "%s: %s", path, strerror(errno)));
    for (size_t i = 0; i < t->n; i++) put_u64(raw + 8 * i, t->digest[i]);
    put_u64(foot, t->size);
    put_u64(foot + 8, BLOCK);
    put_u64(foot + 16, t->n);
    put_u64(foot + 24, foot_digest(t));
    memcpy(foot + 32, mark, MARK);
    while (done < bytes) {
        ssize_t n = pwrite(fd, raw + done, bytes - done, (off_t)(t->size + done));
        if (n < 0 && errno != EINTR) TRY(fail(E_IO, "%s: cannot be written: %s", path, strerror(errno)));
        if (n > 0) done += (size_t)n;
    }
    if (close(fd) != 0) {
        fd = -1;
        TRY(fail(E_IO, "%s: cannot be written: %s", path, strerror(errno)));
    }
    fd = -1;
done:
    if (fd >= 0) close(fd);
    free(raw);
    return st;
}

status blocks_append_all(const store *s)
{
    status st = OK;
    tail t = {0};
    char *all = NULL;
    uint64_t *mine = NULL;
    int64_t size = 0, mtime, first, n;
    size_t bytes;
    TRY_ALL(s->comm, s->rank == 0 ? path_stat(s->part, &size, &mtime) : OK);
    MPI_Bcast(&size, 1, MPI_INT64_T, 0, s->comm);
    t.size = (uint64_t)size;
    t.n = blocks_in(t.size);
    partition((int64_t)t.n, comm_size(s->comm), s->rank, &first, &n);
    mine = xcalloc((size_t)n + 1, sizeof *mine);
    TRY_ALL(s->comm, digest_some(&t, s->part, first, n, mine));
    TRY(comm_gather_all(s->comm, 0, mine, (size_t)n * sizeof *mine, &all, &bytes)); /* in rank order */
    t.digest = (uint64_t *)(void *)all;                                             /* malloc'ed: aligned for any type */
    TRY_ALL(s->comm, s->rank == 0 ? tail_write(&t, s->part) : OK);
done:
    free(mine);
    free(all);
    return st;
}

/* ---- reading: a file driver of HDF5's ---- */

typedef struct {
    H5FD_t pub; /* HDF5's own part comes first */
    int fd;
    dev_t device;
    ino_t inode;
    haddr_t end; /* the end of addresses that HDF5 has set */
    tail t;
    bool *seen; /* blocks that were compared */
    unsigned char *block;
} driver_file;

/* Our message becomes the innermost of HDF5's stack; h5_fail takes it from there by its first byte. */
static herr_t told(void)
{
    H5Epush2(H5E_DEFAULT, __FILE__, "blocks", __LINE__, H5E_ERR_CLS, H5E_FILE, H5E_READERROR, "%c%s", H5_OWN_MESSAGE, msg_get());
    msg_clear();
    return -1;
}

static herr_t driver_close(H5FD_t *file)
{
    driver_file *f = (driver_file *)file;
    if (f->fd >= 0) close(f->fd);
    free(f->t.digest);
    free(f->seen);
    free(f->block);
    free(f);
    return 0;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t fapl, haddr_t most)
{
    status st = OK;
    struct stat sb = {0};
    driver_file *f = xcalloc(1, sizeof *f);
    (void)fapl;
    (void)most;
    f->fd = -1;
    if (flags & (H5F_ACC_RDWR | H5F_ACC_TRUNC | H5F_ACC_CREAT)) TRY(fail(E_INTERNAL, "is only read"));
    TRY(path_open_regular(name, &f->fd));
    if (fstat(f->fd, &sb) != 0) TRY(fail(E_IO, "%s", strerror(errno)));
    f->device = sb.st_dev;
    f->inode = sb.st_ino;
    TRY(tail_read(&f->t, f->fd));
    if (f->t.n) {
        f->seen = xcalloc(f->t.n, sizeof *f->seen);
        f->block = xmalloc(BLOCK);
    }
done:
    if (st == OK) return &f->pub;
    told();
    driver_close(&f->pub);
    return NULL;
}

static int driver_cmp(const H5FD_t *a, const H5FD_t *b)
{
    const driver_file *x = (const driver_file *)a, *y = (const driver_file *)b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static herr_t driver_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    if (flags) *flags = H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_ACCUMULATE_METADATA_READ;
    return 0;
}

static haddr_t driver_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const driver_file *)file)->end;
}

static herr_t driver_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    ((driver_file *)file)->end = end;
    return 0;
}

static haddr_t driver_eof(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const driver_file *)file)->t.size;
}

static herr_t driver_handle(H5FD_t *file, hid_t fapl, void **handle)
{
    (void)fapl;
    *handle = file;
    return 0;
}

/* Check the blocks that [at, at + n) touches, n > 0. Blocks inside the range are compared in `bytes`; one at an end that was not compared
 * yet is read whole. */
static status check_range(driver_file *f, uint64_t at, size_t n, unsigned char *bytes)
{
    uint64_t end = at + n;
    for (size_t b = (size_t)(at / BLOCK); (uint64_t)b * BLOCK < end; b++) {
        uint64_t first = (uint64_t)b * BLOCK, last = first + block_bytes(&f->t, b);
        status st = OK;
        if (first >= at && last <= end) {
            st = block_check(&f->t, b, bytes + (first - at));
        } else if (!f->seen[b]) {
            st = read_at(f->fd, f->block, (size_t)(last - first), first);
            if (st == OK) st = block_check(&f->t, b, f->block);
            uint64_t from = first > at ? first : at, to = last < end ? last : end;
            if (st == OK)
                memcpy(bytes + (from - at), f->block + (from - first), (size_t)(to - from)); /* use the bytes that were compared */
        }
        if (st != OK) return st;
        f->seen[b] = true;
    }
    return OK;
}

static herr_t driver_read(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t n, void *out)
{
    driver_file *f = (driver_file *)file;
    status st = OK;
    (void)type;
    (void)transfer;
    if (at == HADDR_UNDEF || at + n < at) TRY(fail(E_FORMAT, "an address beyond every file"));
    size_t there = at >= f->t.size ? 0 : n < f->t.size - at ? n : (size_t)(f->t.size - at);
    TRY(read_at(f->fd, out, there, at));
    if (f->t.n && there) TRY(check_range(f, at, there, out));
    memset((char *)out + there, 0, n - there); /* beyond the end, as HDF5's own driver has it */
done:
    return st == OK ? 0 : told();
}

static herr_t driver_write(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t n, const void *bytes)
{
    (void)file;
    (void)type;
    (void)transfer;
    (void)at;
    (void)n;
    (void)bytes;
    if (fail(E_INTERNAL, "is only read") == OK) return 0;
    return told();
}

hid_t blocks_access(void)
{
    static const H5FD_class_t class = {
#if H5_VERSION_GE(1, 14, 0)
        .version = H5FD_CLASS_VERSION,
        .value = (H5FD_class_value_t)600,
#endif
        .name = "micon",
        .maxaddr = (haddr_t)INT64_MAX,
        .fc_degree = H5F_CLOSE_STRONG,
        .open = driver_open,
        .close = driver_close,
        .cmp = driver_cmp,
        .query = driver_query,
        .get_eoa = driver_eoa,
        .set_eoa = driver_set_eoa,
        .get_eof = driver_eof,
        .get_handle = driver_handle,
        .read = driver_read,
        .write = driver_write,
        .fl_map = H5FD_FLMAP_DICHOTOMY,
    };
    static hid_t driver = -1;
    if (driver < 0 || H5Iis_valid(driver) <= 0) driver = H5FDregister(&class);
    hid_t p = driver < 0 ? -1 : h5_access();
    if (p >= 0 && H5Pset_driver(p, driver, NULL) < 0) {
        H5Pclose(p);
        return -1;
    }
    return p;
}

status blocks_look(hid_t file, bool *there)
{
    void *handle = NULL;
    if (H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0 || !handle) return h5_fail(E_INTERNAL, "cannot ask for its block digests");
    const driver_file *f = handle;
    *there = f->t.n > 0;
    if (*there || f->t.size == f->end) return OK;
    return fail(E_FORMAT, "its length is not the recorded one: cut short, or written to since");
}

status blocks_verify(const char *path)
{
    status st = OK;
    int fd = -1;
    tail t = {0};
    unsigned char *block = xmalloc(BLOCK);
    st = path_open_regular(path, &fd);
    if (st != OK) goto closed;
    TRY(tail_read(&t, fd));
    for (size_t b = 0; b < t.n; b++) {
        TRY(read_at(fd, block, block_bytes(&t, b), (uint64_t)b * BLOCK));
        TRY(block_check(&t, b, block));
    }
done:
    st = fail_within(st, "%s", path);
closed:
    if (fd >= 0) close(fd);
    free(t.digest);
    free(block);
    return st;
}
