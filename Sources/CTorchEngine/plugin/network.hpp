#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "alsweep_torch.h"
#include "device.hpp"

namespace alsweep {

/// A copy of `alsweep_torch_setup` that owns its strings.
struct Description {
    struct Unit {
        std::string convolution;
        std::string norm;
        int64_t input_channels;
        int64_t output_channels;
        int64_t kernel;
        int64_t stride;
    };

    std::vector<Unit> units;
    std::vector<alsweep_torch_block> blocks;
    std::string linear;
    int64_t feature_count;
    int64_t class_count;
    int64_t image_channels;
    int64_t image_side;
    double epsilon;
    double statistics_momentum;

    explicit Description(const alsweep_torch_setup &setup);
};

/// All trained values in one float32 buffer, with another for their gradients and one for the momentum, so
/// that the optimiser is a few kernels whatever the number of layers. Kernels of convolutions lie
/// channels-last.
class Parameters {
public:
    struct Entry {
        at::Tensor value;
        at::Tensor gradient;
        /// The value in the type of the products.
        at::Tensor factor;
    };

    Parameters(const Description &description, const Device &device);

    const Entry &operator[](const std::string &name) const { return entries_.at(name); }
    /// nullptr where there is none of this name.
    const Entry *find(const std::string &name) const;

    void clear_velocity() { velocity_.zero_(); }
    /// Brings the factors up to date with the values.
    void round();
    /// - Parameters: tensors of one float32 value each, on the device.
    void update(
        const at::Tensor &learning_rate, const at::Tensor &momentum,
        const at::Tensor &weight_decay);

private:
    std::unordered_map<std::string, Entry> entries_;
    at::Tensor values_;
    at::Tensor gradients_;
    at::Tensor velocity_;
    at::Tensor factors_;
};

/// The network's passes: activations are channels-last in the device's type, logits and loss float32.
class Network {
public:
    using Observer = std::function<void(const std::string &norm, const at::Tensor &output)>;

    Network(const Description &description, const Device &device);

    Parameters parameters;

    /// A parameter's or running statistic's values; undefined where there is none of this name.
    at::Tensor tensor(const std::string &name) const;
    /// To be called when parameters or statistics were written.
    void changed();
    /// To be called before steps: what the host does for them, which is not recorded with a step.
    void begin_step();

    /// Forward and backward pass, which leave the gradients and move the running statistics.
    ///
    /// - Parameters:
    ///   - images: `(batch, channels, side, side)`, normalised.
    ///   - labels: int64 `(batch)`.
    ///   - observer: may be empty; told of every relu's output between the passes.
    /// - Returns: the mean cross-entropy, one value.
    at::Tensor pass(const at::Tensor &images, const at::Tensor &labels, const Observer &observer);
    /// Of the last pass, `(batch, classes)`.
    const at::Tensor &logits() const { return logits_; }

    /// With running statistics, folded into the convolutions.
    ///
    /// - Returns: logits `(batch, classes)` and features `(batch, features)`, float32.
    std::pair<at::Tensor, at::Tensor> score(const at::Tensor &images);

private:
    struct Statistics {
        at::Tensor mean;
        at::Tensor variance;
    };

    /// What a unit's backward pass needs of its forward pass.
    struct UnitTrace {
        at::Tensor input;
        at::Tensor convolved;
        at::Tensor mean;
        at::Tensor inverse_deviation;
        at::Tensor reserve;
        int64_t implementation;
    };

    struct BlockTrace {
        UnitTrace first;
        UnitTrace second;
        UnitTrace shortcut;
        at::Tensor hidden;
        at::Tensor output;
    };

    struct Folded {
        at::Tensor weights;
        at::Tensor bias;
    };

    at::Tensor forward(size_t unit, const at::Tensor &input, UnitTrace &trace);
    /// - Returns: the input's gradient; undefined for the first unit, whose input has none.
    at::Tensor backward(size_t unit, const at::Tensor &gradient, UnitTrace &trace);
    at::Tensor forward(const alsweep_torch_block &block, const at::Tensor &input, BlockTrace &);
    at::Tensor backward(const alsweep_torch_block &block, at::Tensor gradient, BlockTrace &);
    /// - Returns: the loss, and the gradient of the last block's output.
    std::pair<at::Tensor, at::Tensor> head(const at::Tensor &output, const at::Tensor &labels);
    void fold();
    at::Tensor scored(size_t unit, const at::Tensor &input) const;
    void observe(
        const Observer &observer, const at::Tensor &stem,
        const std::vector<BlockTrace> &traces) const;

    const Description &description_;
    const Device &device_;
    std::vector<Statistics> statistics_;
    std::vector<Folded> folded_;
    bool factors_are_stale_ = true;
    bool folded_is_stale_ = true;
    at::Tensor classes_;
    at::Tensor logits_;
};

}  // namespace alsweep
