#include "engine.hpp"

#include <chrono>

namespace alsweep {

namespace {

/// Images that are scored at once, which bounds the memory: on a GPU some hundred MiB at width 64.
constexpr int64_t gpu_scoring_batch = 1024;
constexpr int64_t cpu_scoring_batch = 128;

constexpr int64_t first_loss_capacity = 1024;
constexpr int64_t view_fields = sizeof(alsweep_torch_view) / sizeof(int32_t);

}  // namespace

Engine::Engine(const alsweep_torch_setup &setup, const Device &device)
    : description_(setup),
      device_(device),
      network_(description_, device),
      learning_rate_(at::zeros({}, device.floats())),
      momentum_(at::zeros({}, device.floats())),
      weight_decay_(at::zeros({}, device.floats())),
      losses_(at::zeros({first_loss_capacity}, device.floats())) {}

at::Tensor Engine::tensor(const std::string &name, int64_t count) {
    const auto tensor = network_.tensor(name);
    if (!tensor.defined() || tensor.numel() != count) {
        throw Refusal(
            ALSWEEP_TORCH_FAILED, "the network has no tensor '" + name + "' of " +
                                      std::to_string(count) + " values");
    }
    return tensor;
}

at::Tensor Engine::gradient(const std::string &name, int64_t count) {
    const auto *entry = network_.parameters.find(name);
    if (entry == nullptr || entry->gradient.numel() != count) {
        throw Refusal(
            ALSWEEP_TORCH_FAILED, "the network has no parameter '" + name + "' of " +
                                      std::to_string(count) + " values");
    }
    return entry->gradient;
}

int32_t Engine::hold(const alsweep_torch_images &images) {
    sets_.emplace_back(images, description_.image_channels, description_.image_side, device_);
    return static_cast<int32_t>(sets_.size()) - 1;
}

const HeldImages &Engine::held(int32_t set) const {
    if (set < 0 || static_cast<size_t>(set) >= sets_.size()) {
        throw Refusal(ALSWEEP_TORCH_FAILED, "no set " + std::to_string(set) + " is held");
    }
    return sets_[set];
}

at::Tensor Engine::upload(const alsweep_torch_view *views, int64_t count) const {
    return device_.upload(views, {count, view_fields}, at::kInt);
}

void Engine::prepare(alsweep_torch_sgd sgd) {
    network_.begin_step();
    learning_rate_.fill_(sgd.learning_rate);
    momentum_.fill_(sgd.momentum);
    weight_decay_.fill_(sgd.weight_decay);
}

at::Tensor Engine::step(
    const at::Tensor &images, const at::Tensor &labels, const Network::Observer &observer) {
    const auto loss = network_.pass(images, labels.to(at::kLong), observer);
    network_.parameters.update(learning_rate_, momentum_, weight_decay_);
    return loss;
}

void Engine::train(
    int32_t set, const alsweep_torch_view *views, const int32_t *labels, int64_t count,
    int64_t batch, alsweep_torch_sgd sgd) {
    const auto &images = held(set);
    images.check(views, count);
    if (batch < 1) throw Refusal(ALSWEEP_TORCH_FAILED, "a batch has at least one image");
    const auto all_views = upload(views, count);
    const auto all_labels = device_.upload(labels, {count}, at::kInt);
    prepare(sgd);
    for (int64_t first = 0; first < count; first += batch) {
        const auto length = std::min(batch, count - first);
        const auto part_views = all_views.narrow(0, first, length);
        const auto part_labels = all_labels.narrow(0, first, length);
        if (length < batch) {
            keep(step(images.batch(part_views), part_labels, {}));
            continue;
        }
        auto &full = full_step(set, batch);
        full.views.copy_(part_views);
        full.labels.copy_(part_labels);
        full.recorded.run([&] {
            full.loss.copy_(step(images.batch(full.views), full.labels, {}));
        });
        keep(full.loss);
    }
}

Engine::FullStep &Engine::full_step(int32_t set, int64_t batch) {
    if (!full_step_ || full_step_->set != set || full_step_->batch != batch) {
        // What was recorded may still be running in the memory that it gives back.
        device_.wait();
        full_step_.reset(new FullStep{
            set, batch, at::zeros({batch, view_fields}, device_.options(at::kInt)),
            at::zeros({batch}, device_.options(at::kInt)), at::zeros({}, device_.floats()),
            RecordedStep(device_)});
    }
    return *full_step_;
}

void Engine::keep(const at::Tensor &loss) {
    if (loss_count_ == losses_.size(0)) {
        losses_ = at::cat({losses_, at::zeros_like(losses_)});
    }
    losses_.narrow(0, loss_count_, 1).copy_(loss.view({1}));
    ++loss_count_;
}

void Engine::take_losses(float *losses, int64_t count) {
    if (count != loss_count_) {
        throw Refusal(
            ALSWEEP_TORCH_FAILED, std::to_string(loss_count_) + " steps were made, and not " +
                                      std::to_string(count));
    }
    device_.download(losses_.narrow(0, 0, count), losses);
    loss_count_ = 0;
}

void Engine::score(
    int64_t count, const std::function<at::Tensor(int64_t, int64_t)> &images, float *logits,
    float *features) {
    // Results stay on the device until all are there: nothing is waited for in between.
    const auto all_logits = at::empty({count, description_.class_count}, device_.floats());
    const auto all_features =
        at::empty({features == nullptr ? 0 : count, description_.feature_count}, device_.floats());
    const auto batch = device_.is_gpu() ? gpu_scoring_batch : cpu_scoring_batch;
    for (int64_t first = 0; first < count; first += batch) {
        const auto length = std::min(batch, count - first);
        const auto [part_logits, part_features] = network_.score(images(first, length));
        all_logits.narrow(0, first, length).copy_(part_logits);
        if (features != nullptr) all_features.narrow(0, first, length).copy_(part_features);
    }
    device_.download(all_logits, logits);
    if (features != nullptr) device_.download(all_features, features);
}

void Engine::score(
    int32_t set, const alsweep_torch_view *views, int64_t count, float *logits,
    float *features) {
    const auto &images = held(set);
    images.check(views, count);
    const auto all_views = upload(views, count);
    score(
        count,
        [&](int64_t first, int64_t length) {
            return images.batch(all_views.narrow(0, first, length));
        },
        logits, features);
}

void Engine::assemble(
    int32_t set, const alsweep_torch_view *views, int64_t count, float *images) {
    const auto &set_images = held(set);
    set_images.check(views, count);
    device_.download(set_images.batch(upload(views, count)), images);
}

at::Tensor Engine::from_host(const float *images, int64_t count) const {
    const auto side = description_.image_side;
    return device_.upload(
        images, {count, description_.image_channels, side, side}, at::kFloat);
}

double Engine::train_images(
    const float *images, const int32_t *labels, int64_t count, alsweep_torch_sgd sgd,
    const Network::Observer &observer) {
    prepare(sgd);
    const auto loss = step(
        from_host(images, count), device_.upload(labels, {count}, at::kInt), observer);
    float value = 0;
    device_.download(loss, &value);
    return value;
}

void Engine::score_images(const float *images, int64_t count, float *logits, float *features) {
    const auto image_length =
        description_.image_channels * description_.image_side * description_.image_side;
    score(
        count,
        [&](int64_t first, int64_t length) {
            return from_host(images + first * image_length, length);
        },
        logits, features);
}

double Engine::matrix_peak() {
    // Large enough that the product's own work hides all else.
    const int64_t side = device_.is_gpu() ? 8192 : 1024;
    const double operations = 2.0 * side * side * side;
    const auto options = device_.options(device_.type());
    const auto one = at::rand({side, side}, options);
    const auto other = at::rand({side, side}, options);
    auto product = at::empty({side, side}, options);
    using Clock = std::chrono::steady_clock;
    double best = 0;
    int64_t repetitions = 1;
    constexpr int round_count = 5;
    constexpr double round_seconds = 0.2;
    for (int round = 0; round < round_count;) {
        device_.wait();
        const auto start = Clock::now();
        for (int64_t count = 0; count < repetitions; ++count) at::mm_out(product, one, other);
        device_.wait();
        const std::chrono::duration<double> elapsed = Clock::now() - start;
        if (elapsed.count() < round_seconds) {
            repetitions *= 2;
            continue;
        }
        best = std::max(best, operations * static_cast<double>(repetitions) / elapsed.count());
        ++round;
    }
    return best;
}

}  // namespace alsweep
