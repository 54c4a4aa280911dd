/* What a training spends its time on, for one processor core, float32: convolution with 2 x 2
 * max-pooling and ReLU as one operation, and dropout.
 *
 * Forwards, the four convolution outputs of a pooling window stay in registers until the largest is
 * known; the map between convolution and pooling, the largest array of the network, never exists.
 * Kept for the way back is one byte per pooled value: 0 to 3 for the pixel that won (in reading
 * order, the first of equals, as in PyTorch), 4 where ReLU passes nothing on.
 *
 * Backwards, only the winners have a gradient: at most a quarter of the convolution's outputs. Both
 * gradients add up those alone, so they need a quarter of the multiplications of a dense one, or
 * less where ReLU cut.
 *
 * Maps are square and channels-last: (image, row, column, channel). Nothing depends on the number of
 * lanes or on how images are grouped but the order of a few sums, which is fixed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEAD 4
#define ALIGN 64
#define INLINE static inline __attribute__((always_inline))

typedef float f8 __attribute__((vector_size(32)));
typedef float f16 __attribute__((vector_size(64)));
typedef int32_t i8 __attribute__((vector_size(32)));
typedef int32_t i16 __attribute__((vector_size(64)));
typedef uint8_t b8 __attribute__((vector_size(8)));
typedef uint8_t b16 __attribute__((vector_size(16)));

typedef struct {
    int64_t size;     /* side of the input maps */
    int64_t channels; /* of the input */
    int64_t filters;  /* channels of the output */
    int64_t kernel, stride;
    int64_t before;  /* rows and columns of zeros before the map */
    int64_t padded;  /* side of the map with its zeros */
    int64_t windows; /* side of the pooled map */
} Shape;

typedef struct {
    int32_t offset; /* of the winner's first input value */
    float grad;
} Entry;

/* Scratch memory, kept between calls: fresh pages cost as much as the arithmetic. */
static _Thread_local char *arena;
static _Thread_local size_t arena_bytes;

static char *scratch(size_t bytes)
{
    if (bytes > arena_bytes) {
        free(arena);
        arena_bytes = (bytes + 4095) / 4096 * 4096;
        arena = aligned_alloc(4096, arena_bytes);
        if (!arena) {
            arena_bytes = 0;
            return NULL;
        }
    }
    return arena;
}

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* Channels of a padded map. Whole vectors, except for images. */
static int64_t pitch(const Shape *s) { return s->channels < 4 ? s->channels : up(s->channels, 8); }

static int64_t row(const Shape *s) { return s->padded * pitch(s); }

static int64_t image(const Shape *s) { return up(s->padded * row(s), 16); }

INLINE void copy(float *to, const float *from, int64_t n)
{
    if (n >= 8) {
        for (int64_t i = 0; i < n - 8; i += 8)
            memcpy(to + i, from + i, 32);
        memcpy(to + n - 8, from + n - 8, 32);
    } else if (n >= 4) {
        memcpy(to, from, 16);
        memcpy(to + n - 4, from + n - 4, 16);
    } else
        for (int64_t i = 0; i < n; i++)
            to[i] = from[i];
}

/* One map into the middle of a padded one, whose border is zero already. */
static void pad(const Shape *s, const float *x, float *padded)
{
    const int64_t c = s->channels, p = pitch(s);
    for (int64_t i = 0; i < s->size; i++, x += s->size * c) {
        float *to = padded + (s->before + i) * row(s) + s->before * p;
        if (p == c)
            memcpy(to, x, s->size * c * sizeof(float));
        else
            for (int64_t j = 0; j < s->size; j++)
                copy(to + j * p, x + j * c, c);
    }
}

static void unpad(const Shape *s, const float *padded, float *x)
{
    const int64_t c = s->channels, p = pitch(s);
    for (int64_t i = 0; i < s->size; i++, x += s->size * c)
        for (int64_t j = 0; j < s->size; j++)
            copy(x + j * c, padded + (s->before + i) * row(s) + (s->before + j) * p, c);
}

/* ---- forwards ---- */

#define SELECT(type, mask, yes, no) ((type)(((mask) & (yes)) | (~(mask) & (no))))

