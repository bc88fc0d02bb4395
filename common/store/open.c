/* open.c -- opening a file in one process: a finished one through the driver of blocks.c, an unfinished one without it. */
#include "micon/base/path.h"
#include "store_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Only a regular file that begins as HDF5 does: the library is not tried on anything else. */
static status look_first(const char *path)
{
    status st = OK;
    struct stat sb;
    unsigned char head[8] = {0};
    int fd;
    TRY(path_open_regular(path, &fd));
    if (fstat(fd, &sb) != 0) TRY(fail(E_IO, "%s: %s", path, strerror(errno)));
    if (sb.st_size == 0) TRY(fail(E_FORMAT, "%s: is empty", path));
    ssize_t got = pread(fd, head, sizeof head, 0);
    if (got < 0) TRY(fail(E_IO, "%s: %s", path, strerror(errno)));
    if (memcmp(head, "\211HDF\r\n\032\n", sizeof head) != 0) TRY(fail(E_FORMAT, "%s: is not an HDF5 file", path));
done:
    if (fd >= 0) close(fd);
    return st;
}

status h5_open_serial(const char *path, bool write, hid_t *file)
{
    status st = OK;
    hid_t fapl = -1;
    *file = -1;
    TRY(h5_start());
    TRY(look_first(path));
    fapl = write ? h5_access() : blocks_access();
    if (fapl < 0) TRY(h5_fail(E_INTERNAL, "%s: cannot prepare opening it", path));
    *file = H5Fopen(path, write ? H5F_ACC_RDWR : H5F_ACC_RDONLY, fapl);
    if (*file < 0) TRY(h5_fail(E_FORMAT, "%s: cannot be opened as HDF5 (truncated or damaged?)", path));
done:
    if (fapl >= 0) H5Pclose(fapl);
    return st;
}
