#ifndef ALSWEEP_WINOGRAD_COMMON_H
#define ALSWEEP_WINOGRAD_COMMON_H

#include "winograd.h"

#define UNROLL _Pragma("clang loop unroll(full)")

enum { points = winograd_tile_side + 2, planes = points * points };

/// The floats from one point's tiles, or weights, to the next one's.
static inline size_t tiles_plane(int tiles, int channels) {
    return winograd_tiles_size(tiles, channels) / planes;
}
static inline size_t weights_plane(int inputs, int outputs) {
    return winograd_weights_size(inputs, outputs) / planes;
}

#endif
