#ifndef ALSWEEP_CHANNEL_SUMS_H
#define ALSWEEP_CHANNEL_SUMS_H

#include <stdbool.h>

#pragma clang assume_nonnull begin

/// How a tensor's elements lie: (batch, channels/lanes, pixels, lanes), the last block filled up. Channels-last
/// tensors are one block of all channels, and NCHW has one lane.
typedef struct {
    int channels, pixels, lanes;
    /// Whether elements are bfloat16, and float32 if not.
    bool is_bfloat16;
} channel_layout;

/// The sums of every channel's values and of their squares, image by image, in double precision.
///
/// Squares of float32 are exact in double precision, so the results depend neither on the CPU nor on
/// whether it fuses additions into multiplications.
///
/// - images: the first of those that are summed up, and the one after the last.
/// - sums: `(batch, 2, channels)`; the images' own are overwritten.
void channel_sums(
    const void *values, channel_layout layout, int first_image, int end_image, double *sums);

#pragma clang assume_nonnull end

#endif
