/* parquet_footer.c -- the schema and the places of the column chunks. Lists are taken as long as the bytes that are left can be, elements
 * one by one. */
#include "parquet_impl.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A schema element as it is in the file: groups and leaves in depth-first order. */
typedef struct {
    int type, length, repetition, converted, scale, logical;
    int64_t children;
    int unit, bits; /* of the logical type: digits of a second; of an integer */
    bool is_signed, utc;
    const uint8_t *name;
    size_t name_n;
} element;

enum {
    LOGICAL_STRING = 1,
    LOGICAL_ENUM = 4,
    LOGICAL_DECIMAL,
    LOGICAL_DATE,
    LOGICAL_TIME,
    LOGICAL_TIMESTAMP,
    LOGICAL_INTEGER = 10,
    LOGICAL_JSON = 12,
    LOGICAL_HALF = 15
};
enum {
    CONVERTED_UTF8 = 0,
    CONVERTED_ENUM = 4,
    CONVERTED_DECIMAL,
    CONVERTED_DATE,
    CONVERTED_TIME_MS,
    CONVERTED_TIME_US,
    CONVERTED_STAMP_MS,
    CONVERTED_STAMP_US,
    CONVERTED_U8,
    CONVERTED_U64 = 14,
    CONVERTED_JSON = 19
};

static status bad(const parquet *p, const char *what)
{
    return fail(E_FORMAT, "%s: %s", p->shown, what);
}

static status damaged(const parquet *p)
{
    return bad(p, "the footer of this Parquet file is damaged");
}

/* {isAdjustedToUTC, unit: one of MILLIS, MICROS, NANOS} */
static void parse_time(thrift *t, element *e)
{
    int id = 0, type, unit = 0, inner;
    while (thrift_field(t, &id, &type)) {
        if (id == 1 && (type == THRIFT_TRUE || type == THRIFT_FALSE)) {
            e->utc = type == THRIFT_TRUE;
        } else if (id == 2 && thrift_struct(t, type)) {
            while (thrift_field(t, &unit, &inner)) {
                e->unit = unit >= 1 && unit <= 3 ? unit * 3 : 0;
                thrift_skip(t, inner);
            }
        } else {
            thrift_skip(t, type);
        }
    }
}

static void parse_logical(thrift *t, element *e)
{
    int kind = 0, type, id, inner;
    while (thrift_field(t, &kind, &type)) {
        if (!thrift_struct(t, type)) return;
        e->logical = kind;
        if (kind == LOGICAL_TIME || kind == LOGICAL_TIMESTAMP) {
            parse_time(t, e);
            continue;
        }
        for (id = 0; thrift_field(t, &id, &inner);)
            if (kind == LOGICAL_DECIMAL && id == 1)
                e->scale = (int)thrift_int(t, inner);
            else if (kind == LOGICAL_INTEGER && id == 1)
                e->bits = (int)thrift_int(t, inner);
            else if (kind == LOGICAL_INTEGER && id == 2)
                e->is_signed = inner == THRIFT_TRUE;
            else
                thrift_skip(t, inner);
    }
}

static void parse_element(thrift *t, element *e)
{
    int id = 0, type;
    *e = (element){.type = -1, .converted = -1, .is_signed = true};
    while (thrift_field(t, &id, &type)) switch (id) {
        case 1: e->type = (int)thrift_int(t, type); break;
        case 2: e->length = (int)thrift_int(t, type); break;
        case 3: e->repetition = (int)thrift_int(t, type); break;
        case 4: e->name = thrift_binary(t, type, &e->name_n); break;
        case 5: e->children = thrift_int(t, type); break;
        case 6: e->converted = (int)thrift_int(t, type); break;
        case 7: e->scale = (int)thrift_int(t, type); break;
        case 10: thrift_struct(t, type) ? parse_logical(t, e) : (void)0; break;
        default: thrift_skip(t, type);
        }
}

/* What an annotation makes of an integer type. */
static void set_integer(parquet_col *c, const element *e)
{
    bool is_time = e->logical == LOGICAL_TIME || e->converted == CONVERTED_TIME_MS || e->converted == CONVERTED_TIME_US;
    bool is_stamp = e->logical == LOGICAL_TIMESTAMP || e->converted == CONVERTED_STAMP_MS || e->converted == CONVERTED_STAMP_US;
    if (c->type == TYPE_I32 && (e->logical == LOGICAL_DATE || e->converted == CONVERTED_DATE)) {
        c->as = AS_DATE;
    } else if (is_time || is_stamp) {
        c->as = is_time ? AS_TIME : AS_TIMESTAMP;
        c->utc = e->utc;
        c->scale = e->unit ? e->unit : e->converted == CONVERTED_TIME_MS || e->converted == CONVERTED_STAMP_MS ? 3 : 6;
    } else if ((e->logical == LOGICAL_INTEGER && !e->is_signed) || (e->converted >= CONVERTED_U8 && e->converted <= CONVERTED_U64)) {
        c->as = AS_UNSIGNED;
    }
}

