/* Max-pooling 2 x 2 and ReLU in one pass, forwards and backwards, on channels-last float32 maps.
 *
 * What PyTorch does in six passes over the maps (pool with 64-bit indices, ReLU, and backwards two
 * masks, a zero fill and a scatter) is one pass each way with an 8-bit code per pooled value: 0 to 3
 * for the pixel that won (in reading order, the first of equals, as in PyTorch), 4 where ReLU
 * passes nothing on. Nothing is rounded, so the results equal PyTorch's to the last bit.
 */
#include <stdint.h>
#include <string.h>

#define LANES 8
#define DEAD 4

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint8_t bytes __attribute__((vector_size(LANES)));

static inline floats load(const float *p)
{
    floats v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, floats v) { memcpy(p, &v, sizeof v); }

static inline ints choose(ints mask, ints yes, ints no) { return (mask & yes) | (~mask & no); }

static void forward(const float *x, float *y, uint8_t *winner, int64_t right, int64_t down)
{
    const int64_t offsets[4] = {0, right, down, down + right};
    floats best = load(x);
    ints which = {0};
    for (int p = 1; p < 4; p++) {
        const floats value = load(x + offsets[p]);
        const ints take = (value > best) | (value != value); /* a NaN always wins */
        best = (floats)choose(take, (ints)value, (ints)best);
        which = choose(take, (ints){0} + p, which);
    }
    const ints dead = best <= 0.0f;
    store(y, (floats)(~(best < 0.0f) & (ints)best)); /* PyTorch's ReLU keeps -0.0 */
    const bytes code = __builtin_convertvector(choose(dead, (ints){0} + DEAD, which), bytes);
    memcpy(winner, &code, sizeof code);
}

static void backward(const float *grad, const uint8_t *winner, float *x, int64_t right, int64_t down)
{
    const int64_t offsets[4] = {0, right, down, down + right};
    bytes code;
    memcpy(&code, winner, sizeof code);
    const ints which = __builtin_convertvector(code, ints);
    const ints g = (ints)load(grad);
    for (int p = 0; p < 4; p++)
        store(x + offsets[p], (floats)(g & (which == p)) + 0.0f); /* -0.0 to 0.0, as a sum does */
}

/* Where the last vector of a pixel starts: it may overlap the one before, so no remainder is left.
 */
static inline int64_t clip(int64_t k, int64_t channels)
{
    return k + LANES <= channels ? k : channels - LANES;
}

/* x: (n, height, width, channels); y, winner: (n, height / 2, width / 2, channels).
 * channels >= LANES. */
void pool_relu_forward(const float *x, float *y, uint8_t *winner, int64_t n, int64_t height,
                       int64_t width, int64_t channels)
{
    const int64_t row = width * channels;
    for (int64_t i = 0; i < n; i++, x += height * row)
        for (int64_t r = 0; r < height / 2; r++) {
            const float *pixel = x + 2 * r * row;
            for (int64_t c = 0; c < width / 2; c++) {
                for (int64_t k = 0; k < channels; k += LANES) {
                    const int64_t s = clip(k, channels);
                    forward(pixel + s, y + s, winner + s, channels, row);
                }
                pixel += 2 * channels;
                y += channels;
                winner += channels;
            }
        }
}

/* grad, winner: (n, height / 2, width / 2, channels); x, all of which is written: (n, height,
 * width, channels). channels >= LANES. */
void pool_relu_backward(const float *grad, const uint8_t *winner, float *x, int64_t n,
                        int64_t height, int64_t width, int64_t channels)
{
    const int64_t row = width * channels;
    for (int64_t i = 0; i < n; i++, x += height * row) {
        for (int64_t r = 0; r < height / 2; r++) {
            float *pixel = x + 2 * r * row;
            for (int64_t c = 0; c < width / 2; c++) {
                for (int64_t k = 0; k < channels; k += LANES) {
                    const int64_t s = clip(k, channels);
                    backward(grad + s, winner + s, pixel + s, channels, row);
                }
                pixel += 2 * channels;
                grad += channels;
                winner += channels;
            }
            if (width % 2) { /* pixels that no window covers have no gradient */
                memset(pixel, 0, channels * sizeof(float));
                memset(pixel + row, 0, channels * sizeof(float));
            }
        }
        if (height % 2)
            memset(x + (height - 1) * row, 0, row * sizeof(float));
    }
}
