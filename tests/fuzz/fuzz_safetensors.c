/* fuzz_safetensors.c -- any bytes as a safetensors file: refused or read, never more than the bytes there are. */
#include "micon/base/mem.h"
#include "micon/formats/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    safetensors s = {0};
    if (safetensors_parse(&s, data, size, "fuzz") == OK) {
        for (size_t i = 0; i < s.n; i++) {
            const safe_tensor *t = &s.item[i];
            if (t->count > size) abort(); /* every value has its bytes in the file */
            double *v = xmalloc((t->count + 1) * sizeof *v);
            int64_t *w = xmalloc((t->count + 1) * sizeof *w);
            if (safetensors_get_f64(&s, t, false, v) != OK && safetensors_get_i64(&s, t, w) != OK) abort();
            free(v);
            free(w);
        }
    }
    msg_clear();
    safetensors_free(&s);
    return 0;
}