#define POOL(F, I, B, v0, v1, v2, v3, bias, y, code)                                              \
    do {                                                                                           \
        const F values[4] = {v0, v1, v2, v3};                                                      \
        F best = values[0];                                                                        \
        I which = {0};                                                                             \
        _Pragma("GCC unroll 4") for (int p = 1; p < 4; p++)                                        \
        {                                                                                          \
            const F value = values[p];                                                             \
            const I take = (value > best) | (value != value); /* a NaN always wins */              \
            best = SELECT(F, take, (I)value, (I)best);                                             \
            which = SELECT(I, take, (I){0} + p, which);                                            \
        }                                                                                          \
        best += bias;                                                                              \
        const I dead = best <= 0.0f;                                                               \
        best = (F)(~dead & (I)best);                                                               \
        which = SELECT(I, dead, (I){0} + DEAD, which);                                             \
        const B bytes = __builtin_convertvector(which, B);                                         \
        memcpy(y, &best, sizeof best);                                                             \
        memcpy(code, &bytes, sizeof bytes);                                                        \
    } while (0)

/* n windows side by side, 16 * z + 8 * h filters. x: the first window's first input value. w:
 * (kernel, kernel, channels, filters of this part). y, code: n rows of 64. */
INLINE void tile(const int n, const int z, const int h, const Shape *s, const float *x,
                 const float *w, const float *bias, float *y, uint8_t *code)
{
    const int64_t p = pitch(s), right = s->stride * p, down = s->stride * row(s);
    const int64_t runs = p == s->channels ? 1 : s->kernel;
    const int64_t length = p == s->channels ? s->kernel * p : s->channels;
    f16 a[8][3];
    f8 b[8];
#pragma GCC unroll 8
    for (int i = 0; i < 4 * n; i++) {
#pragma GCC unroll 3
        for (int v = 0; v < z; v++)
            a[i][v] = (f16){0};
        b[i] = (f8){0};
    }
    for (int64_t r = 0; r < s->kernel; r++)
        for (int64_t q = 0; q < runs; q++) {
            const float *in = x + r * row(s) + q * p;
            for (int64_t k = 0; k < length; k++, in++, w += 16 * z + 8 * h) {
                f16 wa[3];
                f8 wb = {0};
#pragma GCC unroll 3
                for (int v = 0; v < z; v++)
                    memcpy(&wa[v], w + 16 * v, 64);
                if (h)
                    memcpy(&wb, w + 16 * z, 32);
#pragma GCC unroll 8
                for (int i = 0; i < 4 * n; i++) {
                    const float value = in[i / 4 * 2 * right + i % 2 * right + i / 2 % 2 * down];
#pragma GCC unroll 3
                    for (int v = 0; v < z; v++)
                        a[i][v] += value * wa[v];
                    if (h)
                        b[i] += value * wb;
                }
            }
        }
#pragma GCC unroll 2
    for (int i = 0; i < n; i++) {
#pragma GCC unroll 3
        for (int v = 0; v < z; v++) {
            f16 t;
            memcpy(&t, bias + 16 * v, sizeof t);
            POOL(f16, i16, b16, a[4 * i][v], a[4 * i + 1][v], a[4 * i + 2][v], a[4 * i + 3][v], t,
                 y + 64 * i + 16 * v, code + 64 * i + 16 * v);
        }
        if (h) {
            f8 t;
            memcpy(&t, bias + 16 * z, sizeof t);
            POOL(f8, i8, b8, b[4 * i], b[4 * i + 1], b[4 * i + 2], b[4 * i + 3], t,
                 y + 64 * i + 16 * z, code + 64 * i + 16 * z);
        }
    }
}

#define TILE(z, h)                                                                                 \
    static void tile##z##h(int n, const Shape *s, const float *x, const float *w,                  \
                           const float *bias, float *y, uint8_t *code)                             \
    {                                                                                              \
        if (n == 2)                                                                                \
            tile(2, z, h, s, x, w, bias, y, code);                                                 \
        else                                                                                       \
            tile(1, z, h, s, x, w, bias, y, code);                                                 \
    }
TILE(0, 1)
TILE(1, 0)
TILE(1, 1)
TILE(2, 0)
TILE(2, 1)
TILE(3, 0)

