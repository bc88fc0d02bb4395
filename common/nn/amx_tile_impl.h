/* amx_tile_impl.h -- the tile operations, for the source that is included after it: those of the CPU (AMX_REAL 1) or in C (0). All take the
 * amx_tiles of the thread; tiles are named by literal numbers. gcc 12's own macros for the CPU's do not say that they touch memory, so
 * these are statements of our own; the assembler knows them whatever the target of the function. */
#if AMX_REAL
#define TILE_CONFIGURE(t) __asm__ volatile("ldtilecfg %0" : : "m"((t)->config) : "memory")
#define TILE_RELEASE(t) __asm__ volatile("tilerelease" : : : "memory")
#define TILE_ZERO(t, i) __asm__ volatile("tilezero %%tmm" #i : :)
#define TILE_LOAD(t, i, from, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #i : : "r"(from), "r"((ptrdiff_t)(stride)) : "memory")
#define TILE_STORE(t, i, to, stride) __asm__ volatile("tilestored %%tmm" #i ", (%0,%1,1)" : : "r"(to), "r"((ptrdiff_t)(stride)) : "memory")
#define TILE_DOT(t, c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)
#else
#define TILE_CONFIGURE(t) tile_configure(t)
#define TILE_RELEASE(t) ((void)((t)->configured = false))
#define TILE_ZERO(t, i) tile_zero(t, i)
#define TILE_LOAD(t, i, from, stride) tile_load(t, i, from, stride)
#define TILE_STORE(t, i, to, stride) tile_store(t, i, to, stride)
#define TILE_DOT(t, c, a, b) tile_dot(t, c, a, b)

/* Where the CPU would raise an invalid-opcode exception. */
static void tile_check(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "emulated tiles: %s\n", what);
    abort();
}

static void tile_configure(amx_tiles *t)
{
    const amx_config *c = &t->config;
    tile_check(c->palette == 1 && c->start_row == 0, "a palette that is not 1");
    for (int i = 0; i < 8; i++)
        tile_check(c->rows[i] <= AMX_ROWS && c->row_bytes[i] <= 64 && (c->rows[i] == 0) == (c->row_bytes[i] == 0), "a shape of no tile");
    memset(t->tile, 0, sizeof t->tile);
    t->configured = true;
}

static void tile_zero(amx_tiles *t, int i)
{
    tile_check(t->configured && t->config.rows[i] > 0, "a tile that is not configured is cleared");
    memset(t->tile[i], 0, sizeof t->tile[i]);
}

static void tile_load(amx_tiles *t, int i, const void *from, ptrdiff_t stride)
{
    tile_zero(t, i);
    for (int r = 0; r < t->config.rows[i]; r++) memcpy(t->tile[i][r], (const char *)from + r * stride, t->config.row_bytes[i]);
}

static void tile_store(amx_tiles *t, int i, void *to, ptrdiff_t stride)
{
    tile_check(t->configured && t->config.rows[i] > 0, "a tile that is not configured is stored");
    for (int r = 0; r < t->config.rows[i]; r++) memcpy((char *)to + r * stride, t->tile[i][r], t->config.row_bytes[i]);
}

/* The even and the odd members of the pairs. A product of two bf16 is exact in fp32, so that it does not matter whether it is fused. */
CLONES static void tile_products(int rows, int pairs, unsigned char (*a)[64], unsigned char (*b)[64], unsigned char (*c)[64])
{
    for (int m = 0; m < rows; m++) {
        vf even = {0}, odd = {0};
        for (int k = 0; k < pairs; k++) {
            uint32_t left;
            vu right = *(const vu_at *)b[k];
            memcpy(&left, a[m] + 4 * k, sizeof left);
            even += (vf)((vu){0} + (left << 16)) * (vf)(right << 16);
            odd += (vf)((vu){0} + (left & 0xffff0000u)) * (vf)(right & 0xffff0000u);
        }
        STF(c[m], LDF(c[m]) + (even + odd));
    }
}

static void tile_dot(amx_tiles *t, int c, int a, int b)
{
    enum { DENORMALS_ARE_ZEROS = 0x8040 };
    const amx_config *f = &t->config;
    tile_check(t->configured && f->rows[c] > 0 && f->rows[c] == f->rows[a] && f->row_bytes[c] == f->row_bytes[b] &&
                   f->row_bytes[a] / 4 == f->rows[b],
               "factors of shapes that do not fit");
    unsigned mode = _mm_getcsr();
    _mm_setcsr(0x1f80 | DENORMALS_ARE_ZEROS); /* round to nearest, no exceptions */
    tile_products(f->rows[c], f->rows[b], t->tile[a], t->tile[b], t->tile[c]);
    _mm_setcsr(mode);
}
#endif
