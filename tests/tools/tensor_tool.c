/* tensor_tool.c -- looks into safetensors files, and makes bad ones, for tests.
 *   tensor_tool far A B PREFIX          the largest |a - b| / |a| (by tensor) of the tensors whose names begin with PREFIX, and its name
 *   tensor_tool meta A KEY              a value of the metadata
 *   tensor_tool without A OUT NAME      a copy that lacks a tensor
 *   tensor_tool twice A OUT NAME        a copy with one more, NAME.more
 *   tensor_tool turned A OUT NAME       a copy where the tensor's first two dimensions are swapped
 *   tensor_tool nan A OUT NAME          a copy with a NaN as the tensor's first value
 *   tensor_tool huge A OUT NAME         a copy with a first value whose square is no float
 *   tensor_tool moved A OUT NAME M BY   a copy with the tensor moved by the length BY along moment1.NAME of M; prints the length of that
 *                                       moment */
#include "micon/base/mem.h"
#include "micon/formats/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static status distance(const safetensors *a, const safe_tensor *x, const safetensors *b, const safe_tensor *y, double *far)
{
    status st = OK;
    double *u = NULL, *v = NULL, d = 0, n = 0;
    TRY(mem_alloc(&u, x->count, sizeof *u, "values"));
    TRY(mem_alloc(&v, x->count, sizeof *v, "values"));
    TRY(safetensors_get_f64(a, x, false, u));
    TRY(safetensors_get_f64(b, y, false, v));
    for (size_t i = 0; i < x->count; i++) {
        d += (u[i] - v[i]) * (u[i] - v[i]);
        n += u[i] * u[i];
    }
    *far = d == 0 ? 0 : sqrt(d / (n > 0 ? n : 1e-300));
done:
    free(u);
    free(v);
    return st;
}

static status show_far(const safetensors *a, const safetensors *b, const char *prefix)
{
    status st = OK;
    double worst = -1, far;
    const char *name = "none";
    for (size_t i = 0; i < a->n; i++) {
        const safe_tensor *x = &a->item[i], *y = safetensors_find(b, x->name);
        if (strncmp(x->name, prefix, strlen(prefix)) != 0 || x->type == SAFE_I64) continue;
        if (!y || y->count != x->count) TRY(fail(E_FAILED, "%s: no %s", b->where, x->name));
        TRY(distance(a, x, b, y, &far));
        if (!(far <= worst)) worst = far, name = x->name;
    }
    if (worst < 0) TRY(fail(E_FAILED, "%s: no tensor %s", a->where, prefix));
    printf("%.3g %s\n", worst, name);
done:
    return st;
}

static status copy(const char *how, safetensors *a, const char *out, const char *name)
{
    status st = OK;
    safe_tensor *t = xcalloc(a->n + 1, sizeof *t);
    size_t n = 0;
    char *more = xasprintf("%s.more", name), *changed = NULL;
    bool found = false;
    for (size_t i = 0; i < a->n; i++) {
        t[n++] = a->item[i];
        if (strcmp(a->item[i].name, name) != 0) continue;
        found = true;
        safe_tensor *x = &t[n - 1];
        if (strcmp(how, "without") == 0) n--;
        if (strcmp(how, "twice") == 0) {
            t[n] = *x;
            t[n++].name = more;
        }
        if (strcmp(how, "turned") == 0) {
            int64_t d = x->dim[0];
            x->dim[0] = x->dim[1];
            x->dim[1] = d;
        }
        if (strcmp(how, "nan") == 0 || strcmp(how, "huge") == 0) {
            static const float huge = 1e30f;
            changed = xmalloc(x->bytes);
            memcpy(changed, x->data, x->bytes);
            memset(changed, 0xff, 4);
            if (strcmp(how, "huge") == 0) memcpy(changed, &huge, sizeof huge);
            x->data = changed;
        }
    }
    if (!found) TRY(fail(E_FAILED, "%s: no tensor %s", a->where, name));
    TRY(safetensors_write(out, t, n, &a->meta_key, &a->meta_value));
done:
    free(t);
    free(more);
    free(changed);
    return st;
}

static status moved(safetensors *a, const char *out, const char *name, const safetensors *moments, double by)
{
    status st = OK;
    char *from = xasprintf("moment1.%s", name);
    double *x = NULL, *d = NULL, n = 0;
    float *y = NULL;
    const safe_tensor *m = safetensors_find(moments, from);
    safe_tensor *t = NULL;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->item[i].name, name) == 0) t = &a->item[i];
    if (!m || !t || m->count != t->count) TRY(fail(E_FAILED, "%s: no tensor %s with its moment", a->where, name));
    TRY(mem_alloc(&x, t->count, sizeof *x, "values"));
    TRY(mem_alloc(&d, t->count, sizeof *d, "values"));
    TRY(mem_alloc(&y, t->count, sizeof *y, "values"));
    TRY(safetensors_get_f64(a, t, false, x));
    TRY(safetensors_get_f64(moments, m, false, d));
    for (size_t i = 0; i < t->count; i++) n += d[i] * d[i];
    for (size_t i = 0; i < t->count; i++) y[i] = (float)(x[i] + by * d[i] / sqrt(n));
    t->data = (const void *)y;
    TRY(safetensors_write(out, a->item, a->n, &a->meta_key, &a->meta_value));
    printf("%.9g\n", sqrt(n));
done:
    free(from);
    free(x);
    free(d);
    free(y);
    return st;
}

static status run(int argc, char **argv)
{
    status st = OK;
    safetensors a = {0}, b = {0};
    if (argc < 4) return fail(E_USAGE, "tensor_tool: see its head");
    TRY(safetensors_read(&a, argv[2]));
    if (strcmp(argv[1], "meta") == 0) {
        const char *v = safetensors_meta(&a, argv[3]);
        if (!v) TRY(fail(E_FAILED, "%s: no %s", argv[2], argv[3]));
        printf("%s\n", v);
    } else if (argc == 5 && strcmp(argv[1], "far") == 0) {
        TRY(safetensors_read(&b, argv[3]));
        TRY(show_far(&a, &b, argv[4]));
    } else if (argc == 7 && strcmp(argv[1], "moved") == 0) {
        TRY(safetensors_read(&b, argv[5]));
        TRY(moved(&a, argv[3], argv[4], &b, strtod(argv[6], NULL)));
    } else if (argc == 5) {
        TRY(copy(argv[1], &a, argv[3], argv[4]));
    } else
        TRY(fail(E_USAGE, "tensor_tool: see its head"));
done:
    safetensors_free(&a);
    safetensors_free(&b);
    return st;
}

int main(int argc, char **argv)
{
    status st = run(argc, argv);
    if (st != OK) fprintf(stderr, "%s\n", msg_get());
    return status_exit(st);
}
