/* kernels_impl.h -- the inner loops of kernels.c for one element type; included twice, with
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
            vf s = {0}, q = {0}, s2 = {0}, q2 = {0}; /* two chains of sums: one waits for itself */
            size_t r = r0;
            for (; r + 2 <= r1; r += 2) {
                vf v = LD(x + r * stride + c), u = LD(x + (r + 1) * stride + c);
                s += v;
                q += v * v;
                s2 += u;
                q2 += u * u;
            }
            for (; r < r1; r++) {
                vf v = LD(x + r * stride + c);
                s += v;
                q += v * v;
            }
            s += s2;
            q += q2;
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

/* Rows 2 py and 2 py + 1 of the plane x; a, b and which are whole pooled planes. Two by two pixels share the windows (py, px), the one to
 * the right, the one below, and the one below to the right; numbers are places in a window. */
CLONES static void NAME(rows_stem_backward)(const T *a, const T *b, const uint8_t *which, T *x, int py, int h, int w, int oh, int ow,
                                            size_t width, const float *mean, const float *const k[3])
{
    const vf zero = {0};
    const float *k0 = k[0], *k1 = k[1], *k2 = k[2];
    const bool below = py + 1 < oh, second = 2 * py + 1 < h;
    T *row = x + (size_t)(2 * py) * (size_t)w * width, *next = row + (size_t)w * width;
    for (int px = 0; px < ow; px++) {
        const size_t at[4] = {((size_t)py * (size_t)ow + (size_t)px) * width, ((size_t)py * (size_t)ow + (size_t)px + 1) * width,
                              ((size_t)(py + 1) * (size_t)ow + (size_t)px) * width,
                              ((size_t)(py + 1) * (size_t)ow + (size_t)px + 1) * width};
        const bool right = px + 1 < ow, there[4] = {true, right, below, right && below}, two = 2 * px + 1 < w;
        for (size_t c = 0; c < width; c += 16) {
            vf g[4] = {zero, zero, zero, zero}, m = LDF(mean + c);
            vi p[4] = {(vi){0} + 15, (vi){0} + 15, (vi){0} + 15, (vi){0} + 15};
            for (int i = 0; i < 4; i++) {
                if (!there[i]) continue;
                vb place;
                memcpy(&place, which + at[i] + c, sizeof place);
                p[i] = __builtin_convertvector(place, vi);
                g[i] = LD(a + at[i] + c);
                if (b) g[i] += LD(b + at[i] + c);
            }
            const vf a0 = LDF(k0 + c), a1 = LDF(k1 + c), a2 = LDF(k2 + c);
            T *q = row + (size_t)(2 * px) * width + c, *r = next + (size_t)(2 * px) * width + c;
            ST(q, a0 * SELECT(p[0] == 4, g[0], zero) + a1 * (LD(q) - m) + a2);
            if (two) ST(q + width, a0 * (SELECT(p[0] == 5, g[0], zero) + SELECT(p[1] == 3, g[1], zero)) + a1 * (LD(q + width) - m) + a2);
            if (second) ST(r, a0 * (SELECT(p[0] == 7, g[0], zero) + SELECT(p[2] == 1, g[2], zero)) + a1 * (LD(r) - m) + a2);
            if (second && two)
                ST(r + width, a0 * (SELECT(p[0] == 8, g[0], zero) + SELECT(p[1] == 6, g[1], zero) + SELECT(p[2] == 2, g[2], zero) +
                                    SELECT(p[3] == 0, g[3], zero)) +
                                  a1 * (LD(r + width) - m) + a2);
        }
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
