#include "common.h"

// Planes a power of two apart would all fall into the same lines of the caches.
enum { gap = 16 };

int winograd_tile_count(winograd_shape shape) {
    const int across = shape.side / winograd_tile_side;
    return shape.batch * across * across;
}

size_t winograd_tiles_size(int tiles, int channels) {
    return planes * ((size_t)tiles * channels + gap);
}

size_t winograd_weights_size(int inputs, int outputs) {
    return planes * ((size_t)inputs * outputs + gap);
}
