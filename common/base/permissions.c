/* permissions.c -- umask and group of new files and folders. */
#include "micon/base/permissions.h"

#include "micon/base/log.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static status find_group(const char *group, gid_t *gid)
{
    struct group *g = getgrnam(group);
    if (!g) return fail(E_USAGE, "screen.group: this machine has no group '%s'", group);
    *gid = g->gr_gid;
    return OK;
}

status permissions_start(const char *group)
{
    gid_t gid = 0;
    mode_t old = umask(0);
    umask(old | S_IWOTH);
    if (!*group) return OK;
    status st = find_group(group, &gid);
    if (st == OK) umask((old | S_IWOTH) & ~(mode_t)S_IRWXG);
    return st;
}

status permissions_give_folder(const char *folder, const char *group)
{
    struct stat sb;
    gid_t gid = 0;
    if (!*group) return OK;
    status st = find_group(group, &gid);
    if (st != OK) return st;
    if (stat(folder, &sb) != 0) return fail(E_IO, "%s: %s", folder, strerror(errno));
    if (sb.st_uid != geteuid() || (sb.st_gid == gid && sb.st_mode & S_ISGID))
        return OK; /* already set, or the folder belongs to another user */
    if (chown(folder, (uid_t)-1, gid) != 0 || chmod(folder, (sb.st_mode & 07777) | S_IRWXG | S_ISGID) != 0)
        return fail(E_IO, "%s: cannot change its group to '%s': %s", folder, group, strerror(errno));
    return OK;
}

void permissions_give_file(const char *path, const char *group)
{
    gid_t gid = 0;
    if (!*group) return;
    if (find_group(group, &gid) != OK)
        msg_clear();
    else if (chown(path, (uid_t)-1, gid) != 0)
        log_warn("%s: cannot change its group to '%s': %s", path, group, strerror(errno));
}
