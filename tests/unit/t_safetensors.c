/* t_safetensors.c -- the safetensors reader and writer: round trip, and files that lie. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/safetensors.h"

#include <stdlib.h>

static char *in_tmp(const char *name)
{
    return path_join(tap_dir(), name);
}

/* A file of this header (its length as it is) and so many bytes of data; true if it was refused with `word` in the message. */
static int refused(const char *header, size_t data, const char *word)
{
    size_t n = strlen(header), size = 8 + n + data;
    unsigned char *b = xcalloc(1, size + 1);
    safetensors s = {0};
    for (int i = 0; i < 8; i++) b[i] = (unsigned char)((uint64_t)n >> (8 * i));
    memcpy(b + 8, header, n);
    status st = safetensors_parse(&s, b, size, "f");
    int good = st == E_FORMAT && strstr(msg_get(), word) && s.n == 0;
    if (!good) printf("#   %d: %s\n", (int)st, msg_get());
    msg_clear();
    safetensors_free(&s);
    free(b);
    return good;
}

static void test_hostile(void)
{
    unsigned char huge[16] = {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'};
    safetensors s = {0};
    ok(safetensors_parse(&s, huge, sizeof huge, "f") == E_FORMAT && strstr(msg_get(), "said to be"), "a huge header length");
    msg_clear();
    ok(safetensors_parse(&s, huge, 3, "f") == E_FORMAT, "three bytes");
    msg_clear();
    ok(safetensors_parse(&s, "PK\3\4........", 12, "a.pth") == E_FORMAT && strstr(msg_get(), "torch.load('a.pth', map_location"),
       "a .pth: how to convert it");
    msg_clear();
    ok(safetensors_parse(&s, "\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j", 12, "b.pt") == E_FORMAT && strstr(msg_get(), "a pickle"), "an older one");
    msg_clear();
    ok(refused("[1]", 0, "no header"), "a header that is no object");
    ok(refused("{\"a\":", 0, "not JSON"), "a header that is no JSON");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,"
               "8]}}",
               8, "JSON"),
       "a key twice");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "disagree"), "shape and bytes disagree");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "outside"), "offsets past the end");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "outside"), "offsets backwards");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 8, "pair"), "a negative offset");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "whole number"), "a real in a shape");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "addressed"),
       "a product that overflows");
    ok(refused("{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0, "addressed"),
       "bytes that overflow");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,"
               "12]}}",
               12, "overlaps"),
       "overlapping tensors");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,"
               "12]}}",
               12, "hole"),
       "a hole");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, "no tensor"), "bytes that belong to nobody");
    ok(refused("{\"a\":{\"dtype\":\"X\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype"), "an unknown type");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "8 dimensions"), "nine dimensions");
    ok(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, "nothing else"), "a field too many");
    ok(refused("{\"__metadata__\":{\"a\":1}}", 0, "not text"), "metadata that is no text");
    ok(refused("{\"__metadata__\":[]}", 0, "not an object"), "metadata that is no object");
}

