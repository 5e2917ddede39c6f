#pragma once
#include <zlib.h>

/// inflateInit2 is a macro. Window bits of 15 + 16 read gzip, and only gzip.
static inline int alsweep_inflate_init_gzip(z_stream *stream) {
    return inflateInit2(stream, 15 + 16);
}
