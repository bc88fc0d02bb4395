/* simd_clones.h -- HOT before a function: its loops are vectorized, compiled for several x86-64 levels, and the widest this CPU has is
 * chosen when the program starts. Only for loops that were measured to matter. Sums of reals keep their written order (no fast-math), so
 * all versions give the same bits. */
#ifndef MICON_BASE_SIMD_CLONES_H
#define MICON_BASE_SIMD_CLONES_H

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define HOT __attribute__((optimize("O3"), target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HOT
#endif

#endif