typedef void Tile(int, const Shape *, const float *, const float *, const float *, float *,
                  uint8_t *);

/* The filters, in parts of which two windows fit into the registers: by eighths of 64. */
static const struct {
    int eighths[2];
    Tile *tile[2];
} PARTS[9] = {
    {{0}, {0}},
    {{1, 0}, {tile01, 0}},
    {{2, 0}, {tile10, 0}},
    {{3, 0}, {tile11, 0}},
    {{4, 0}, {tile20, 0}},
    {{5, 0}, {tile21, 0}},
    {{6, 0}, {tile30, 0}},
    {{4, 3}, {tile20, tile11}},
    {{4, 4}, {tile20, tile20}},
};

/* x: (n, size, size, channels); weight: (filters, kernel, kernel, channels), bias: (filters,);
 * y, code: (n, windows, windows, filters) and room for 8 more. 0, or 1 where memory is short. */
int block_forward(const Shape *s, int64_t n, const float *x, const float *weight,
                  const float *bias, float *y, uint8_t *code)
{
    const int64_t o = s->filters, eighths = up(o, 8) / 8, lanes = 8 * eighths;
    const int64_t taps = s->kernel * s->kernel * s->channels;
    float *padded = (float *)scratch((image(s) + 16 + taps * lanes + 64 + 128 + 64) * 4);
    if (!padded)
        return 1;
    float *w = padded + image(s) + 16, *b = w + up(taps * lanes, 16), *part_y = b + 64;
    uint8_t *part_code = (uint8_t *)(part_y + 128);
    memset(padded, 0, (char *)part_y - (char *)padded);
    memcpy(b, bias, o * sizeof(float));
    float *to = w;
    for (int64_t part = 0, first = 0; part < 2; part++) {
        const int64_t wide = 8 * PARTS[eighths].eighths[part];
        for (int64_t f = first; f < first + wide && f < o; f++)
            for (int64_t t = 0; t < taps; t++)
                to[t * wide + f - first] = weight[f * taps + t];
        to += taps * wide;
        first += wide;
    }
    const int64_t step = 2 * s->stride;
    for (int64_t i = 0; i < n; i++, x += s->size * s->size * s->channels) {
        pad(s, x, padded);
        for (int64_t r = 0; r < s->windows; r++)
            for (int64_t c = 0; c < s->windows; c += 2) {
                const int pair = c + 1 < s->windows ? 2 : 1;
                const float *in = padded + r * step * row(s) + c * step * pitch(s);
                int64_t first = 0;
                for (int part = 0; part < 2 && PARTS[eighths].eighths[part]; part++) {
                    PARTS[eighths].tile[part](pair, s, in, w + taps * first, b + first,
                                              part_y + first, part_code + first);
                    first += 8 * PARTS[eighths].eighths[part];
                }
                for (int k = 0; k < pair; k++, y += o, code += o) {
                    /* What is written too far is written again by the next window. */
                    for (int64_t l = 0; l < lanes; l += 8) {
                        memcpy(y + l, part_y + 64 * k + l, 32);
                        memcpy(code + l, part_code + 64 * k + l, 8);
                    }
                }
            }
    }
    return 0;
}

/* ---- backwards ---- */

/* dw: (u vectors) += sum over the entries of grad * (u vectors of x). */
INLINE void gather(const int u, const Entry *e, int64_t n, const float *x, float *dw)
{
    f8 a[24];
#pragma GCC unroll 24
    for (int v = 0; v < u; v++)
        memcpy(&a[v], dw + 8 * v, 32);
    for (int64_t i = 0; i < n; i++) {
        const float *in = x + e[i].offset;
        const float g = e[i].grad;
#pragma GCC unroll 24
        for (int v = 0; v < u; v++) {
            f8 t;
            memcpy(&t, in + 8 * v, 32);
            a[v] += g * t;
        }
    }
#pragma GCC unroll 24
    for (int v = 0; v < u; v++)
        memcpy(dw + 8 * v, &a[v], 32);
}

