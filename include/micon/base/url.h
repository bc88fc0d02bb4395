/* url.h -- image paths that are URLs: text only, nothing is fetched (remote/remote.h). Local. */
#ifndef MICON_BASE_URL_H
#define MICON_BASE_URL_H
#include <stdbool.h>

/* Is this path to be fetched? It begins with http://, https:// or s3://. Everything that takes an image path asks here. */
bool url_is_remote(const char *path);

/* Why such a path is refused, to follow it in a message, or NULL: it holds a user name, a password or a signature (these would be
 * written into outputs), control characters, or names no object. */
const char *url_flaw(const char *url);

/* For messages about a refused one: the user name, the password and all behind '?' replaced. Caller frees. */
char *url_shown(const char *url);

/* What to ask a server for. s3: the endpoint, whose "{bucket}" is replaced by the bucket; without it the bucket is the first folder. Bytes
 * that a URL may not hold are written %XX, of a key of S3 all but letters, digits and "-._~/". Caller frees. */
char *url_address(const char *url, const char *s3);

#endif
