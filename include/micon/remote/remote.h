/* remote.h -- the bytes of images, also of those behind URLs, which one thread fetches ahead into memory. Local.
 *
 *     remote *net = remote_open_for(&cfg, false);          nothing is started as long as no URL is asked for
 *     while (there are more && remote_has_room(net)) TRY(remote_ask(net, path_of(next++)));
 *     TRY(remote_read(net, &file, path));                  waits for it; files that are here are read as image_file_read does
 *     remote_close(&net);
 *
 * What is asked for is read in the same order; what was asked for before it and not read is dropped. What was not asked for is fetched
 * first. A transfer that breaks is tried again, after a while and from the byte where it broke, if the object is still the same one (its
 * ETag or date); an object is delivered whole, of the length that the server said, or not at all. Redirects: five, within http and https.
 * Failures: E_IO what may be better another time (nothing there, no answer, broken off), E_FORMAT what will not; "URL: what". */
#ifndef MICON_REMOTE_REMOTE_H
#define MICON_REMOTE_REMOTE_H
#include "micon/config/config.h"
#include "micon/formats/image.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct remote remote;

typedef struct {
    int64_t parallel, retries, timeout_s; /* tile.fetch */
    const char *s3;                       /* url_address */
    const char *cache;                    /* folder; "": none */
    int64_t cache_bytes;
    int64_t memory; /* bytes of objects that wait to be read; the one that is waited for may exceed it */
    bool fresh;     /* fetch also what the cache has */
} remote_options;

remote *remote_open(const remote_options *o);                /* copies what it needs */
remote *remote_open_for(const config *c, bool fresh);        /* as section tile.fetch says */
void remote_close(remote **r);                               /* NULL-safe, sets NULL; ends the thread */
bool remote_has_room(const remote *r);                       /* should more be asked for? */
status remote_ask(remote *r, const char *path) MUST_USE;     /* a path that is no URL is left for remote_read */
status remote_ask_size(remote *r, const char *url) MUST_USE; /* its length only, for remote_size */

/* What may stand for image_file_read: the bytes, their digest; mtime_ns: the date that the server says, or 0. */
status remote_read(remote *r, image_file *f, const char *path) MUST_USE;
status remote_size(remote *r, const char *url, int64_t *size) MUST_USE; /* -1: the server does not say */

#endif