/* dx: for each entry (u vectors) += grad * w. */
INLINE void scatter(const int u, const Entry *e, int64_t n, const float *w, float *dx)
{
    f8 a[24];
#pragma GCC unroll 24
    for (int v = 0; v < u; v++)
        memcpy(&a[v], w + 8 * v, 32);
    for (int64_t i = 0; i < n; i++) {
        float *out = dx + e[i].offset;
        const float g = e[i].grad;
#pragma GCC unroll 24
        for (int v = 0; v < u; v++) {
            f8 t;
            memcpy(&t, out + 8 * v, 32);
            t += g * a[v];
            memcpy(out + 8 * v, &t, 32);
        }
    }
}

typedef void Gather(const Entry *, int64_t, const float *, float *);
#define SPARSE(u)                                                                                  \
    static void gather##u(const Entry *e, int64_t n, const float *x, float *dw)                    \
    {                                                                                              \
        gather(u, e, n, x, dw);                                                                    \
    }                                                                                              \
    static void scatter##u(const Entry *e, int64_t n, const float *w, float *dx)                   \
    {                                                                                              \
        scatter(u, e, n, w, dx);                                                                   \
    }
SPARSE(2) SPARSE(4) SPARSE(6) SPARSE(8) SPARSE(10) SPARSE(12) SPARSE(14) SPARSE(16)
SPARSE(3) SPARSE(9) SPARSE(15) SPARSE(18) SPARSE(21) SPARSE(24)

/* By the kernel less 2 and the vectors of a pixel. */
static Gather *const GATHER[2][9] = {
    {0, gather2, gather4, gather6, gather8, gather10, gather12, gather14, gather16},
    {0, gather3, gather6, gather9, gather12, gather15, gather18, gather21, gather24},
};
static Gather *const SCATTER[2][9] = {
    {0, scatter2, scatter4, scatter6, scatter8, scatter10, scatter12, scatter14, scatter16},
    {0, scatter3, scatter6, scatter9, scatter12, scatter15, scatter18, scatter21, scatter24},
};

#define BAND 64            /* windows worked on at once, so that what they touch stays in cache */
#define INPUT (192 << 10)  /* and bytes of their images */

static int sparse_backward(const Shape *s, int64_t n, const float *x, const float *weight,
                           const float *grad, const uint8_t *code, float *dweight, float *dbias,
                           float *dx)
{
    const int64_t o = s->filters, c = s->channels, p = pitch(s), k = s->kernel;
    const int64_t windows = s->windows * s->windows, taps = k * k * p;
    /* A few images at once where they are small, a few rows of windows where they are large. */
    int64_t group = BAND / windows, most = INPUT / (image(s) * 4);
    group = group > most ? most : group;
    group = group > n ? n : group < 1 ? 1 : group;
    int64_t rows = BAND / s->windows;
    rows = group > 1 || rows > s->windows ? s->windows : rows < 1 ? 1 : rows;
    const int64_t capacity = group * rows * s->windows;
    const size_t floats = 2 * (group * image(s) + 16) + 2 * o * taps;
    float *padded = (float *)scratch(floats * 4 + o * capacity * sizeof(Entry) + o * 8);
    if (!padded)
        return 1;
    float *dpadded = padded + group * image(s) + 16, *dw = dpadded + group * image(s) + 16;
    float *w = dw + o * taps;
    Entry *entries = (Entry *)(w + o * taps);
    int64_t *count = (int64_t *)(entries + o * capacity);
    memset(padded, 0, floats * 4);
    memset(dbias, 0, o * sizeof(float));
    for (int64_t t = 0; t < o * k * k; t++)
        copy(w + t * p, weight + t * c, c);
    const int32_t right = s->stride * p, down = s->stride * row(s);
    const int32_t winner[DEAD + 1] = {0, right, down, down + right, 0};
    Gather *const add_weight = GATHER[k - 2][p / 8], *const add_input = SCATTER[k - 2][p / 8];
    const int64_t pixels = s->size * s->size * c;
    for (int64_t i = 0; i < n; i += group) {
        const int64_t here = i + group > n ? n - i : group;
        for (int64_t j = 0; j < here; j++)
            pad(s, x + (i + j) * pixels, padded + j * image(s));
        if (dx)
            memset(dpadded, 0, here * image(s) * sizeof(float));
        for (int64_t r = 0; r < s->windows; r += rows) {
            const int64_t end = r + rows > s->windows ? s->windows : r + rows;
            memset(count, 0, o * sizeof *count);
            for (int64_t j = 0; j < here; j++)
                for (int64_t y = r; y < end; y++) {
                    int32_t base = j * image(s) + 2 * y * down;
                    const int64_t first = ((i + j) * windows + y * s->windows) * o;
                    const float *g = grad + first;
                    const uint8_t *b = code + first;
                    for (int64_t z = 0; z < s->windows; z++, base += 2 * right, g += o, b += o)
                        for (int64_t f = 0; f < o; f++) {
                            entries[f * capacity + count[f]] = (Entry){base + winner[b[f]], g[f]};
                            count[f] += b[f] != DEAD;
                        }
                }
            for (int64_t f = 0; f < o; f++) {
                const Entry *e = entries + f * capacity;
                for (int64_t t = 0; t < count[f]; t++)
                    dbias[f] += e[t].grad;
                for (int64_t t = 0; t < k; t++)
                    add_weight(e, count[f], padded + t * row(s), dw + (f * k + t) * k * p);
                if (dx)
                    for (int64_t t = 0; t < k; t++)
                        add_input(e, count[f], w + (f * k + t) * k * p, dpadded + t * row(s));
            }
        }
        if (dx)
            for (int64_t j = 0; j < here; j++)
                unpad(s, dpadded + j * image(s), dx + (i + j) * pixels);
    }
    for (int64_t t = 0; t < o * k * k; t++)
        copy(dweight + t * c, dw + t * p, c);
    return 0;
}

