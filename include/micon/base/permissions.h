/* permissions.h -- who may read and write what is made: the umask, and screen.group. Local.
 * In any case nothing is made that everyone may write. */
#ifndef MICON_BASE_PERMISSIONS_H
#define MICON_BASE_PERMISSIONS_H
#include "micon/base/status.h"

/* From here on files and folders are made so; with a group ("" : none) its members may write. E_USAGE: there is no such group. */
status permissions_start(const char *group) MUST_USE;
/* The folder and what is made in it belong to the group; one that is another user's is left to that one. "": nothing happens. */
status permissions_give_folder(const char *folder, const char *group) MUST_USE;
/* A file of ours belongs to the group, as far as we may. */
void permissions_give_file(const char *path, const char *group);

#endif
