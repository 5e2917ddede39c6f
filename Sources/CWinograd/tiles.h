// From blocks of channels to transformed tiles, and back.

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

/// Transforms one tile's window of a block of channels.
///
/// - from: the window's first pixel, which may lie outside the image.
/// - missing_rows, missing_columns: bits of the window's rows and columns outside the image, which
///   are 0 instead.
/// - to: of the tile's first point.
INLINE void transform_window(
    const element *from, int side, const unsigned missing_rows, const unsigned missing_columns,
    float *to, size_t plane
) {
    vector half[points][points];
    UNROLL for (int j = 0; j < points; j++) {
        vector x[points], p[points];
        UNROLL for (int i = 0; i < points; i++) {
            const unsigned is_missing = (missing_rows >> i | missing_columns >> j) & 1;
            x[i] = is_missing ? all(0) : load_element(from + ((size_t)i * side + j) * lanes);
        }
        input_to_points(x, p);
        UNROLL for (int i = 0; i < points; i++) half[i][j] = p[i];
    }
    UNROLL for (int i = 0; i < points; i++) {
        vector p[points];
        input_to_points(half[i], p);
        UNROLL for (int j = 0; j < points; j++) store(to + (i * points + j) * plane, p[j]);
    }
}

TARGET static void transform_input(
    winograd_shape shape, const void *input, int first, int count, int place, int room, float *tiles
) {
    const int side = shape.side, channels = shape.inputs;
    const size_t plane = tiles_plane(room, channels);
    for (int tile = 0; tile < count; tile++) {
        const position at = position_of(shape, first + tile);
        // The window begins one pixel before the tile and ends one after it.
        const int top = at.row - 1, left = at.column - 1;
        const unsigned last = 1u << (points - 1);
        const unsigned rows = (top < 0 ? 1 : 0) | (top + points > side ? last : 0);
        const unsigned columns = (left < 0 ? 1 : 0) | (left + points > side ? last : 0);
        for (int block = 0; block < channels / lanes; block++) {
            const element *from = (const element *)input + block_offset(shape, channels, at.image, block)
                + ((long)top * side + left) * lanes;
            float *to = tiles + (size_t)(place + tile) * channels + block * lanes;
            if (rows == 0 && columns == 0)
                transform_window(from, side, 0, 0, to, plane);
            else
                transform_window(from, side, rows, columns, to, plane);
        }
    }
}

TARGET static void transform_gradient(
    winograd_shape shape, const void *gradient, int first, int count, int from, int to, int room,
    float *tiles
) {
    const int side = shape.side, channels = shape.outputs;
    const size_t plane = tiles_plane(room, channels);
    for (int tile = 0; tile < count; tile++) {
        const position at = position_of(shape, first + tile);
        for (int block = from / lanes; block < to / lanes; block++) {
            const element *pixels = (const element *)gradient
                + block_offset(shape, channels, at.image, block)
                + ((size_t)at.row * side + at.column) * lanes;
            vector half[points][side_of_tile];
            for (int j = 0; j < side_of_tile; j++) {
                vector y[side_of_tile], p[points];
                UNROLL for (int i = 0; i < side_of_tile; i++)
                    y[i] = load_element(pixels + ((size_t)i * side + j) * lanes);
                gradient_to_points(y, p);
                UNROLL for (int i = 0; i < points; i++) half[i][j] = p[i];
            }
            // Panels of channels, as the right side of a product.
            float *transformed = tiles + ((size_t)(block / 2) * room + tile) * panel
                + block % 2 * lanes;
            for (int i = 0; i < points; i++) {
                vector p[points];
                gradient_to_points(half[i], p);
                UNROLL for (int j = 0; j < points; j++) store(transformed + (i * points + j) * plane, p[j]);
            }
        }
    }
}

INLINE void store_tiles(
    winograd_shape shape, const float *products, int first, int count, int room, int origin,
    int outputs, const float *bias, const winograd_ending ending, element *output
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
            element *to = output
                + block_offset(shape, shape.outputs, at.image, origin / lanes + block)
                + ((size_t)at.row * side + at.column) * lanes;
            const vector summand =
                ending == winograd_store ? all(0) : load(bias + origin + block * lanes);
            for (int i = 0; i < side_of_tile; i++) {
                vector y[side_of_tile];
                points_to_output(half[i], y);
                UNROLL for (int j = 0; j < side_of_tile; j++) {
                    element *pixel = to + ((size_t)i * side + j) * lanes;
                    vector value = y[j];
                    if (ending != winograd_store) value = add(value, summand);
                    if (ending == winograd_sum_bias_relu) value = add(value, load_element(pixel));
                    if (ending == winograd_bias_relu || ending == winograd_sum_bias_relu)
                        value = larger(all(0), value);
                    store_element(pixel, value);
                }
            }
        }
    }
}

TARGET static void store_output(
    winograd_shape shape, const float *products, int first, int count, int room, int origin,
    int outputs, const float *bias, winograd_ending ending, void *output
) {
    switch (ending) {
#define ENDING(name) \
    case name: \
        store_tiles( \
            shape, products, first, count, room, origin, outputs, bias, name, output); \
        break;
        ENDING(winograd_store)
        ENDING(winograd_bias)
        ENDING(winograd_bias_relu)
        ENDING(winograd_sum_bias_relu)
#undef ENDING
    }
}