INLINE f16 pick(f16 values, i16 index)
{
#ifdef __clang__
    f16 result;
    for (int l = 0; l < 16; l++)
        result[l] = values[index[l]];
    return result;
#else
    return __builtin_shuffle(values, index);
#endif
}

/* dw: taps of one kernel row, (t, 16 * v filters) += over the windows of an image. */
INLINE void image_taps(const int t, const int v, const Shape *s, const float *x, const float *grad,
                       const int32_t *index, int64_t lanes, float *dw)
{
    const int64_t c = s->channels, step = 2 * s->stride, down = s->stride * row(s);
    f16 a[9][2];
#pragma GCC unroll 9
    for (int j = 0; j < t; j++)
#pragma GCC unroll 2
        for (int l = 0; l < v; l++)
            memcpy(&a[j][l], dw + j * lanes + 16 * l, 64);
    for (int64_t r = 0; r < s->windows; r++) {
        const float *in = x + r * step * row(s);
        for (int64_t q = 0; q < s->windows; q++, in += step * c, grad += lanes, index += lanes) {
            f16 g[2];
            i16 from[2];
            memcpy(g, grad, 64 * v);
            memcpy(from, index, 64 * v);
#pragma GCC unroll 9
            for (int j = 0; j < t; j++) {
                f8 upper, lower;
                memcpy(&upper, in + j, 32);
                memcpy(&lower, in + j + down, 32);
                const f16 both = __builtin_shufflevector(upper, lower, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
                                                         10, 11, 12, 13, 14, 15);
#pragma GCC unroll 2
                for (int l = 0; l < v; l++)
                    a[j][l] += g[l] * pick(both, from[l]);
            }
        }
    }
#pragma GCC unroll 9
    for (int j = 0; j < t; j++)
#pragma GCC unroll 2
        for (int l = 0; l < v; l++)
            memcpy(dw + j * lanes + 16 * l, &a[j][l], 64);
}

#define IMAGE(t)                                                                                   \
    static void image_taps##t(int v, const Shape *s, const float *x, const float *grad,            \
                              const int32_t *index, int64_t lanes, float *dw)                      \
    {                                                                                              \
        if (v == 2)                                                                                \
            image_taps(t, 2, s, x, grad, index, lanes, dw);                                        \
        else                                                                                       \
            image_taps(t, 1, s, x, grad, index, lanes, dw);                                        \
    }
IMAGE(2)
IMAGE(3)
IMAGE(6)
IMAGE(9)

