#include "winograd.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define UNROLL _Pragma("clang loop unroll(full)")

typedef __m256 vector;

enum { lanes = 8, panel = 16, points = 6, planes = points * points, side_of_tile = 4 };
// Planes a power of two apart would all fall into the same lines of the caches.
enum { gap = 16 };
// Sums held in registers: rows of the product at a time.
enum { rows_at_once = 6 };

int winograd_is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

int winograd_tile_count(winograd_shape shape) {
    const int across = shape.side / side_of_tile;
    return shape.batch * across * across;
}

static size_t tiles_plane(int tiles, int channels) { return (size_t)tiles * channels + gap; }
static size_t weights_plane(int inputs, int outputs) { return (size_t)inputs * outputs + gap; }

size_t winograd_tiles_size(int tiles, int channels) {
    return planes * tiles_plane(tiles, channels);
}

size_t winograd_weights_size(int inputs, int outputs) {
    return planes * weights_plane(inputs, outputs);
}

// The points ±a and ±b, and the factors 1 / Π (p − q) over the other points q of each point p.
#define a 0.625f
#define b 1.5f
#define a2 (a * a)
#define b2 (b * b)
#define scale_0 (1 / (a2 * b2))
#define scale_a (1 / (2 * a2 * (a2 - b2)))
#define scale_b (1 / (2 * b2 * (b2 - a2)))

INLINE vector all(float x) { return _mm256_set1_ps(x); }
INLINE vector add(vector x, vector y) { return _mm256_add_ps(x, y); }
INLINE vector subtract(vector x, vector y) { return _mm256_sub_ps(x, y); }
INLINE vector times(float x, vector y) { return _mm256_mul_ps(all(x), y); }
/// x·y + z.
INLINE vector plus(float x, vector y, vector z) { return _mm256_fmadd_ps(all(x), y, z); }
/// z − x·y.
INLINE vector minus(float x, vector y, vector z) { return _mm256_fnmadd_ps(all(x), y, z); }
INLINE vector load(const float *from) { return _mm256_loadu_ps(from); }
INLINE void store(float *to, vector x) { _mm256_storeu_ps(to, x); }

/// Six inputs to six points.
INLINE void input_to_points(const vector *x, vector *p) {
    const vector even_a = minus(b2, x[2], x[4]), odd_a = times(a, minus(b2, x[1], x[3]));
    const vector even_b = minus(a2, x[2], x[4]), odd_b = times(b, minus(a2, x[1], x[3]));
    p[0] = plus(a2 * b2, x[0], minus(a2 + b2, x[2], x[4]));
    p[1] = add(even_a, odd_a);
    p[2] = subtract(even_a, odd_a);
    p[3] = add(even_b, odd_b);
    p[4] = subtract(even_b, odd_b);
    p[5] = plus(a2 * b2, x[1], minus(a2 + b2, x[3], x[5]));
}

/// The products at six points to four outputs.
INLINE void points_to_output(const vector *p, vector *y) {
    const vector sum_a = add(p[1], p[2]), difference_a = subtract(p[1], p[2]);
    const vector sum_b = add(p[3], p[4]), difference_b = subtract(p[3], p[4]);
    y[0] = add(p[0], add(sum_a, sum_b));
    y[1] = plus(a, difference_a, times(b, difference_b));
    y[2] = plus(a2, sum_a, times(b2, sum_b));
    y[3] = plus(a2 * a, difference_a, plus(b2 * b, difference_b, p[5]));
}

/// The gradients of four outputs to six points: the transpose of the above.
INLINE void gradient_to_points(const vector *y, vector *p) {
    const vector even_a = plus(a2, y[2], y[0]), odd_a = times(a, plus(a2, y[3], y[1]));
    const vector even_b = plus(b2, y[2], y[0]), odd_b = times(b, plus(b2, y[3], y[1]));
    p[0] = y[0];
    p[1] = add(even_a, odd_a);
    p[2] = subtract(even_a, odd_a);
    p[3] = add(even_b, odd_b);
    p[4] = subtract(even_b, odd_b);
    p[5] = y[3];
}

