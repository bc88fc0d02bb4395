/* path_open.c -- opens files for reading: regular files only. */
#include "micon/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

status path_open_regular(const char *path, int *fd)
{
    struct stat sb = {0};
    char shown[4096];
    text_show(shown, sizeof shown, path);
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* opening a named pipe must not wait for its writer */
    if (*fd >= 0 && fstat(*fd, &sb) == 0 && S_ISREG(sb.st_mode)) return OK;
    int why = errno;
    bool opened = *fd >= 0 && sb.st_mode;
    if (*fd >= 0) close(*fd);
    *fd = -1;
    if (!opened) return fail(E_IO, "%s: %s", shown, strerror(why));
    return fail(E_FORMAT, "%s: is a %s, not a file", shown,
                S_ISDIR(sb.st_mode)    ? "folder"
                : S_ISFIFO(sb.st_mode) ? "named pipe"
                                       : "device or socket");
}
