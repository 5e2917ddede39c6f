#pragma once

#include "alsweep_torch.h"
#include "device.hpp"

namespace alsweep {

/// Images as bytes on the device, from which batches are made there.
class HeldImages {
public:
    /// - Parameters:
    ///   - image_channels: of the batches; more than one may be made of one.
    ///   - side: of the images, in pixels.
    HeldImages(
        const alsweep_torch_images &images, int64_t image_channels, int64_t side,
        const Device &device);

    /// Throws on a view that is none of these images.
    void check(const alsweep_torch_view *views, int64_t count) const;

    /// Mirrored, cropped and normalised.
    ///
    /// - Parameter views: int32 `(count, 4)` on the device, its rows as `alsweep_torch_view`.
    /// - Returns: float32 `(count, channels, side, side)`, channels-last.
    at::Tensor batch(const at::Tensor &views) const;

private:
    int64_t count_;
    int64_t padding_;
    int64_t side_;
    /// One after the other.
    at::Tensor pixels_;
    /// The normalised values, one table after the other.
    at::Tensor values_;
    /// 0 to side − 1.
    at::Tensor steps_;
    /// Of every channel of a batch: its place in an image of the set, and its table's place.
    at::Tensor sources_;
    at::Tensor tables_;
    int64_t channels_;
};

}  // namespace alsweep
