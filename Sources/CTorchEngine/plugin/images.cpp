#include "images.hpp"

namespace alsweep {

namespace {

constexpr int64_t byte_values = 256;

}  // namespace

HeldImages::HeldImages(
    const alsweep_torch_images &images, int64_t image_channels, int64_t side,
    const Device &device)
    : count_(images.count), padding_(images.padding), side_(side), channels_(images.channels) {
    if (channels_ != 1 && channels_ != image_channels) {
        throw Refusal(ALSWEEP_TORCH_FAILED, "the images have other channels than the network");
    }
    const auto length = count_ * channels_ * side * side;
    pixels_ = at::from_blob(
                  const_cast<uint8_t *>(images.pixels), {length}, at::dtype(at::kByte))
                  .to(device.options(at::kByte), /*non_blocking=*/false, /*copy=*/true);
    values_ = device.upload(images.values, {image_channels * byte_values}, at::kFloat);
    const auto longs = device.options(at::kLong);
    steps_ = at::arange(side, longs);
    const auto channels = at::arange(image_channels, longs);
    sources_ = channels_ == 1 ? at::zeros_like(channels) : channels;
    tables_ = channels * byte_values;
}

void HeldImages::check(const alsweep_torch_view *views, int64_t count) const {
    for (int64_t place = 0; place < count; ++place) {
        const auto &view = views[place];
        const auto last = 2 * padding_;
        if (view.image < 0 || view.image >= count_ || view.column < 0 || view.column > last ||
            view.row < 0 || view.row > last) {
            throw Refusal(
                ALSWEEP_TORCH_FAILED,
                "image " + std::to_string(view.image) + " from column " +
                    std::to_string(view.column) + " and row " + std::to_string(view.row) +
                    " is none of the " + std::to_string(count_) + " images held");
        }
    }
}

at::Tensor HeldImages::batch(const at::Tensor &views) const {
    const auto batch = views.size(0);
    const auto numbers = views.to(at::kLong);
    const auto number = [&](int64_t field) { return numbers.select(1, field).unsqueeze(1); };
    // Where the pixels of the crop lie in the image, (batch, side); some lie in its padding.
    const auto columns = steps_ + (number(2) - padding_);
    const auto rows = steps_ + (number(3) - padding_);
    const auto is_inside = [&](const at::Tensor &places) {
        return places.ge(0).logical_and_(places.lt(side_));
    };
    const auto inside = is_inside(rows).unsqueeze(2).logical_and(is_inside(columns).unsqueeze(1));
    const auto mirrored = at::where(number(1).ne(0), side_ - 1 - columns, columns);
    const auto places = (rows.clamp(0, side_ - 1) * side_).unsqueeze(2) +
                        mirrored.clamp(0, side_ - 1).unsqueeze(1);
    // (batch, side, side, channels): channels-last from here on.
    const auto planes = number(0) * channels_ + sources_;
    const auto indices =
        planes.mul(side_ * side_).unsqueeze(1).unsqueeze(1) + places.unsqueeze(3);
    const auto bytes =
        pixels_.index_select(0, indices.reshape({-1})).view(indices.sizes()) * inside.unsqueeze(3);
    const auto entries = bytes.to(at::kLong) + tables_;
    return values_.index_select(0, entries.reshape({-1}))
        .view({batch, side_, side_, tables_.size(0)})
        .permute({0, 3, 1, 2});
}

}  // namespace alsweep
