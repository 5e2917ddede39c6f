// Products of transformed tiles and weights.

/// A product of some rows and a panel's columns: result (rows, panel) ← Σ left(row, i)·right(i, panel).
///
/// - row_step, step: between rows and between terms of `left`.
/// - result_step: between rows of `result`.
INLINE void multiply_rows(
    const int rows, int terms, const float *left, size_t row_step, size_t step,
    const float *right, float *result, size_t result_step, int adds
) {
    vector low[rows_at_once], high[rows_at_once];
    UNROLL for (int row = 0; row < rows; row++) {
        low[row] = adds ? load(result + row * result_step) : all(0);
        high[row] = adds ? load(result + row * result_step + lanes) : all(0);
    }
    // An address for every three rows, so that each is one addition away from its row.
    const float *third_rows[rows_at_once / 3];
    UNROLL for (int third = 0; third < rows_at_once / 3; third++)
        third_rows[third] = left + 3 * third * row_step;
    _Pragma("clang loop unroll_count(4)") for (int term = 0; term < terms; term++) {
        const vector right_low = load(right), right_high = load(right + lanes);
        right += panel;
        UNROLL for (int row = 0; row < rows; row++) {
            const vector factor = all(third_rows[row / 3][row % 3 * row_step]);
            low[row] = multiply_add(factor, right_low, low[row]);
            high[row] = multiply_add(factor, right_high, high[row]);
        }
        UNROLL for (int third = 0; third < rows_at_once / 3; third++) third_rows[third] += step;
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
    while (rows > 0) {
        int done = rows < 6 ? rows : 6;
        if (rows >= rows_at_once) done = rows_at_once;
        switch (done) {
#define ROWS(n) \
    case n: \
        multiply_rows(n, terms, left, row_step, step, right, result, result_step, adds); \
        break;
            ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#if MOST_ROWS > 6
            ROWS(MOST_ROWS)
#endif
#undef ROWS
        }
        rows -= done;
        left += done * row_step;
        result += done * result_step;
    }
}

TARGET static void multiply_tiles(
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

TARGET static void accumulate(
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
