// The functions of `winograd_kernels`, for the vectors that the including file defines:
//
// - `TARGET`: the attribute that lets a function use them; `INLINE`: that of one to be inlined.
// - `vector`, `lanes`: their type, and the floats in one.
// - `MOST_ROWS`: the rows of a product whose sums fit into registers, a multiple of 3.
// - `all`, `load`, `store`, `add`, `subtract`, `multiply`, `multiply_add`, `subtract_product`,
//   `larger`: an instruction each.
// - `transpose`: of a square of `lanes` rows and columns.
// - `element`, `load_element`, `store_element`: the type of activations, and the way to and from vectors.
// - `load_weights`: as many weights as they are multiplied with.

enum { panel = 2 * lanes, rows_at_once = MOST_ROWS, side_of_tile = winograd_tile_side };

#include "points.h"
#include "tiles.h"
#include "filters.h"
#include "products.h"

static const winograd_kernels kernels = {
    .element_size = sizeof(element),
    .lanes = lanes,
    .panel = panel,
    .rows = rows_at_once,
    .transform_input = transform_input,
    .transform_gradient = transform_gradient,
    .transform_weights = transform_weights,
    .transform_turned_weights = transform_turned_weights,
    .multiply = multiply_tiles,
    .store_output = store_output,
    .accumulate = accumulate,
    .store_weight_gradient = store_weight_gradient,
};