/* The first block: images of one to three channels, which have no gradient. With so few channels the
 * lanes are the filters, and each picks its winner's input out of the window's. */
static int image_backward(const Shape *s, int64_t n, const float *x, const float *grad,
                          const uint8_t *code, float *dweight, float *dbias)
{
    const int64_t o = s->filters, c = s->channels, k = s->kernel, lanes = up(o, 16);
    const int64_t windows = s->windows * s->windows, taps = k * k * c;
    const size_t floats = image(s) + 32 + taps * lanes + lanes;
    float *padded = (float *)scratch((floats + 2 * windows * lanes) * 4);
    if (!padded)
        return 1;
    float *dw = padded + image(s) + 32, *db = dw + taps * lanes, *g = db + lanes;
    int32_t *index = (int32_t *)(g + windows * lanes);
    memset(padded, 0, (floats + 2 * windows * lanes) * 4);
    const int32_t right = s->stride * c, winner[DEAD + 1] = {0, right, 8, 8 + right, 0};
    const int64_t t = k * c;
    for (int64_t i = 0; i < n; i++, x += s->size * s->size * c) {
        pad(s, x, padded);
        for (int64_t q = 0; q < windows; q++, grad += o, code += o)
            for (int64_t f = 0; f < o; f++) {
                const float alive = code[f] == DEAD ? 0.0f : grad[f];
                g[q * lanes + f] = alive;
                index[q * lanes + f] = winner[code[f]];
                db[f] += alive;
            }
        for (int64_t f = 0; f < lanes; f += 32)
            for (int64_t r = 0; r < k; r++) {
                const int v = lanes - f > 16 ? 2 : 1;
                float *to = dw + r * t * lanes + f;
                const float *from = padded + r * row(s);
                if (t == 2)
                    image_taps2(v, s, from, g + f, index + f, lanes, to);
                else if (t == 3)
                    image_taps3(v, s, from, g + f, index + f, lanes, to);
                else if (t == 6)
                    image_taps6(v, s, from, g + f, index + f, lanes, to);
                else
                    image_taps9(v, s, from, g + f, index + f, lanes, to);
            }
    }
    for (int64_t f = 0; f < o; f++)
        for (int64_t j = 0; j < taps; j++)
            dweight[f * taps + j] = dw[j * lanes + f];
    memcpy(dbias, db, o * sizeof(float));
    return 0;
}

/* grad, code: (n, windows, windows, filters); dweight, dbias: as weight and bias; dx: as x, or NULL
 * where it is not needed. 0, or 1 where memory is short. */
int block_backward(const Shape *s, int64_t n, const float *x, const float *weight,
                   const float *grad, const uint8_t *code, float *dweight, float *dbias, float *dx)
{
    if (s->channels < 4)
        return image_backward(s, n, x, grad, code, dweight, dbias);
    return sparse_backward(s, n, x, weight, grad, code, dweight, dbias, dx);
}

/* ---- dropout ---- */

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

typedef uint32_t u16 __attribute__((vector_size(64)));

/* y = x * scale where a random number of 32 bits is at least `threshold`, else 0. The same seed gives
 * the same choice, so the way back needs no mask. xoshiro128+ (Blackman and Vigna 2021), 16 side by
 * side. */
void dropout(int64_t n, const float *x, float *y, uint64_t seed, uint32_t threshold, float scale)
{
    uint64_t start[32];
    for (int i = 0; i < 32; i++)
        start[i] = splitmix(&seed);
    u16 s[4];
    memcpy(s, start, sizeof s);
    for (int64_t i = 0; i < n; i += 16) {
        const u16 random = s[0] + s[3], t = s[1] << 9;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = (s[3] << 11) | (s[3] >> 21);
        const size_t bytes = n - i < 16 ? (n - i) * 4 : 64;
        f16 v = {0};
        if (bytes == 64)
            memcpy(&v, x + i, 64);
        else
            memcpy(&v, x + i, bytes);
        v *= scale;
        v = (f16)((i16)(random >= threshold) & (i16)v);
        if (bytes == 64)
            memcpy(y + i, &v, 64);
        else
            memcpy(y + i, &v, bytes);
    }
}
