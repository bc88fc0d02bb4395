/* amx_loops.c -- the loops over tiles for each unit, and which unit this process uses. */
#include "amx_loops_impl.h"

#include "vector16_impl.h"

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void shape(amx_config *c, int upper, int lower, int pair)
{
    *c = (amx_config){.palette = 1};
    for (int i = 0; i < 8; i++) {
        int n = i >= 6 ? pair / 2 : i == 2 || i == 3 || i == 5 ? lower : upper;
        c->rows[i] = (uint8_t)n;
        c->row_bytes[i] = (uint16_t)(n == 0 ? 0 : i == 4 || i == 5 ? 2 * pair : 64);
    }
}

#define AMX_REAL 1
#define NAME(f) f##_cpu
#define LOOP __attribute__((target("arch=x86-64-v4"), optimize("O3", "no-trapping-math")))
#define DRIVE __attribute__((target("arch=x86-64-v4")))
#define STREAM(to, h) _mm256_stream_si256((__m256i *)(void *)(to), (__m256i)(h))
#include "amx_block_impl.h"
#define AMX_REAL 0
#define NAME(f) f##_emulated
#define LOOP CLONES
#define DRIVE
#define STREAM(to, h) (*(vh_at *)(to) = (h))
#include "amx_block_impl.h"

#include "amx_vector_impl.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static amx_unit found;
static const amx_loops *here;

/* Tiles and their bf16 products; and the system's leave to use them, which a process asks for once, for all of its threads. */
static bool cpu_has_tiles(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, AMX_BF16 = 1 << 22, AMX_TILES = 1 << 24 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & AMX_BF16) == 0 || (d & AMX_TILES) == 0) return false;
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

static void use(amx_unit unit)
{
    static const amx_loops *const loops[] = {
        [AMX_NONE] = NULL, [AMX_CPU] = &loops_cpu, [AMX_VECTOR] = &loops_vector, [AMX_EMULATED] = &loops_emulated};
    here = loops[unit == AMX_DEFAULT ? found : unit];
}

static void detect(void)
{
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd");
    found = !wide ? AMX_NONE : cpu_has_tiles() ? AMX_CPU : __builtin_cpu_supports("avx512bf16") ? AMX_VECTOR : AMX_NONE;
    use(AMX_DEFAULT);
}

amx_unit amx_unit_here(void)
{
    pthread_once(&once, detect);
    return found;
}

const amx_loops *amx_loops_here(void)
{
    pthread_once(&once, detect);
    return here;
}

void amx_use(amx_unit unit)
{
    pthread_once(&once, detect);
    use(unit);
}
