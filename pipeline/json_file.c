/* json_file.c -- a JSON file below work/status, read whole. */
#include "driver.h"

#include "micon/base/path.h"

#include <jansson.h>
#include <stdlib.h>

json_t *driver_json(const char *path)
{
    enum { JSON_MOST = 64 << 20 };
    char *data = NULL;
    size_t n = 0;
    if (!path_exists(path)) return NULL;
    if (path_read(path, &data, &n, JSON_MOST) != OK) msg_clear();
    json_t *o = data ? json_loadb(data, n, 0, NULL) : NULL;
    free(data);
    return o;
}
