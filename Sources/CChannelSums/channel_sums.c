#include "channel_sums.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 8 };

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef double doubles __attribute__((vector_size(8 * LANES)));
typedef uint16_t halves __attribute__((vector_size(2 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

// One compilation for every CPU, of which the loader takes the best.
#if defined(__x86_64__)
#define FOR_EVERY_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EVERY_CPU
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE void widen_floats(const float *from, doubles *to) {
    floats values;
    memcpy(&values, from, sizeof values);
    *to = __builtin_convertvector(values, doubles);
}

INLINE void widen_bfloats(const uint16_t *from, doubles *to) {
    halves bits;
    memcpy(&bits, from, sizeof bits);
    const words wide = __builtin_convertvector(bits, words) << 16;
    *to = __builtin_convertvector((floats)wide, doubles);
}

/// Sums `count` vectors that lie `stride` elements apart. Two chains: an addition takes several cycles.
#define DEFINE_SUM(name, element, widen)                                                       \
    FOR_EVERY_CPU static void name(                                                            \
        const element *from, int count, size_t stride, double *sum, double *squares) {         \
        doubles even = {0}, odd = {0}, even_squares = {0}, odd_squares = {0}, x, y;            \
        int index = 0;                                                                         \
        for (; index + 1 < count; index += 2) {                                                \
            widen(from + (size_t)index * stride, &x);                                          \
            widen(from + (size_t)(index + 1) * stride, &y);                                    \
            even += x;                                                                         \
            even_squares += x * x;                                                             \
            odd += y;                                                                          \
            odd_squares += y * y;                                                              \
        }                                                                                      \
        if (index < count) {                                                                   \
            widen(from + (size_t)index * stride, &x);                                          \
            even += x;                                                                         \
            even_squares += x * x;                                                             \
        }                                                                                      \
        even += odd;                                                                           \
        even_squares += odd_squares;                                                           \
        memcpy(sum, &even, sizeof even);                                                       \
        memcpy(squares, &even_squares, sizeof even_squares);                                   \
    }

DEFINE_SUM(sum_floats, float, widen_floats)
DEFINE_SUM(sum_bfloats, uint16_t, widen_bfloats)

static void sum_vectors(
    const void *values, bool is_bfloat16, size_t offset, int count, size_t stride, double *sum,
    double *squares) {
    if (is_bfloat16) {
        sum_bfloats((const uint16_t *)values + offset, count, stride, sum, squares);
    } else {
        sum_floats((const float *)values + offset, count, stride, sum, squares);
    }
}

static double value(const void *values, bool is_bfloat16, size_t offset) {
    if (!is_bfloat16) return ((const float *)values)[offset];
    const uint32_t bits = (uint32_t)((const uint16_t *)values)[offset] << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

/// The sums over the pixels of some lanes, fewer than a vector.
static void sum_lane(
    const void *values, channel_layout layout, size_t offset, double *sum, double *squares) {
    int first = 0;
    *sum = 0;
    *squares = 0;
    if (layout.lanes == 1) {
        double sums[LANES], products[LANES];
        sum_vectors(
            values, layout.is_bfloat16, offset, layout.pixels / LANES, LANES, sums, products);
        for (int lane = 0; lane < LANES; lane++) {
            *sum += sums[lane];
            *squares += products[lane];
        }
        first = layout.pixels / LANES * LANES;
    }
    for (int pixel = first; pixel < layout.pixels; pixel++) {
        const double x =
            value(values, layout.is_bfloat16, offset + (size_t)pixel * (size_t)layout.lanes);
        *sum += x;
        *squares += x * x;
    }
}

void channel_sums(
    const void *values, channel_layout layout, int first_image, int end_image, double *sums) {
    const int blocks = (layout.channels + layout.lanes - 1) / layout.lanes;
    const size_t block_size = (size_t)layout.pixels * (size_t)layout.lanes;
    for (int image = first_image; image < end_image; image++) {
        double *sum = sums + (size_t)image * 2 * (size_t)layout.channels;
        double *squares = sum + layout.channels;
        for (int channel = 0; channel < layout.channels;) {
            const int block = channel / layout.lanes, lane = channel % layout.lanes;
            const size_t offset =
                ((size_t)image * (size_t)blocks + (size_t)block) * block_size + (size_t)lane;
            if (lane + LANES <= layout.lanes && channel + LANES <= layout.channels) {
                sum_vectors(
                    values, layout.is_bfloat16, offset, layout.pixels, (size_t)layout.lanes,
                    sum + channel, squares + channel);
                channel += LANES;
            } else {
                sum_lane(values, layout, offset, sum + channel, squares + channel);
                channel += 1;
            }
        }
    }
}