static status test_values(void)
{
    status st = OK;
    safetensors s = {0};
    char *path = in_tmp("v.safetensors");
    const uint16_t half[] = {0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555}, brain[] = {0x3f80, 0xc000, 0x7fc0};
    const double real[] = {1.5, -2e300};
    const int8_t small[] = {-1, 127};
    const int64_t big[] = {INT64_MIN, 5};
    safe_tensor t[] = {{.name = "half", .type = SAFE_F16, .n_dims = 1, .dim = {5}, .data = half},
                       {.name = "brain", .type = SAFE_BF16, .n_dims = 2, .dim = {1, 3}, .data = brain},
                       {.name = "none", .type = SAFE_F32, .n_dims = 2, .dim = {0, 7}},
                       {.name = "real \"q\"", .type = SAFE_F64, .n_dims = 1, .dim = {2}, .data = real},
                       {.name = "small", .type = SAFE_I8, .n_dims = 1, .dim = {2}, .data = small},
                       {.name = "big", .type = SAFE_I64, .n_dims = 1, .dim = {2}, .data = big},
                       {.name = "scalar", .type = SAFE_I64, .n_dims = 0, .data = big}};
    names key = {0}, value = {0};
    double d[8];
    int64_t w[8];
    names_add(&key, "config");
    names_add(&value, "a: 1\nb: \"two\"\n");
    TRY(safetensors_write(path, t, sizeof t / sizeof *t, &key, &value));
    TRY(safetensors_read(&s, path));
    ok(s.n == 7, "all tensors are back");
    same(safetensors_meta(&s, "config"), "a: 1\nb: \"two\"\n", "metadata with lines and quotes");
    ok(safetensors_meta(&s, "x") == NULL && safetensors_find(&s, "x") == NULL, "what is not there is not found");
    TRY(safetensors_get_f64(&s, safetensors_find(&s, "half"), false, d));
    ok(d[0] == 1 && d[1] == -2 && d[2] == 0x1p-24 && isinf(d[3]) && fabs(d[4] - 0.333251953125) == 0, "half precision");
    TRY(safetensors_get_f64(&s, safetensors_find(&s, "brain"), false, d));
    ok(d[0] == 1 && d[1] == -2 && isnan(d[2]), "bf16");
    ok(safetensors_get_f64(&s, safetensors_find(&s, "brain"), true, d) == E_FORMAT && strstr(msg_get(), "not finite"),
       "NaN is refused on request");
    msg_clear();
    TRY(safetensors_get_f64(&s, safetensors_find(&s, "real \"q\""), true, d));
    ok(d[0] == 1.5 && d[1] == -2e300, "double precision");
    TRY(safetensors_get_i64(&s, safetensors_find(&s, "small"), w));
    ok(w[0] == -1 && w[1] == 127, "bytes with sign");
    TRY(safetensors_get_i64(&s, safetensors_find(&s, "big"), w));
    ok(w[0] == INT64_MIN && w[1] == 5, "64-bit numbers");
    ok(safetensors_find(&s, "none")->count == 0 && safetensors_find(&s, "scalar")->count == 1, "empty ones and scalars");
    ok(safetensors_get_i64(&s, safetensors_find(&s, "half"), w) == E_FORMAT, "reals are not whole numbers");
    msg_clear();
    ok(safetensors_read(&s, tap_absent("x")) == E_IO, "a file that is not there");
    msg_clear();
    ok(safetensors_write(tap_absent("x"), t, 1, NULL, NULL) == E_IO, "a place that cannot be written to");
    msg_clear();
done:
    names_free(&key);
    names_free(&value);
    safetensors_free(&s);
    free(path);
    return st;
}

/* Whatever byte of a file of ours changes, reading it fails; and so it does where one is lacking or too many. */
static void test_flips(void)
{
    char *path = xasprintf("%s/flip.safetensors", tap_dir()), *data = NULL;
    const float x[6] = {1, 2, 3, 4, 5, 6};
    safe_tensor item[2] = {{.name = (char *)(uintptr_t) "a", .type = SAFE_F32, .n_dims = 2, .dim = {2, 2}, .data = x},
                           {.name = (char *)(uintptr_t) "b", .type = SAFE_F32, .n_dims = 1, .dim = {2}, .data = x + 4}};
    names key = {0}, value = {0};
    safetensors s = {0};
    size_t size = 0, missed = 0;
    names_add(&key, "what"), names_add(&value, "a test");
    ok(safetensors_write(path, item, 2, &key, &value) == OK && path_read(path, &data, &size, 4096) == OK, "a file");
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit++) {
            data[i] ^= (char)(1 << bit);
            bool accepted = safetensors_parse(&s, data, size, path) == OK;
            bool same = accepted && s.n == 2 && memcmp(safetensors_find(&s, "a")->data, x, 16) == 0 &&
                        memcmp(safetensors_find(&s, "b")->data, x + 4, 8) == 0 && safetensors_meta(&s, "what") &&
                        strcmp(safetensors_meta(&s, "what"), "a test") == 0;
            missed += accepted && !same; /* a flip in the digest's own key hides the digest, and changes nothing else */
            data[i] ^= (char)(1 << bit);
            msg_clear();
        }
    ok(missed == 0, "no flipped bit is used");
    data[size - 1] ^= 1;
    ok(safetensors_parse(&s, data, size, path) == E_FORMAT && strstr(msg_get(), "changed or damaged"), "a flipped value is said");
    msg_clear();
    data[size - 1] ^= 1;
    ok(safetensors_parse(&s, data, size, path) == OK && s.meta_key.n == 1,
       "and the file as it was is read, its digest no metadata of its own");
    safetensors_free(&s);
    names_free(&key), names_free(&value);
    free(data), free(path);
}

int main(void)
{
    test_hostile();
    test_flips();
    status st = test_values();
    if (st != OK) printf("# %s\n", msg_get());
    ok(st == OK, "the test ran to its end");
    return tap_done();
}
