/* rng.c -- Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011), checked in tests against the published known answers. */
#include "micon/base/rng.h"

#include <math.h>

void philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

rng rng_at(uint32_t seed, uint32_t stream, uint32_t step, uint64_t position)
{
    return (rng){.key = {seed, stream}, .ctr = {step, (uint32_t)position, (uint32_t)(position >> 32), 0}};
}

uint32_t rng_u32(rng *r)
{
    if (r->left == 0) {
        philox4x32(r->ctr, r->key, r->out);
        r->ctr[3]++;
        r->left = 4;
    }
    return r->out[4 - r->left--];
}

double rng_uniform(rng *r)
{
    uint64_t hi = rng_u32(r) >> 5, lo = rng_u32(r) >> 6;
    return (double)(hi << 26 | lo) * 0x1p-53;
}

double rng_normal(rng *r)
{
    if (r->has_spare) {
        r->has_spare = 0;
        return r->spare;
    }
    double u = 1.0 - rng_uniform(r), v = rng_uniform(r); /* u in (0, 1]: its logarithm is finite */
    double radius = sqrt(-2.0 * log(u)), angle = 6.283185307179586 * v;
    r->spare = radius * sin(angle);
    r->has_spare = 1;
    return radius * cos(angle);
}

uint64_t rng_below(rng *r, uint64_t n)
{
    uint64_t reject = -n % n, v; /* reject values below 2^64 mod n, which would favour small results */
    do {
        v = (uint64_t)rng_u32(r) << 32;
        v |= rng_u32(r);
    } while (v < reject);
    return v % n;
}

void rng_shuffle(rng *r, int64_t *v, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)rng_below(r, (uint64_t)i + 1), t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
}
