#include "network.hpp"

namespace alsweep {

namespace {

constexpr auto channels_last = at::MemoryFormat::ChannelsLast;
/// Parameters begin at multiples of so many values: kernels load whole vectors.
constexpr int64_t alignment = 64;

at::Tensor masked(const at::Tensor &gradient, const at::Tensor &output) {
    return at::threshold_backward(gradient, output, 0);
}

/// The gradient of a 1×1 convolution's kernel as a product of matrices. oneDNN's own, in PyTorch 2.15 on
/// AVX-512, writes beside its memory for 8 channels and odd batches.
at::Tensor kernel_gradient(const at::Tensor &gradient, const at::Tensor &input, int64_t stride) {
    const auto rows = [](const at::Tensor &planes) {
        return planes.permute({0, 2, 3, 1}).reshape({-1, planes.size(1)});
    };
    const auto seen =
        input.slice(2, 0, input.size(2), stride).slice(3, 0, input.size(3), stride);
    return at::mm(rows(gradient).t(), rows(seen)).unsqueeze(2).unsqueeze(3);
}

}  // namespace

Description::Description(const alsweep_torch_setup &setup)
    : blocks(setup.blocks, setup.blocks + setup.block_count),
      linear(setup.linear),
      feature_count(setup.feature_count),
      class_count(setup.class_count),
      image_channels(setup.image_channels),
      image_side(setup.image_side),
      epsilon(setup.epsilon),
      statistics_momentum(setup.statistics_momentum) {
    for (int32_t place = 0; place < setup.unit_count; ++place) {
        const auto &unit = setup.units[place];
        units.push_back(
            {unit.convolution, unit.norm, unit.input_channels, unit.output_channels, unit.kernel,
             unit.stride});
    }
}

Parameters::Parameters(const Description &description, const Device &device) {
    struct Place {
        std::string name;
        int64_t first;
        std::vector<int64_t> shape;
    };
    std::vector<Place> places;
    int64_t count = 0;
    const auto add = [&](const std::string &name, std::vector<int64_t> shape) {
        int64_t length = 1;
        for (auto extent : shape) length *= extent;
        places.push_back({name, count, std::move(shape)});
        count += (length + alignment - 1) / alignment * alignment;
    };
    for (const auto &unit : description.units) {
        add(unit.convolution + ".weight",
            {unit.output_channels, unit.input_channels, unit.kernel, unit.kernel});
        add(unit.norm + ".weight", {unit.output_channels});
        add(unit.norm + ".bias", {unit.output_channels});
    }
    add(description.linear + ".weight", {description.class_count, description.feature_count});
    add(description.linear + ".bias", {description.class_count});

    values_ = at::zeros({count}, device.floats());
    gradients_ = at::zeros({count}, device.floats());
    velocity_ = at::zeros({count}, device.floats());
    factors_ = device.type() == at::kFloat
                   ? values_
                   : at::zeros({count}, device.options(device.type()));
    for (const auto &place : places) {
        const auto view = [&](const at::Tensor &all) {
            int64_t length = 1;
            for (auto extent : place.shape) length *= extent;
            const auto part = all.narrow(0, place.first, length);
            if (place.shape.size() != 4) return part.view(place.shape);
            const auto &shape = place.shape;
            return part.view({shape[0], shape[2], shape[3], shape[1]}).permute({0, 3, 1, 2});
        };
        entries_[place.name] = {view(values_), view(gradients_), view(factors_)};
    }
}

const Parameters::Entry *Parameters::find(const std::string &name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : &found->second;
}

void Parameters::round() {
    if (!factors_.is_same(values_)) factors_.copy_(values_);
}

void Parameters::update(
    const at::Tensor &learning_rate, const at::Tensor &momentum, const at::Tensor &weight_decay) {
    // The gradients stay as they are, for who looks at them. The order is that of alsweep's own optimiser.
    velocity_.mul_(momentum).add_(at::addcmul(gradients_, values_, weight_decay));
    values_.addcmul_(velocity_, learning_rate, -1);
    round();
}

Network::Network(const Description &description, const Device &device)
    : parameters(description, device), description_(description), device_(device) {
    for (const auto &unit : description.units) {
        statistics_.push_back(
            {at::zeros({unit.output_channels}, device.floats()),
             at::zeros({unit.output_channels}, device.floats())});
    }
    classes_ = at::arange(description.class_count, device.options(at::kLong));
}

at::Tensor Network::tensor(const std::string &name) const {
    if (const auto *entry = parameters.find(name)) return entry->value;
    for (size_t place = 0; place < statistics_.size(); ++place) {
        const auto &norm = description_.units[place].norm;
        if (name == norm + ".running_mean") return statistics_[place].mean;
        if (name == norm + ".running_var") return statistics_[place].variance;
    }
    return {};
}

void Network::changed() {
    factors_are_stale_ = true;
    folded_is_stale_ = true;
}

void Network::begin_step() {
    if (factors_are_stale_) parameters.round();
    factors_are_stale_ = false;
    folded_is_stale_ = true;
}

at::Tensor Network::pass(
    const at::Tensor &images, const at::Tensor &labels, const Observer &observer) {
    UnitTrace stem_trace;
    const auto stem =
        forward(0, images.to(device_.type()).contiguous(channels_last), stem_trace).relu_();
    std::vector<BlockTrace> traces(description_.blocks.size());
    auto output = stem;
    for (size_t place = 0; place < traces.size(); ++place) {
        output = forward(description_.blocks[place], output, traces[place]);
    }
    auto [loss, gradient] = head(output, labels);
    output.reset();
    if (observer) observe(observer, stem, traces);
    for (size_t place = traces.size(); place-- > 0;) {
        gradient = backward(description_.blocks[place], gradient, traces[place]);
        // Its memory is needed for the gradients of the blocks before it.
        traces[place] = BlockTrace{};
    }
    backward(0, masked(gradient, stem), stem_trace);
    return loss;
}

at::Tensor Network::forward(size_t place, const at::Tensor &input, UnitTrace &trace) {
    const auto &unit = description_.units[place];
    trace.input = input;
    trace.convolved = at::conv2d(
        input, parameters[unit.convolution + ".weight"].factor, {}, {unit.stride, unit.stride},
        {unit.kernel / 2, unit.kernel / 2});
    at::Tensor output;
    std::tie(
        output, trace.mean, trace.inverse_deviation, trace.reserve, trace.implementation) =
        at::_batch_norm_impl_index(
            trace.convolved, parameters[unit.norm + ".weight"].value,
            parameters[unit.norm + ".bias"].value, statistics_[place].mean,
            statistics_[place].variance, /*training=*/true, description_.statistics_momentum,
            description_.epsilon, /*cudnn_enabled=*/true);
    return output;
}

at::Tensor Network::backward(size_t place, const at::Tensor &gradient, UnitTrace &trace) {
    const auto &unit = description_.units[place];
    const auto &scale = parameters[unit.norm + ".weight"];
    auto [convolved, scales, shifts] = at::_batch_norm_impl_index_backward(
        trace.implementation, trace.convolved, gradient, scale.value, statistics_[place].mean,
        statistics_[place].variance, trace.mean, trace.inverse_deviation, /*train=*/true,
        description_.epsilon, {true, true, true}, trace.reserve);
    trace.convolved.reset();
    scale.gradient.copy_(scales);
    parameters[unit.norm + ".bias"].gradient.copy_(shifts);

    const auto &weights = parameters[unit.convolution + ".weight"];
    const bool is_first = place == 0;
    const bool multiplies = unit.kernel == 1 && !device_.is_gpu();
    auto [input, kernels, bias] = at::convolution_backward(
        convolved, trace.input, weights.factor, at::OptionalIntArrayRef(),
        {unit.stride, unit.stride}, {unit.kernel / 2, unit.kernel / 2}, {1, 1}, false, {0, 0}, 1,
        {!is_first, !multiplies, false});
    if (multiplies) kernels = kernel_gradient(convolved, trace.input, unit.stride);
    weights.gradient.copy_(kernels);
    return input;
}

at::Tensor Network::forward(
    const alsweep_torch_block &block, const at::Tensor &input, BlockTrace &trace) {
    trace.hidden = forward(block.first, input, trace.first).relu_();
    trace.output = forward(block.second, trace.hidden, trace.second);
    trace.output.add_(
        block.shortcut < 0 ? input : forward(block.shortcut, input, trace.shortcut));
    trace.output.relu_();
    return trace.output;
}

at::Tensor Network::backward(
    const alsweep_torch_block &block, at::Tensor gradient, BlockTrace &trace) {
    gradient = masked(gradient, trace.output);
    const auto hidden = masked(backward(block.second, gradient, trace.second), trace.hidden);
    auto input = backward(block.first, hidden, trace.first);
    if (block.shortcut < 0) return input.add_(gradient);
    return input.add_(backward(block.shortcut, gradient, trace.shortcut));
}

std::pair<at::Tensor, at::Tensor> Network::head(
    const at::Tensor &output, const at::Tensor &labels) {
    const auto &weights = parameters[description_.linear + ".weight"];
    const auto &bias = parameters[description_.linear + ".bias"];
    const auto features = output.mean({2, 3}, false, at::kFloat);
    logits_ = at::addmm(bias.value, features, weights.value.t());

    const auto logarithms = at::_log_softmax(logits_, 1, false);
    const auto is_label = labels.unsqueeze(1).eq(classes_);
    const auto batch = static_cast<double>(output.size(0));
    auto loss = at::where(is_label, logarithms, 0.0).sum().div_(-batch);
    const auto gradient = logarithms.exp().sub_(is_label.to(at::kFloat)).div_(batch);

    at::mm_out(const_cast<at::Tensor &>(weights.gradient), gradient.t(), features);
    bias.gradient.copy_(gradient.sum(0));
    const auto area = static_cast<double>(output.size(2) * output.size(3));
    const auto pixels = at::mm(gradient, weights.value).div_(area).to(device_.type());
    return {
        loss, pixels.unsqueeze(2).unsqueeze(3).expand(output.sizes()).contiguous(channels_last)};
}

void Network::observe(
    const Observer &observer, const at::Tensor &stem,
    const std::vector<BlockTrace> &traces) const {
    observer(description_.units[0].norm, stem);
    for (size_t place = 0; place < traces.size(); ++place) {
        const auto &block = description_.blocks[place];
        observer(description_.units[block.first].norm, traces[place].hidden);
        observer(description_.units[block.second].norm, traces[place].output);
    }
}

void Network::fold() {
    folded_.clear();
    for (size_t place = 0; place < description_.units.size(); ++place) {
        const auto &unit = description_.units[place];
        const auto &statistics = statistics_[place];
        const auto scale = parameters[unit.norm + ".weight"].value /
                           (statistics.variance + description_.epsilon).sqrt();
        const auto weights =
            parameters[unit.convolution + ".weight"].value * scale.view({-1, 1, 1, 1});
        const auto bias = parameters[unit.norm + ".bias"].value - statistics.mean * scale;
        folded_.push_back(
            {weights.to(device_.type()).contiguous(channels_last), bias.to(device_.type())});
    }
    folded_is_stale_ = false;
}

at::Tensor Network::scored(size_t place, const at::Tensor &input) const {
    const auto &unit = description_.units[place];
    return at::conv2d(
        input, folded_[place].weights, folded_[place].bias, {unit.stride, unit.stride},
        {unit.kernel / 2, unit.kernel / 2});
}

std::pair<at::Tensor, at::Tensor> Network::score(const at::Tensor &images) {
    if (folded_is_stale_) fold();
    auto output = scored(0, images.to(device_.type()).contiguous(channels_last)).relu_();
    for (const auto &block : description_.blocks) {
        auto sum = scored(block.second, scored(block.first, output).relu_());
        sum.add_(block.shortcut < 0 ? output : scored(block.shortcut, output));
        output = sum.relu_();
    }
    const auto features = output.mean({2, 3}, false, at::kFloat);
    const auto logits = at::addmm(
        parameters[description_.linear + ".bias"].value, features,
        parameters[description_.linear + ".weight"].value.t());
    return {logits, features};
}

}  // namespace alsweep
