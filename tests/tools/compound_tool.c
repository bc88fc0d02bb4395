/* compound_tool.c fps FILE -- the rows of X of a compounds.h5 as an FPS file has them (hexadecimal), with their canonical SMILES. */
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static status print_fps(const char *path)
{
    status st = OK;
    store_file *f = NULL;
    frame obs = {0};
    uint8_t *x = NULL;
    int n_dims;
    int64_t dims[4];
    TRY(store_open(&f, path, "compounds", 1));
    TRY(store_dims(f, "X", &n_dims, dims));
    TRY(store_read_frame(f, "obs", &obs));
    TRY(mem_alloc(&x, (size_t)dims[1], 1, "a row"));
    for (int64_t i = 0; i < dims[0]; i++) {
        TRY(store_read_rows(f, "X", STORE_U8, i, 1, x));
        for (int64_t b = 0; b < dims[1]; b += 8) {
            unsigned byte = 0;
            for (int k = 0; k < 8; k++) byte |= (unsigned)(x[b + k] == 1) << k;
            printf("%02x", byte);
        }
        printf("\t%s\n", frame_text(&obs, i, frame_col(&obs, "SMILES")));
    }
done:
    free(x);
    frame_free(&obs);
    store_close(&f);
    return st;
}

int main(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "fps") != 0) return 2;
    status st = print_fps(argv[2]);
    if (st != OK) log_error("compound_tool", msg_get());
    return status_exit(st);
}
