/* kernels_body.h -- the inner loops of kernels.c for one element type; included twice, with
 *   T        the stored element      LD(p) 16 elements at p as a vector of floats      ST(p, v) the way back
 *   NAME(f)  f with the type's suffix
 * A segment is `rows` rows of `width` channels (a multiple of 16) that lie `stride` elements apart. Every function is compiled for
 * AVX-512, AVX2 and any x86-64, and chosen at run time; OpenMP stays in the callers, for what it outlines is not cloned. */

/* Floats are summed over at most FLUSH rows before they enter a double. */
CLONES static void NAME(seg_stats)(const T *x, size_t rows, size_t width, size_t stride, double *sum, double *square)
{
    for (size_t r0 = 0; r0 < rows; r0 += FLUSH) {
        size_t r1 = r0 + FLUSH < rows ? r0 + FLUSH : rows;
        for (size_t c = 0; c < width; c += 16) {
            vf s = {0}, q = {0};
            for (size_t r = r0; r < r1; r++) {
                vf v = LD(x + r * stride + c);
                s += v;
                q += v * v;
            }
            for (int l = 0; l < 16; l++) {
                sum[c + (size_t)l] += (double)s[l];
                square[c + (size_t)l] += (double)q[l];
            }
        }
    }
}

CLONES static void NAME(seg_norm)(const T *x, size_t rows, size_t width, nn_norm n, const T *id, const nn_norm *id_norm, bool relu, T *y)
{
    const vf zero = {0};
    nn_norm m = id_norm ? *id_norm : n;
    for (size_t r = 0; r < rows; r++, x += width, y += width) {
        for (size_t c = 0; c < width; c += 16) {
            vf v = NORM(LD(x + c), n, c);
            if (id_norm)
                v += NORM(LD(id + c), m, c);
            else if (id)
                v += LD(id + c);
            if (relu) v = SELECT(v < zero, zero, v); /* NaN stays NaN */
            ST(y + c, v);
        }
        if (id) id += width;
    }
}

CLONES static void NAME(seg_end_reduce)(T *a, const T *b, const T *y, const T *x, const float *mean, const T *x2, const float *mean2,
                                        size_t rows, size_t width, double *sum, double *dot, double *dot2)
{
    const vf zero = {0};
    for (size_t r0 = 0; r0 < rows; r0 += FLUSH) {
        size_t r1 = r0 + FLUSH < rows ? r0 + FLUSH : rows;
        for (size_t c = 0; c < width; c += 16) {
            vf s = {0}, d = {0}, d2 = {0}, m = LDF(mean + c), m2 = zero;
            if (x2) m2 = LDF(mean2 + c);
            for (size_t r = r0; r < r1; r++) {
                size_t at = r * width + c;
                vf g = LD(a + at);
                if (b) g += LD(b + at);
                g = SELECT(LD(y + at) > zero, g, zero);
                ST(a + at, g);
                g = LD(a + at); /* as rounded: the sums belong to what is stored */
                s += g;
                d += g * (LD(x + at) - m);
                if (x2) d2 += g * (LD(x2 + at) - m2);
            }
            for (int l = 0; l < 16; l++) {
                sum[c + (size_t)l] += (double)s[l];
                dot[c + (size_t)l] += (double)d[l];
                if (x2) dot2[c + (size_t)l] += (double)d2[l];
            }
        }
    }
}

CLONES static void NAME(seg_inner_reduce)(const T *dy, const T *x, nn_norm n, size_t rows, size_t width, double *sum, double *dot)
{
    const vf zero = {0};
    for (size_t r0 = 0; r0 < rows; r0 += FLUSH) {
        size_t r1 = r0 + FLUSH < rows ? r0 + FLUSH : rows;
        for (size_t c = 0; c < width; c += 16) {
            vf s = {0}, d = {0}, k = LDF(n.scale + c), o = LDF(n.shift + c), m = LDF(n.mean + c);
            for (size_t r = r0; r < r1; r++) {
                size_t at = r * width + c;
                vf v = LD(x + at) - m, g = LD(dy + at);
                g = SELECT(v * k + o > zero, g, zero);
                s += g;
                d += g * v;
            }
            for (int l = 0; l < 16; l++) {
                sum[c + (size_t)l] += (double)s[l];
                dot[c + (size_t)l] += (double)d[l];
            }
        }
    }
}

CLONES static void NAME(seg_norm_backward)(const T *dy, T *x, nn_norm n, bool masked, const float *const k[3], size_t rows, size_t width)
{
    const vf zero = {0};
    const float *k0 = k[0], *k1 = k[1], *k2 = k[2];
    for (size_t r = 0; r < rows; r++, x += width, dy += width)
        for (size_t c = 0; c < width; c += 16) {
            vf v = LD(x + c) - LDF(n.mean + c), g = LD(dy + c);
            if (masked) g = SELECT(v * LDF(n.scale + c) + LDF(n.shift + c) > zero, g, zero);
            ST(x + c, LDF(k0 + c) * g + LDF(k1 + c) * v + LDF(k2 + c));
        }
}

