/* lock.c -- one run at a time in a work folder, across hosts. The lock has no heartbeat, since a run may be suspended for hours. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/permissions.h"
#include "micon/config/file_formats.h"

#include <stdlib.h>

status lock_take(work_lock *l, const call *c)
{
    status st = OK;
    char *work = config_work(&c->cfg, ""), *dir = config_work(&c->cfg, WORK_STATUS), *path = config_work(&c->cfg, STATUS_LOCK);
    char *what = xasprintf("micon %s %s", c->name, c->again);
    const file_lock_info info = {.what = what, .busy = "another run is active in this work folder"};
    l->held = NULL;
    TRY(fail_within(path_make_dirs(work), "screen.work"));
    TRY(fail_within(permissions_start(c->cfg.screen.group), "%s", c->path));
    TRY(permissions_give_folder(work, c->cfg.screen.group));
    TRY(path_make_dirs(dir));
    st = file_lock_take(&l->held, path, &info);
    if (st == E_IO) st = fail_within(st, "screen.work: it cannot be written to");
done:
    free(work);
    free(dir);
    free(path);
    free(what);
    return st;
}

void lock_release(work_lock *l)
{
    file_lock_release(&l->held);
}

bool lock_holder(const config *c, text *who)
{
    char *path = config_work(c, STATUS_LOCK);
    bool active = file_lock_holder(path, who);
    free(path);
    return active;
}
