#include "device.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <cstdlib>
#include <cstring>

#include "alsweep_torch.h"

#ifdef ALSWEEP_HAS_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace alsweep {

namespace {

bool is_zero(const char *variable) {
    const char *value = std::getenv(variable);
    return value != nullptr && std::strcmp(value, "0") == 0;
}

#ifdef ALSWEEP_HAS_CUDA
/// From here on (Ampere) GPUs multiply bfloat16 and TF32.
constexpr int first_bfloat16_generation = 8;

void require_gpu() {
    // Unlike device_count(), it says why there is none.
    int count = 0;
    try {
        count = c10::cuda::device_count_ensure_non_zero();
    } catch (const c10::Error &error) {
        throw Refusal(ALSWEEP_TORCH_NO_DEVICE, error.what_without_backtrace());
    }
    if (count < 1) throw Refusal(ALSWEEP_TORCH_NO_DEVICE, "CUDA sees no GPU");
}
#endif

}  // namespace

void examine(int32_t device, int32_t precision) {
    if (device == ALSWEEP_TORCH_CPU) {
        if (precision == ALSWEEP_TORCH_TF32) {
            throw Refusal(ALSWEEP_TORCH_UNSUPPORTED, "a CPU has no TF32");
        }
        return;
    }
#ifdef ALSWEEP_HAS_CUDA
    require_gpu();
    const auto *properties = at::cuda::getDeviceProperties(0);
    if (precision != ALSWEEP_TORCH_FLOAT32 && properties->major < first_bfloat16_generation) {
        throw Refusal(
            ALSWEEP_TORCH_UNSUPPORTED,
            std::string(properties->name) + " multiplies neither bfloat16 nor TF32");
    }
#else
    throw Refusal(ALSWEEP_TORCH_NO_DEVICE, "the plug-in was built with a PyTorch without CUDA");
#endif
}

std::string device_name(int32_t device) {
    if (device == ALSWEEP_TORCH_CPU) return "CPU";
    examine(device, ALSWEEP_TORCH_FLOAT32);
#ifdef ALSWEEP_HAS_CUDA
    return at::cuda::getDeviceProperties(0)->name;
#else
    return "";
#endif
}

Device::Device(int32_t device, int32_t precision, bool is_deterministic)
    : where_(device == ALSWEEP_TORCH_CUDA ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU)),
      type_(precision == ALSWEEP_TORCH_BFLOAT16 ? at::kBFloat16 : at::kFloat),
      uses_tf32_(precision == ALSWEEP_TORCH_TF32),
      is_deterministic_(is_deterministic),
      records_steps_(device == ALSWEEP_TORCH_CUDA && !is_zero("ALSWEEP_TORCH_GRAPH")) {
    examine(device, precision);
    // cuBLAS reads it when it is used first; without it its sums may take another order each time.
    if (is_deterministic) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
#ifdef ALSWEEP_HAS_CUDA
    // Steps cannot be recorded on the default stream.
    if (is_gpu()) stream_ = c10::cuda::getStreamFromPool(false, 0);
#endif
}

Device::Scope::Scope(const Device &device) {
    // PyTorch sets a thread's number of workers when it first divides work by itself. A convolution of
    // oneDNN that was planned before would then be computed by others than its memory was divided for.
    thread_local bool knows_thread_count = false;
    if (!knows_thread_count) at::init_num_threads();
    knows_thread_count = true;
    auto &context = at::globalContext();
    context.setAllowTF32CuDNN(device.uses_tf32_);
    context.setAllowTF32CuBLAS(device.uses_tf32_);
    context.setAllowBF16ReductionCuBLAS(false);
    context.setDeterministicAlgorithms(device.is_deterministic_, false);
    context.setDeterministicCuDNN(device.is_deterministic_);
    context.setBenchmarkCuDNN(!device.is_deterministic_);
#if ALSWEEP_TORCH_BUILD >= 202
    // All that is used is written first.
    context.setDeterministicFillUninitializedMemory(false);
#endif
#ifdef ALSWEEP_HAS_CUDA
    if (device.stream_) stream_.emplace(*device.stream_);
#endif
}

at::Tensor Device::upload(
    const void *values, at::IntArrayRef shape, at::ScalarType type) const {
    auto host = at::from_blob(const_cast<void *>(values), shape, at::dtype(type));
    if (!is_gpu()) return host.clone();
    // Only from pinned memory the copy is not waited for; its allocator keeps it until it was made.
    auto pinned = at::empty(shape, at::dtype(type).pinned_memory(true));
    pinned.copy_(host);
    return pinned.to(where_, type, /*non_blocking=*/true);
}

void Device::download(const at::Tensor &tensor, float *values) const {
    const auto host = tensor.to(at::kCPU, at::kFloat).contiguous();
    std::memcpy(values, host.data_ptr<float>(), host.numel() * sizeof(float));
}

void Device::wait() const {
#ifdef ALSWEEP_HAS_CUDA
    if (stream_) stream_->synchronize();
#endif
}

int64_t Device::peak_memory() const {
#ifdef ALSWEEP_HAS_CUDA
    if (is_gpu()) {
        const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(0);
        // The first of the pools is their sum.
        return stats.reserved_bytes[0].peak;
    }
#endif
    return 0;
}

void RecordedStep::run(const std::function<void()> &body) {
#ifdef ALSWEEP_HAS_CUDA
    if (device_.records_steps() && plain_runs_ == plain_run_count) {
        // Recording computes nothing, so this step is a replay like all that follow.
        if (!graph_) record(body);
        return graph_->replay();
    }
#endif
    body();
    ++plain_runs_;
}

#ifdef ALSWEEP_HAS_CUDA
void RecordedStep::record(const std::function<void()> &body) {
    device_.wait();
    auto graph = std::make_unique<at::cuda::CUDAGraph>();
    graph->capture_begin();
    try {
        body();
    } catch (...) {
        // A stream that goes on recording would be of no use to anybody.
        try {
            graph->capture_end();
        } catch (...) {
        }
        throw;
    }
    graph->capture_end();
    graph_ = std::move(graph);
}
#endif

}  // namespace alsweep