static status set_column(parquet *p, parquet_col *c, const element *e)
{
    static const int width[] = {1, 4, 8, 12, 4, 8, (int)sizeof(parquet_span), 0};
    if (e->type < TYPE_BOOL || e->type > TYPE_FIXED) return damaged(p);
    c->type = (parquet_type)e->type;
    c->width = c->type == TYPE_FIXED ? e->length : width[c->type];
    if (c->type == TYPE_FIXED && (e->length < 1 || e->length > PARQUET_MAX_FIXED)) return damaged(p);
    c->optional = e->repetition == 1;
    c->scale = e->scale;
    bool decimal = e->logical == LOGICAL_DECIMAL || (e->logical == 0 && e->converted == CONVERTED_DECIMAL);
    if (decimal && c->type != TYPE_BOOL && c->type != TYPE_I96 && c->type != TYPE_F32 && c->type != TYPE_F64) {
        if (e->scale < 0 || e->scale > 1000) return damaged(p);
        c->as = AS_DECIMAL;
    } else if (c->type == TYPE_I32 || c->type == TYPE_I64) {
        set_integer(c, e);
    } else if (c->type == TYPE_I96) {
        c->as = AS_TIMESTAMP;
    } else if (c->type == TYPE_FIXED && c->width == 2 && e->logical == LOGICAL_HALF) {
        c->as = AS_HALF;
    } else if (c->type == TYPE_BYTES || c->type == TYPE_FIXED) {
        c->as = AS_TEXT;
    }
    return OK;
}

/* The leaves become columns. One inside a group, or repeated, has no single value a row: kept for its name, refused when it is read. */
static status parse_schema(parquet *p, thrift *t, int type)
{
    int element_type;
    size_t n = thrift_list(t, type, &element_type), inside = 0; /* elements still to come that are below a group of the first level */
    for (size_t i = 0; i < n && !t->bad; i++) {
        element e;
        parse_element(t, &e);
        if (t->bad || !e.name || e.children < 0 || e.children > (int64_t)n) return damaged(p);
        if (i == 0) continue; /* the root */
        bool nested = inside > 0;
        if (nested) inside--;
        if (e.children > 0) {
            inside += (size_t)e.children;
            continue;
        }
        if (p->n_cols >= PARQUET_MAX_COLS) return bad(p, "more than 1048576 columns");
        status st = mem_grow(&p->col, &p->col_cap, (size_t)p->n_cols + 1, sizeof *p->col, p->shown);
        if (st != OK) return st;
        parquet_col *c = &p->col[p->n_cols++];
        *c = (parquet_col){.name = xstrndup((const char *)e.name, e.name_n), .nested = nested || e.repetition == 2};
        if (e.name_n != strlen(c->name)) return damaged(p);
        if ((st = set_column(p, c, &e)) != OK) return st;
    }
    return t->bad || p->n_cols == 0 ? damaged(p) : OK;
}

static status parse_chunk(parquet *p, thrift *t, parquet_chunk *k, int col)
{
    int id = 0, type, inner, physical = -1;
    int64_t data = -1, dictionary = -1;
    *k = (parquet_chunk){.size = -1};
    while (thrift_field(t, &id, &type)) {
        if (id == 1) return bad(p, "its columns are in other files, which is not read");
        if (id != 3 || !thrift_struct(t, type)) {
            thrift_skip(t, type);
            continue;
        }
        for (int m = 0; thrift_field(t, &m, &inner);) switch (m) {
            case 1: physical = (int)thrift_int(t, inner); break;
            case 4: k->codec = (int)thrift_int(t, inner); break;
            case 7: k->size = thrift_int(t, inner); break;
            case 9: data = thrift_int(t, inner); break;
            case 11: dictionary = thrift_int(t, inner); break;
            default: thrift_skip(t, inner);
            }
    }
    k->at = dictionary > 0 && dictionary < data ? dictionary : data;
    return t->bad || physical != (int)p->col[col].type ? damaged(p) : OK;
}

/* A group without rows may have chunks without a place. */
static bool chunks_fit(const parquet *p, const parquet_chunk *k, int64_t rows)
{
    for (int i = 0; i < p->n_cols && rows > 0; i++)
        if (k[i].at < 4 || k[i].size < 0 || k[i].at > p->size || k[i].size > p->size - k[i].at) return false;
    return true;
}

static status parse_group(parquet *p, thrift *t)
{
    status st = OK;
    int id = 0, type, element_type;
    int64_t rows = -1;
    size_t first = (size_t)p->n_groups * (size_t)p->n_cols, n = 0;
    TRY(mem_grow(&p->group_rows, &p->group_cap, (size_t)p->n_groups + 1, sizeof *p->group_rows, p->shown));
    while (thrift_field(t, &id, &type)) {
        if (id == 1) {
            n = thrift_list(t, type, &element_type);
            if (n != (size_t)p->n_cols) return damaged(p);
            TRY(mem_grow(&p->chunk, &p->chunk_cap, first + n, sizeof *p->chunk, p->shown));
            for (size_t i = 0; i < n && !t->bad; i++) TRY(parse_chunk(p, t, &p->chunk[first + i], (int)i));
        } else if (id == 3) {
            rows = thrift_int(t, type);
        } else {
            thrift_skip(t, type);
        }
    }
    if (t->bad || rows < 0 || n == 0 || rows > INT64_MAX - p->n_rows || !chunks_fit(p, p->chunk + first, rows)) return damaged(p);
    p->group_rows[p->n_groups++] = rows;
    p->n_rows += rows;
done:
    return st;
}

status parquet_parse_footer(parquet *p, const uint8_t *bytes, size_t n)
{
    status st = OK;
    thrift t = {bytes, bytes + n, false};
    int id = 0, type, element_type;
    int64_t rows = -1;
    while (thrift_field(&t, &id, &type)) {
        if (id == 2 && p->n_cols == 0) {
            TRY(parse_schema(p, &t, type));
        } else if (id == 3) {
            rows = thrift_int(&t, type);
        } else if (id == 4 && p->n_cols > 0 && p->n_groups == 0) {
            for (size_t k = thrift_list(&t, type, &element_type); k-- > 0 && !t.bad;) TRY(parse_group(p, &t));
        } else {
            thrift_skip(&t, type);
        }
    }
    if (t.bad || p->n_cols == 0 || rows != p->n_rows) return damaged(p);
done:
    return st;
}
