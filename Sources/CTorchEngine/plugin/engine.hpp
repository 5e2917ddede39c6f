#pragma once

#include <memory>
#include <vector>

#include "images.hpp"
#include "network.hpp"

namespace alsweep {

/// A network that is trained and asked, by images given or held.
class Engine {
public:
    /// - Parameter device: outlives the engine, all of whose calls are in its scope.
    Engine(const alsweep_torch_setup &setup, const Device &device);

    Network &network() { return network_; }

    /// A parameter or statistic; throws where there is none, or it has another number of values.
    at::Tensor tensor(const std::string &name, int64_t count);
    at::Tensor gradient(const std::string &name, int64_t count);

    int32_t hold(const alsweep_torch_images &images);
    void train(
        int32_t set, const alsweep_torch_view *views, const int32_t *labels, int64_t count,
        int64_t batch, alsweep_torch_sgd sgd);
    void take_losses(float *losses, int64_t count);
    void score(
        int32_t set, const alsweep_torch_view *views, int64_t count, float *logits,
        float *features);
    void assemble(int32_t set, const alsweep_torch_view *views, int64_t count, float *images);

    double train_images(
        const float *images, const int32_t *labels, int64_t count, alsweep_torch_sgd sgd,
        const Network::Observer &observer);
    void score_images(const float *images, int64_t count, float *logits, float *features);

    double matrix_peak();

private:
    /// The step on full batches of one set, on tensors that stay where they are.
    struct FullStep {
        int32_t set;
        int64_t batch;
        at::Tensor views;
        at::Tensor labels;
        at::Tensor loss;
        RecordedStep recorded;
    };

    const HeldImages &held(int32_t set) const;
    at::Tensor upload(const alsweep_torch_view *views, int64_t count) const;
    void prepare(alsweep_torch_sgd sgd);
    at::Tensor step(
        const at::Tensor &images, const at::Tensor &labels, const Network::Observer &observer);
    FullStep &full_step(int32_t set, int64_t batch);
    void keep(const at::Tensor &loss);
    /// Scores in parts; `images` gives those of a part by its first and its number.
    void score(
        int64_t count, const std::function<at::Tensor(int64_t, int64_t)> &images, float *logits,
        float *features);
    at::Tensor from_host(const float *images, int64_t count) const;

    Description description_;
    const Device &device_;
    Network network_;
    std::vector<HeldImages> sets_;
    std::unique_ptr<FullStep> full_step_;
    /// The optimiser's numbers on the device, where a recorded step reads them.
    at::Tensor learning_rate_;
    at::Tensor momentum_;
    at::Tensor weight_decay_;
    /// Of the steps since they were taken, on the device.
    at::Tensor losses_;
    int64_t loss_count_ = 0;
};

}  // namespace alsweep