/// Three weights to six points.
INLINE void weights_to_points(const vector *w, vector *p) {
    const vector even_a = times(scale_a, plus(a2, w[2], w[0])), odd_a = times(scale_a * a, w[1]);
    const vector even_b = times(scale_b, plus(b2, w[2], w[0])), odd_b = times(scale_b * b, w[1]);
    p[0] = times(scale_0, w[0]);
    p[1] = add(even_a, odd_a);
    p[2] = subtract(even_a, odd_a);
    p[3] = add(even_b, odd_b);
    p[4] = subtract(even_b, odd_b);
    p[5] = w[2];
}

/// The gradients at six points to those of three weights: the transpose of the above.
INLINE void points_to_weight_gradient(const vector *p, vector *w) {
    const vector sum_a = times(scale_a, add(p[1], p[2]));
    const vector sum_b = times(scale_b, add(p[3], p[4]));
    const vector difference_a = times(scale_a * a, subtract(p[1], p[2]));
    const vector difference_b = times(scale_b * b, subtract(p[3], p[4]));
    w[0] = plus(scale_0, p[0], add(sum_a, sum_b));
    w[1] = add(difference_a, difference_b);
    w[2] = plus(a2, sum_a, plus(b2, sum_b, p[5]));
}

/// Where a tile is.
typedef struct {
    int image, row, column;
} position;

static position position_of(winograd_shape shape, int tile) {
    const int across = shape.side / side_of_tile, within = tile % (across * across);
    return (position){
        tile / (across * across), within / across * side_of_tile, within % across * side_of_tile};
}

/// The first element of a block of channels of an image.
static size_t block_offset(winograd_shape shape, int channels, int image, int block) {
    return ((size_t)image * (channels / lanes) + block) * shape.side * shape.side * lanes;
}

TARGET void winograd_transform_input(
    winograd_shape shape, const float *input, int first, int count, int place, int room,
    float *tiles
) {
    const int side = shape.side, channels = shape.inputs;
    const size_t plane = tiles_plane(room, channels);
    for (int tile = 0; tile < count; tile++) {
        const position at = position_of(shape, first + tile);
        // The window begins one pixel before the tile; what lies outside the image is 0.
        const int top = at.row - 1, left = at.column - 1;
        const int row_begin = top < 0, row_end = top + points > side ? points - 1 : points;
        const int column_begin = left < 0, column_end = left + points > side ? points - 1 : points;
        const int is_inside = row_end - row_begin == points && column_end - column_begin == points;
        const long corner = ((long)top * side + left) * lanes;
        vector window[points][points] = {0};
        for (int block = 0; block < channels / lanes; block++) {
            const float *from =
                input + block_offset(shape, channels, at.image, block) + corner;
            vector half[points][points];
            if (!is_inside)
                for (int i = row_begin; i < row_end; i++)
                    for (int j = column_begin; j < column_end; j++)
                        window[i][j] = load(from + ((size_t)i * side + j) * lanes);
            for (int j = 0; j < points; j++) {
                vector x[points], p[points];
                UNROLL for (int i = 0; i < points; i++)
                    x[i] = is_inside ? load(from + ((size_t)i * side + j) * lanes) : window[i][j];
                input_to_points(x, p);
                UNROLL for (int i = 0; i < points; i++) half[i][j] = p[i];
            }
            float *to = tiles + (size_t)(place + tile) * channels + block * lanes;
            for (int i = 0; i < points; i++) {
                vector p[points];
                input_to_points(half[i], p);
                UNROLL for (int j = 0; j < points; j++) store(to + (i * points + j) * plane, p[j]);
            }
        }
    }
}

TARGET void winograd_transform_gradient(
    winograd_shape shape, const float *gradient, int first, int count, int place, int room,
    float *tiles
) {
    const int side = shape.side, channels = shape.outputs;
    const size_t plane = tiles_plane(room, channels);
    for (int tile = 0; tile < count; tile++) {
        const position at = position_of(shape, first + tile);
        for (int block = 0; block < channels / lanes; block++) {
            const float *from = gradient + block_offset(shape, channels, at.image, block)
                + ((size_t)at.row * side + at.column) * lanes;
            vector half[points][side_of_tile];
            for (int j = 0; j < side_of_tile; j++) {
                vector y[side_of_tile], p[points];
                UNROLL for (int i = 0; i < side_of_tile; i++)
                    y[i] = load(from + ((size_t)i * side + j) * lanes);
                gradient_to_points(y, p);
                UNROLL for (int i = 0; i < points; i++) half[i][j] = p[i];
            }
            // Panels of 16 channels, as the right side of a product.
            float *to = tiles + ((size_t)(block / 2) * room + place + tile) * panel
                + block % 2 * lanes;
            for (int i = 0; i < points; i++) {
                vector p[points];
                gradient_to_points(half[i], p);
                UNROLL for (int j = 0; j < points; j++) store(to + (i * points + j) * plane, p[j]);
            }
        }
    }
}

