/* xml.h -- XML element by element, through libxml2. Local; nothing is fetched, no entity is expanded.
 *
 * Names are local ones (bts:Row is Row). Bounds: a document type, more than 64 levels, an attribute list or a text beyond 1 MiB, and
 * whatever is not well-formed are E_FORMAT with the name and the line. libxml2 writes nothing to stderr. */
#ifndef MICON_FORMATS_XML_H
#define MICON_FORMATS_XML_H
#include "micon/base/status.h"

#include <stddef.h>

typedef struct xml_attributes xml_attributes;
const char *xml_attribute(const xml_attributes *a, const char *name); /* "" where it is absent; valid until the function returns */

/* What a reader does at the start and at the end of an element; text: what stood before its end since the last tag, trimmed. A status
 * other than OK ends the reading with it. */
typedef struct {
    void *self;
    status (*start)(void *self, const char *name, const xml_attributes *a);
    status (*end)(void *self, const char *name, const char *text);
} xml_handler;

status xml_parse_file(const char *path, const xml_handler *h) MUST_USE;
status xml_parse(const char *name, const char *bytes, size_t n, const xml_handler *h) MUST_USE; /* name: for messages */

#endif
