/* xml.c -- a push parser of libxml2 with our own callbacks (xml.h). A document type is refused before its entities could be declared, so
 * that only the five predefined entities and characters by number can be referred to. */
#include "micon/formats/xml.h"

#include "micon/base/path.h"
#include "micon/base/text.h"

#include <errno.h>
#include <libxml/parser.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LEVELS = 64, MOST_TEXT = 1 << 20, CHUNK = 1 << 16 };

struct xml_attributes {
    text all; /* name, '\0', value, '\0', ... */
};

typedef struct {
    const xml_handler *h;
    const char *name; /* of the document */
    xmlParserCtxtPtr parser;
    xml_attributes attributes;
    text content;
    int levels;
    status st;
} reading;

const char *xml_attribute(const xml_attributes *a, const char *name)
{
    for (size_t i = 0; i < a->all.n;) {
        const char *key = a->all.s + i, *value = key + strlen(key) + 1;
        if (strcmp(key, name) == 0) return value;
        i = (size_t)(value - a->all.s) + strlen(value) + 1;
    }
    return "";
}

/* ---- what libxml2 calls ---- */

static void stop(reading *r, status st)
{
    if (r->st == OK) r->st = st;
    xmlStopParser(r->parser);
}

static void too_much(reading *r, const char *what)
{
    stop(r, fail(E_FORMAT, "%s:%d: %s", r->name, xmlSAX2GetLineNumber(r->parser), what));
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_spaces, const xmlChar **spaces, int n,
                     int n_defaulted, const xmlChar **attribute)
{
    reading *r = ctx;
    (void)prefix, (void)uri, (void)n_spaces, (void)spaces, (void)n_defaulted;
    if (r->st != OK) return;
    if (++r->levels > MOST_LEVELS) {
        too_much(r, "elements are nested more than 64 deep");
        return;
    }
    text_clear(&r->content);
    text_clear(&r->attributes.all);
    for (int i = 0; i < n; i++) { /* five pointers each: name, prefix, namespace, value, its end */
        const xmlChar **a = attribute + 5 * i;
        if (r->attributes.all.n + (size_t)(a[4] - a[3]) > MOST_TEXT) {
            too_much(r, "attributes of more than 1 MiB");
            return;
        }
        text_addn(&r->attributes.all, (const char *)a[0], strlen((const char *)a[0]) + 1);
        text_addn(&r->attributes.all, (const char *)a[3], (size_t)(a[4] - a[3]));
        text_addn(&r->attributes.all, "", 1);
    }
    status st = r->h->start ? r->h->start(r->h->self, (const char *)name, &r->attributes) : OK;
    if (st != OK) stop(r, st);
}

static const char *trimmed(text *t)
{
    static const char blank[] = " \t\r\n";
    while (t->n && strchr(blank, t->s[t->n - 1])) t->s[--t->n] = '\0';
    const char *s = text_str(t);
    return s + strspn(s, blank);
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    reading *r = ctx;
    (void)prefix, (void)uri;
    if (r->st != OK) return;
    r->levels--;
    status st = r->h->end ? r->h->end(r->h->self, (const char *)name, trimmed(&r->content)) : OK;
    text_clear(&r->content);
    if (st != OK) stop(r, st);
}

static void on_text(void *ctx, const xmlChar *s, int n)
{
    reading *r = ctx;
    if (r->st != OK) return;
    if (r->content.n + (size_t)n > MOST_TEXT)
        too_much(r, "a text of more than 1 MiB");
    else
        text_addn(&r->content, (const char *)s, (size_t)n);
}

static void on_type(void *ctx, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
    (void)name, (void)id, (void)system;
    too_much(ctx, "a document type (DOCTYPE) is not read");
}

static void on_error(void *ctx, xmlErrorPtr e)
{
    reading *r = ctx;
    if (r->st != OK || e->level < XML_ERR_ERROR || e->domain == XML_FROM_NAMESPACE) return;
    char shown[200];
    text_show(shown, sizeof shown, e->message ? e->message : "");
    size_t n = strlen(shown);
    while (n && strchr("\n?", shown[n - 1])) shown[--n] = '\0'; /* its end of line, as it is shown */
    stop(r, fail(E_FORMAT, "%s:%d: %s", r->name, e->line, shown));
}

/* ---- reading ---- */

static void library_init(void)
{
    xmlInitParser();
}

static status begin(reading *r, xmlSAXHandler *sax, const char *name, const xml_handler *h)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_init);
    *r = (reading){.h = h, .name = name};
    *sax = (xmlSAXHandler){.initialized = XML_SAX2_MAGIC,
                           .startElementNs = on_start,
                           .endElementNs = on_end,
                           .characters = on_text,
                           .cdataBlock = on_text,
                           .internalSubset = on_type,
                           .serror = on_error};
    r->parser = xmlCreatePushParserCtxt(sax, r, NULL, 0, NULL);
    if (!r->parser) return fail(E_NOMEM, "%s: no memory to read XML", name);
    xmlCtxtUseOptions(r->parser, XML_PARSE_NONET | XML_PARSE_NOENT); /* NOENT: &amp; in attributes; there are no others */
    return OK;
}

static status feed(reading *r, const char *bytes, size_t n, bool last)
{
    for (size_t at = 0; at < n && r->st == OK; at += CHUNK) xmlParseChunk(r->parser, bytes + at, (int)(n - at < CHUNK ? n - at : CHUNK), 0);
    if (last && r->st == OK) xmlParseChunk(r->parser, NULL, 0, 1);
    if (last && r->st == OK && !r->parser->wellFormed) return fail(E_FORMAT, "%s: is not well-formed XML", r->name);
    return r->st;
}

static void finish(reading *r)
{
    if (r->parser) xmlFreeParserCtxt(r->parser);
    text_free(&r->attributes.all);
    text_free(&r->content);
}

status xml_parse(const char *name, const char *bytes, size_t n, const xml_handler *h)
{
    status st = OK;
    reading r;
    xmlSAXHandler sax;
    TRY(begin(&r, &sax, name, h));
    TRY(feed(&r, bytes, n, true));
done:
    finish(&r);
    return st;
}

status xml_parse_file(const char *path, const xml_handler *h)
{
    status st = OK;
    reading r;
    xmlSAXHandler sax;
    char block[CHUNK];
    int fd = -1;
    ssize_t got;
    TRY(begin(&r, &sax, path, h));
    TRY(path_open_regular(path, &fd));
    do {
        while ((got = read(fd, block, sizeof block)) < 0 && errno == EINTR) continue;
        if (got < 0) TRY(fail(E_IO, "%s: %s", path, strerror(errno)));
        TRY(feed(&r, block, (size_t)got, got == 0));
    } while (got > 0);
done:
    if (fd >= 0) close(fd);
    finish(&r);
    return st;
}
