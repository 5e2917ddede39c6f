#pragma once

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#ifdef ALSWEEP_HAS_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace alsweep {

/// A call that cannot be served: the status for it, and why.
struct Refusal : std::runtime_error {
    Refusal(int32_t status, const std::string &why) : std::runtime_error(why), status(status) {}
    int32_t status;
};

/// Throws unless the device is there and has the precision.
void examine(int32_t device, int32_t precision);
/// The name by which people know the device.
std::string device_name(int32_t device);

/// Where an engine computes, and how.
class Device {
public:
    Device(int32_t device, int32_t precision, bool is_deterministic);

    bool is_gpu() const { return where_.is_cuda(); }
    /// Whether a step is worth recording; ALSWEEP_TORCH_GRAPH=0 says no, to find out what a graph does.
    bool records_steps() const { return records_steps_; }
    /// The type of activations and of the factors of their products.
    at::ScalarType type() const { return type_; }
    at::TensorOptions floats() const { return at::dtype(at::kFloat).device(where_); }
    at::TensorOptions options(at::ScalarType type) const { return at::dtype(type).device(where_); }

    /// A copy on the device, which need not have arrived when this returns.
    at::Tensor upload(const void *values, at::IntArrayRef shape, at::ScalarType type) const;
    /// Waits for a tensor, and copies it to float32 values in the order of its indices.
    void download(const at::Tensor &tensor, float *values) const;
    /// Waits for all that was begun.
    void wait() const;
    /// In bytes; 0 on a CPU.
    int64_t peak_memory() const;

    /// Holds during every call of an engine: no gradients by PyTorch, this engine's stream, and its settings
    /// of what is the whole process's.
    class Scope {
    public:
        explicit Scope(const Device &device);

    private:
        c10::InferenceMode inference_;
#ifdef ALSWEEP_HAS_CUDA
        std::optional<c10::cuda::CUDAStreamGuard> stream_;
#endif
    };

private:
    at::Device where_;
    at::ScalarType type_;
    bool uses_tf32_;
    bool is_deterministic_;
    bool records_steps_;
#ifdef ALSWEEP_HAS_CUDA
    std::optional<c10::cuda::CUDAStream> stream_;
#endif
};

/// Work on memory that stays where it is, which a GPU records after a few times and then repeats without
/// the CPU's part in it.
class RecordedStep {
public:
    explicit RecordedStep(const Device &device) : device_(device) {}

    /// - Parameter body: the same in every call.
    void run(const std::function<void()> &body);

private:
    /// Libraries choose their kernels and take their memory in the first runs, which cannot be recorded.
    static constexpr int plain_run_count = 3;

    const Device &device_;
    int plain_runs_ = 0;
#ifdef ALSWEEP_HAS_CUDA
    void record(const std::function<void()> &body);
    std::unique_ptr<at::cuda::CUDAGraph> graph_;
#endif
};

}  // namespace alsweep