/* One row of pooled pixels; x is the plane (h x w pixels, `width` channels each), y and which the row `oh` of the result. */
CLONES static void NAME(row_pool)(const T *x, int h, int w, int oh, int ow, size_t width, nn_norm n, T *y, uint8_t *which)
{
    const vf zero = {0};
    for (int o = 0; o < ow; o++, y += width, which += which ? width : 0)
        for (size_t c = 0; c < width; c += 16) {
            vf best = zero;
            vi place = (vi){0} + 15;
            for (int dy = 0; dy < 3; dy++) {
                int iy = 2 * oh + dy - 1;
                if (iy < 0 || iy >= h) continue;
                for (int dx = 0; dx < 3; dx++) {
                    int ix = 2 * o + dx - 1;
                    if (ix < 0 || ix >= w) continue;
                    vf v = NORM(LD(x + ((size_t)iy * (size_t)w + (size_t)ix) * width + c), n, c);
                    vi more = ~(v <= best); /* so that NaN wins */
                    best = SELECT(more, v, best);
                    place = (more & (3 * dy + dx)) | (~more & place);
                }
            }
            ST(y + c, best);
            if (which) {
                vb p = __builtin_convertvector(place, vb);
                memcpy(which + c, &p, sizeof p);
            }
        }
}

CLONES static void NAME(row_stem_reduce)(const T *a, const T *b, const uint8_t *which, const T *x, int h, int w, int oh, int ow,
                                         size_t width, const float *mean, double *sum, double *dot)
{
    const vf zero = {0};
    for (size_t c = 0; c < width; c += 16) {
        vf s = {0}, d = {0}, m = LDF(mean + c);
        for (int o = 0; o < ow; o++) {
            size_t at = (size_t)o * width + c;
            vb p;
            memcpy(&p, which + at, sizeof p);
            vi place = __builtin_convertvector(p, vi);
            vf g = LD(a + at), won = m;
            if (b) g += LD(b + at);
            g = SELECT(place < 9, g, zero);
            for (int t = 0; t < 9; t++) {
                int iy = 2 * oh + t / 3 - 1, ix = 2 * o + t % 3 - 1;
                if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
                vf v = LD(x + ((size_t)iy * (size_t)w + (size_t)ix) * width + c);
                won = SELECT(place == t, v, won);
            }
            s += g;
            d += g * (won - m);
        }
        for (int l = 0; l < 16; l++) {
            sum[c + (size_t)l] += (double)s[l];
            dot[c + (size_t)l] += (double)d[l];
        }
    }
}

/* Row iy of x; a, b and which are whole pooled planes of oh x ow. A pixel is in the windows (iy + 1) / 2 and, when odd, also the one before. */
CLONES static void NAME(row_stem_backward)(const T *a, const T *b, const uint8_t *which, T *x, int iy, int w, int oh, int ow, size_t width,
                                           const float *mean, const float *const k[3])
{
    const vf zero = {0};
    const float *k0 = k[0], *k1 = k[1], *k2 = k[2];
    for (int ix = 0; ix < w; ix++, x += width)
        for (size_t c = 0; c < width; c += 16) {
            vf g = zero;
            for (int py = iy / 2; py <= (iy + 1) / 2 && py < oh; py++)
                for (int px = ix / 2; px <= (ix + 1) / 2 && px < ow; px++) {
                    size_t at = ((size_t)py * (size_t)ow + (size_t)px) * width + c;
                    vb p;
                    memcpy(&p, which + at, sizeof p);
                    vf v = LD(a + at);
                    if (b) v += LD(b + at);
                    int t = 3 * (iy - 2 * py + 1) + ix - 2 * px + 1;
                    g += SELECT(__builtin_convertvector(p, vi) == t, v, zero);
                }
            vf v = LD(x + c);
            ST(x + c, LDF(k0 + c) * g + LDF(k1 + c) * (v - LDF(mean + c)) + LDF(k2 + c));
        }
}

CLONES static void NAME(seg_average)(const T *x, size_t rows, size_t width, float *y)
{
    const float share = 1.0f / (float)rows;
    for (size_t c = 0; c < width; c += 16) {
        vf s = {0};
        for (size_t r = 0; r < rows; r++) s += LD(x + r * width + c);
        s *= share;
        memcpy(y + c, &s, sizeof s);
    }
}

CLONES static void NAME(seg_spread)(const float *dy, size_t rows, size_t width, T *dx)
{
    const float share = 1.0f / (float)rows;
    for (size_t r = 0; r < rows; r++, dx += width)
        for (size_t c = 0; c < width; c += 16) ST(dx + c, LDF(dy + c) * share);
}
#undef T
#undef LD
#undef ST
#undef NAME