/// Eight filters, of `lanes` output channels, to their points.
INLINE void filters_to_points(const float *filters, size_t step, float *to, size_t plane) {
    vector half[points][3];
    UNROLL for (int x = 0; x < 3; x++) {
        vector w[3], p[points];
        UNROLL for (int y = 0; y < 3; y++) w[y] = load(filters + (y * 3 + x) * step);
        weights_to_points(w, p);
        UNROLL for (int i = 0; i < points; i++) half[i][x] = p[i];
    }
    for (int i = 0; i < points; i++) {
        vector p[points];
        weights_to_points(half[i], p);
        UNROLL for (int j = 0; j < points; j++) store(to + (i * points + j) * plane, p[j]);
    }
}

TARGET void winograd_transform_weights(
    winograd_shape shape, const float *weights, int first, int last, int origin, int outputs,
    float *transformed
) {
    const int inputs = shape.inputs;
    const size_t plane = weights_plane(inputs, outputs);
    for (int output = first; output < last; output += panel)
        for (int input = 0; input < inputs; input++) {
            float *to = transformed
                + ((size_t)((output - origin) / panel) * inputs + input) * panel;
            for (int half = 0; half < 2; half++) {
                const size_t block =
                    (size_t)(output / lanes + half) * (inputs / lanes) + input / lanes;
                filters_to_points(
                    weights + block * 9 * lanes * lanes + input % lanes * lanes, lanes * lanes,
                    to + half * lanes, plane);
            }
        }
}

