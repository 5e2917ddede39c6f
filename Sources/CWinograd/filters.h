// From weights to transformed weights, and back.

/// As many filters as a vector has lanes, of as many output channels, to their points.
INLINE void filters_to_points(const float *filters, size_t step, float *to, size_t plane) {
    vector half[points][3];
    UNROLL for (int x = 0; x < 3; x++) {
        vector w[3], p[points];
        UNROLL for (int y = 0; y < 3; y++) w[y] = load_weights(filters + (y * 3 + x) * step);
        weights_to_points(w, p);
        UNROLL for (int i = 0; i < points; i++) half[i][x] = p[i];
    }
    for (int i = 0; i < points; i++) {
        vector p[points];
        weights_to_points(half[i], p);
        UNROLL for (int j = 0; j < points; j++) store(to + (i * points + j) * plane, p[j]);
    }
}

TARGET static void transform_weights(
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

TARGET static void transform_turned_weights(
    winograd_shape shape, const float *weights, int first, int last, int origin, int outputs,
    float *transformed
) {
    const int inputs = shape.inputs;
    const size_t plane = weights_plane(inputs, outputs);
    float turned[2][9 * lanes * lanes] __attribute__((aligned(64)));
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

TARGET static void store_weight_gradient(
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
