/* safetensors.h -- the safetensors format, read and written. Local. Nothing in a file is believed: lengths, offsets and shapes are checked
 * against each other and the file before a byte of data is touched. Messages begin with the file's name. What we write carries a digest of
 * all its bytes, and reading compares it: a file that was changed or damaged since is E_FORMAT. Files of others have none. */
#ifndef MICON_FORMATS_SAFETENSORS_H
#define MICON_FORMATS_SAFETENSORS_H
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAFE_MAX_DIMS = 8 };
typedef enum { SAFE_F64, SAFE_F32, SAFE_F16, SAFE_BF16, SAFE_I64, SAFE_I32, SAFE_I16, SAFE_I8, SAFE_U8, SAFE_BOOL } safe_type;

typedef struct {
    char *name;
    safe_type type;
    int n_dims;
    int64_t dim[SAFE_MAX_DIMS];
    size_t count;     /* values */
    const void *data; /* not aligned; borrowed from the file's bytes */
    size_t bytes;
} safe_tensor;

/* {0} is valid and empty. Tensors are in the order of their data. */
typedef struct {
    char *where;
    safe_tensor *item;
    size_t n;
    names meta_key, meta_value;
    uint64_t digest; /* of the whole file, as compared with what it says; 0: it says none */
    char *owned;     /* the bytes, where safetensors_read read them */
} safetensors;

status safetensors_parse(safetensors *out, const void *bytes, size_t size, const char *where) MUST_USE; /* bytes stay the caller's */
status safetensors_read(safetensors *out, const char *path) MUST_USE;
void safetensors_free(safetensors *s);

const safe_tensor *safetensors_find(const safetensors *s, const char *name); /* NULL: none */
const char *safetensors_meta(const safetensors *s, const char *key);         /* NULL: none */
const char *safe_type_name(safe_type t);                                     /* "F32" */
size_t safe_type_size(safe_type t);
char *safe_show_shape(const safe_tensor *t, char *buf, size_t size); /* "[64, 3, 7, 7]"; buf is returned */

/* Values as fp32 (any floating type) or int64 (any whole type). A tensor of the other kind, and with `finite` a NaN or infinity, is
 * E_FORMAT. */
status safetensors_get_f32(const safetensors *s, const safe_tensor *t, bool finite, float *out) MUST_USE;
status safetensors_get_f64(const safetensors *s, const safe_tensor *t, bool finite, double *out) MUST_USE;
status safetensors_get_i64(const safetensors *s, const safe_tensor *t, int64_t *out) MUST_USE;

/* Write a file: either the old one stays or the new one is complete. Tensors in the order given; data as their types say, dims set,
 * count and bytes are computed. Metadata keys and values in pairs. The bytes depend on the arguments only. */
status safetensors_write(const char *path, safe_tensor *item, size_t n, const names *meta_key, const names *meta_value) MUST_USE;

#endif