/// 8×8 numbers, rows to columns.
INLINE void transpose(const float *from, float *to) {
    vector r[8], s[8];
    UNROLL for (int i = 0; i < 8; i++) r[i] = load(from + i * lanes);
    UNROLL for (int i = 0; i < 8; i += 2) {
        s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        store(to + i * lanes, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        store(to + (i + 4) * lanes, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

TARGET void winograd_transform_turned_weights(
    winograd_shape shape, const float *weights, int first, int last, int origin, int outputs,
    float *transformed
) {
    const int inputs = shape.inputs;
    const size_t plane = weights_plane(inputs, outputs);
    float turned[2][9 * lanes * lanes] __attribute__((aligned(32)));
    for (int output = first; output < last; output += panel)
        for (int input = 0; input < inputs; input += lanes) {
            for (int half = 0; half < 2; half++) {
                // The weights' own outputs are the inputs here, and the other way round.
                const size_t block = (size_t)(input / lanes) * (shape.outputs / lanes)
                    + output / lanes + half;
                for (int k = 0; k < 9; k++)
                    transpose(
                        weights + (block * 9 + k) * lanes * lanes,
                        turned[half] + (8 - k) * lanes * lanes);
            }
            float *to = transformed
                + ((size_t)((output - origin) / panel) * inputs + input) * panel;
            for (int lane = 0; lane < lanes; lane++)
                for (int half = 0; half < 2; half++)
                    filters_to_points(
                        turned[half] + lane * lanes, lanes * lanes,
                        to + lane * panel + half * lanes, plane);
        }
}

/// A product of up to 6 rows and 16 columns: result (rows, 16) ← Σ left(row, i)·right(i, 16).
///
/// - row_step, step: between rows and between terms of `left`.
/// - result_step: between rows of `result`.
INLINE void multiply_rows(
    const int rows, int terms, const float *left, size_t row_step, size_t step,
    const float *right, float *result, size_t result_step, int adds
) {
    vector low[rows_at_once], high[rows_at_once];
    UNROLL for (int row = 0; row < rows; row++) {
        low[row] = adds ? load(result + row * result_step) : _mm256_setzero_ps();
        high[row] = adds ? load(result + row * result_step + lanes) : _mm256_setzero_ps();
    }
    // Two addresses instead of one, so that they are not computed one from the other six times.
    const float *left_3 = left + 3 * row_step;
    _Pragma("clang loop unroll_count(4)") for (int term = 0; term < terms; term++) {
        const vector right_low = load(right), right_high = load(right + lanes);
        right += panel;
        UNROLL for (int row = 0; row < rows; row++) {
            const float *at = row < 3 ? left + row * row_step : left_3 + (row - 3) * row_step;
            const vector factor = _mm256_broadcast_ss(at);
            low[row] = _mm256_fmadd_ps(factor, right_low, low[row]);
            high[row] = _mm256_fmadd_ps(factor, right_high, high[row]);
        }
        left += step;
        left_3 += step;
    }
    UNROLL for (int row = 0; row < rows; row++) {
        store(result + row * result_step, low[row]);
        store(result + row * result_step + lanes, high[row]);
    }
}

/// A product of any number of rows. One of `row_step` and `step` is a constant 1 where this is
/// used, which makes the innermost loop's addresses cheap.
INLINE void multiply_panel(
    int rows, int terms, const float *left, size_t row_step, size_t step, const float *right,
    float *result, size_t result_step, int adds
) {
    for (; rows >= rows_at_once; rows -= rows_at_once) {
        multiply_rows(
            rows_at_once, terms, left, row_step, step, right, result, result_step, adds);
        left += rows_at_once * row_step;
        result += rows_at_once * result_step;
    }
    switch (rows) {
#define REST(n) \
    case n: \
        multiply_rows(n, terms, left, row_step, step, right, result, result_step, adds); \
        break;
        REST(1) REST(2) REST(3) REST(4) REST(5)
#undef REST
    }
}

TARGET void winograd_multiply(
    winograd_shape shape, const float *tiles, const float *weights, int count, int room,
    int outputs, float *products
) {
    const int inputs = shape.inputs;
    for (int point = 0; point < planes; point++) {
        const float *left = tiles + point * tiles_plane(room, inputs);
        const float *right = weights + point * weights_plane(inputs, outputs);
        float *result = products + point * tiles_plane(room, outputs);
        for (int output = 0; output < outputs; output += panel)
            multiply_panel(
                count, inputs, left, inputs, 1, right + (size_t)output * inputs, result + output,
                outputs, 0);
    }
}

INLINE void store_output(
    winograd_shape shape, const float *products, int first, int count, int room, int origin,
    int outputs, const float *bias, const winograd_ending ending, float *output
) {
    const int side = shape.side;
    const size_t plane = tiles_plane(room, outputs);
    for (int tile = 0; tile < count; tile++) {
        const position at = position_of(shape, first + tile);
        for (int block = 0; block < outputs / lanes; block++) {
            const float *from = products + (size_t)tile * outputs + block * lanes;
            vector half[side_of_tile][points];
            for (int j = 0; j < points; j++) {
                vector p[points], y[side_of_tile];
                UNROLL for (int i = 0; i < points; i++) p[i] = load(from + (i * points + j) * plane);
                points_to_output(p, y);
                UNROLL for (int i = 0; i < side_of_tile; i++) half[i][j] = y[i];
            }
            float *to = output
                + block_offset(shape, shape.outputs, at.image, origin / lanes + block)
                + ((size_t)at.row * side + at.column) * lanes;
            const vector summand =
                ending == winograd_store ? all(0) : load(bias + origin + block * lanes);
            for (int i = 0; i < side_of_tile; i++) {
                vector y[side_of_tile];
                points_to_output(half[i], y);
                UNROLL for (int j = 0; j < side_of_tile; j++) {
                    float *pixel = to + ((size_t)i * side + j) * lanes;
                    vector value = y[j];
                    if (ending != winograd_store) value = add(value, summand);
                    if (ending == winograd_sum_bias_relu) value = add(value, load(pixel));
                    if (ending == winograd_bias_relu || ending == winograd_sum_bias_relu)
                        value = _mm256_max_ps(all(0), value);
                    store(pixel, value);
                }
            }
        }
    }
}

TARGET void winograd_store_output(
    winograd_shape shape, const float *products, int first, int count, int room, int origin,
    int outputs, const float *bias, winograd_ending ending, float *output
) {
    switch (ending) {
#define ENDING(name) \
    case name: \
        store_output( \
            shape, products, first, count, room, origin, outputs, bias, name, output); \
        break;
        ENDING(winograd_store)
        ENDING(winograd_bias)
        ENDING(winograd_bias_relu)
        ENDING(winograd_sum_bias_relu)
#undef ENDING
    }
}

TARGET void winograd_accumulate(
    winograd_shape shape, const float *input, const float *gradient, int count, int room,
    int first, int last, int origin, int outputs, int adds, float *weights
) {
    const int inputs = shape.inputs;
    for (int point = 0; point < planes; point++) {
        const float *left = input + point * tiles_plane(room, inputs);
        const float *right = gradient + point * tiles_plane(room, shape.outputs);
        float *result = weights + point * weights_plane(inputs, outputs);
        for (int output = first; output < last; output += panel)
            multiply_panel(
                inputs, count, left, 1, inputs, right + (size_t)output * room,
                result + (size_t)(output - origin) * inputs, panel, adds);
    }
}

TARGET void winograd_store_weight_gradient(
    winograd_shape shape, const float *transformed, int first, int last, int origin, int outputs,
    float *weight_gradient
) {
    const int inputs = shape.inputs;
    const size_t plane = weights_plane(inputs, outputs);
    for (int output = first; output < last; output += lanes)
        for (int input = 0; input < inputs; input++) {
            const int channel = output - origin;
            const float *from = transformed
                + ((size_t)(channel / panel) * inputs + input) * panel + channel % panel;
            vector half[3][points];
            for (int j = 0; j < points; j++) {
                vector p[points], w[3];
                UNROLL for (int i = 0; i < points; i++) p[i] = load(from + (i * points + j) * plane);
                points_to_weight_gradient(p, w);
                UNROLL for (int y = 0; y < 3; y++) half[y][j] = w[y];
            }
            float *to = weight_gradient
                + ((size_t)(output / lanes) * (inputs / lanes) + input / lanes) * 9 * lanes * lanes
                + input % lanes * lanes;
            for (int y = 0; y < 3; y++) {
                vector w[3];
                points_to_weight_gradient(half[y], w);
                UNROLL for (int x = 0; x < 3; x++) store(to + (y * 3 + x) * lanes * lanes, w[x]);
            }
        }
}

#else

#pragma clang diagnostic ignored "-Wunused-parameter"

// Not for this CPU: nothing below is called where `winograd_is_supported` says no.
int winograd_is_supported(void) { return 0; }
int winograd_tile_count(winograd_shape shape) { return 0; }
size_t winograd_tiles_size(int tiles, int channels) { return 0; }
size_t winograd_weights_size(int inputs, int outputs) { return 0; }
void winograd_transform_input(
    winograd_shape shape, const float *input, int first, int count, int place, int room,
    float *tiles
) {
    __builtin_trap();
}
void winograd_transform_gradient(
    winograd_shape shape, const float *gradient, int first, int count, int place, int room,
    float *tiles
) {
    __builtin_trap();
}
void winograd_transform_weights(
    winograd_shape shape, const float *weights, int first, int last, int origin, int outputs,
    float *transformed
) {
    __builtin_trap();
}
void winograd_transform_turned_weights(
    winograd_shape shape, const float *weights, int first, int last, int origin, int outputs,
    float *transformed
) {
    __builtin_trap();
}
void winograd_multiply(
    winograd_shape shape, const float *tiles, const float *weights, int count, int room,
    int outputs, float *products
) {
    __builtin_trap();
}
void winograd_store_output(
    winograd_shape shape, const float *products, int first, int count, int room, int origin,
    int outputs, const float *bias, winograd_ending ending, float *output
) {
    __builtin_trap();
}
void winograd_accumulate(
    winograd_shape shape, const float *input, const float *gradient, int count, int room,
    int first, int last, int origin, int outputs, int adds, float *weights
) {
    __builtin_trap();
}
void winograd_store_weight_gradient(
    winograd_shape shape, const float *transformed, int first, int last, int origin, int outputs,
    float *weight_gradient
) {
    __builtin_trap();
}

#endif
