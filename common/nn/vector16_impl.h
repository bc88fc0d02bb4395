/* vector16_impl.h -- 16 floats at a time, on any x86-64: what the inner loops of kernels.c and of the AMX kernels are written in. gcc turns
 * the vectors into whatever the target of a function has. */
#ifndef MICON_NN_VECTOR16_IMPL_H
#define MICON_NN_VECTOR16_IMPL_H
#include <stdint.h>
#include <string.h>

typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef uint32_t vu __attribute__((vector_size(64)));
typedef uint16_t vh __attribute__((vector_size(32)));
typedef uint8_t vb __attribute__((vector_size(16)));
typedef float vf_at __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint32_t vu_at __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t vh_at __attribute__((vector_size(32), aligned(2), may_alias));

/* A function compiled three times, chosen at run time. */
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3", "no-trapping-math")))

#define SELECT(mask, a, b) ((vf)(((mask) & (vi)(a)) | (~(mask) & (vi)(b))))
/* Load and store 16 floats, or 16 values of bf16 as floats (rounded to the nearest, ties to even). */
#define LDF(p) (*(const vf_at *)(p))
#define LDH(p) ((vf)(__builtin_convertvector(*(const vh_at *)(p), vu) << 16))
#define STF(p, v) (*(vf_at *)(p) = (v))
#define ROUND_H(v)                                                                                                                         \
    __extension__({                                                                                                                        \
        vu round_u = (vu)(v);                                                                                                              \
        round_u += 0x7fff + ((round_u >> 16) & 1);                                                                                         \
        __builtin_convertvector(round_u >> 16, vh);                                                                                        \
    })
#define STH(p, v) (*(vh_at *)(p) = ROUND_H(v))

/* One value, rounded alike. */
static inline uint16_t bf16_of(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

#endif
