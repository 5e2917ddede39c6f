#include "alsweep_torch.h"

#include <algorithm>
#include <cstring>

#include "engine.hpp"

/// What alsweep holds. The engine's memory goes before the device's stream does.
struct alsweep_torch_engine {
    alsweep::Device device;
    std::unique_ptr<alsweep::Engine> engine;
};

namespace alsweep {

namespace {

thread_local std::string failure;

int32_t fail(int32_t status, const std::string &why) {
    failure = why;
    return status;
}

/// Libraries under PyTorch tell of a lack of memory by their own words.
bool tells_of_memory(const std::string &why) {
    for (const char *words : {"out of memory", "ALLOC_FAILED"}) {
        if (why.find(words) != std::string::npos) return true;
    }
    return false;
}

/// No exception leaves the plug-in: it becomes a status.
template <typename Body>
int32_t guarded(Body body) {
    try {
        body();
        return ALSWEEP_TORCH_OK;
    } catch (const Refusal &refusal) {
        return fail(refusal.status, refusal.what());
    } catch (const c10::OutOfMemoryError &error) {
        return fail(ALSWEEP_TORCH_OUT_OF_MEMORY, error.what_without_backtrace());
    } catch (const c10::Error &error) {
        const std::string why = error.what_without_backtrace();
        return fail(
            tells_of_memory(why) ? ALSWEEP_TORCH_OUT_OF_MEMORY : ALSWEEP_TORCH_FAILED, why);
    } catch (const std::exception &error) {
        return fail(ALSWEEP_TORCH_FAILED, error.what());
    } catch (...) {
        return fail(ALSWEEP_TORCH_FAILED, "something that is no exception was thrown");
    }
}

template <typename Body>
int32_t within(alsweep_torch_engine *engine, Body body) {
    return guarded([&] {
        const Device::Scope scope(engine->device);
        body(*engine->engine);
    });
}

const char *last_error() { return failure.c_str(); }

int32_t examine_device(int32_t device, int32_t precision) {
    return guarded([&] { examine(device, precision); });
}

int32_t name_device(int32_t device, char *name, int64_t capacity) {
    return guarded([&] {
        const auto found = device_name(device);
        if (capacity < 1) return;
        const auto length = std::min(found.size(), static_cast<size_t>(capacity) - 1);
        std::memcpy(name, found.data(), length);
        name[length] = 0;
    });
}

int32_t create(const alsweep_torch_setup *setup, alsweep_torch_engine **engine) {
    return guarded([&] {
        std::unique_ptr<alsweep_torch_engine> made(new alsweep_torch_engine{
            Device(setup->device, setup->precision, setup->is_deterministic != 0), nullptr});
        const Device::Scope scope(made->device);
        made->engine = std::make_unique<Engine>(*setup, made->device);
        *engine = made.release();
    });
}

void destroy(alsweep_torch_engine *engine) {
    guarded([&] {
        const Device::Scope scope(engine->device);
        engine->device.wait();
        engine->engine.reset();
    });
    delete engine;
}

int32_t write(
    alsweep_torch_engine *engine, const char *name, const float *values, int64_t count) {
    return within(engine, [&](Engine &engine_) {
        auto tensor = engine_.tensor(name, count);
        tensor.copy_(
            at::from_blob(const_cast<float *>(values), tensor.sizes(), at::dtype(at::kFloat)));
        engine_.network().changed();
    });
}

int32_t read(alsweep_torch_engine *engine, const char *name, float *values, int64_t count) {
    return within(engine, [&](Engine &engine_) {
        engine->device.download(engine_.tensor(name, count), values);
    });
}

int32_t restart(alsweep_torch_engine *engine) {
    return within(engine, [](Engine &engine_) { engine_.network().parameters.clear_velocity(); });
}

int32_t hold(alsweep_torch_engine *engine, const alsweep_torch_images *images, int32_t *set) {
    return within(engine, [&](Engine &engine_) { *set = engine_.hold(*images); });
}

int32_t train(
    alsweep_torch_engine *engine, int32_t set, const alsweep_torch_view *views,
    const int32_t *labels, int64_t count, int64_t batch, alsweep_torch_sgd sgd) {
    return within(engine, [&](Engine &engine_) {
        engine_.train(set, views, labels, count, batch, sgd);
    });
}

int32_t losses(alsweep_torch_engine *engine, float *values, int64_t count) {
    return within(engine, [&](Engine &engine_) { engine_.take_losses(values, count); });
}

int32_t score(
    alsweep_torch_engine *engine, int32_t set, const alsweep_torch_view *views, int64_t count,
    float *logits, float *features) {
    return within(engine, [&](Engine &engine_) {
        engine_.score(set, views, count, logits, features);
    });
}

int32_t assemble(
    alsweep_torch_engine *engine, int32_t set, const alsweep_torch_view *views, int64_t count,
    float *images) {
    return within(engine, [&](Engine &engine_) { engine_.assemble(set, views, count, images); });
}

int32_t train_images(
    alsweep_torch_engine *engine, const float *images, const int32_t *labels, int64_t count,
    alsweep_torch_sgd sgd, alsweep_torch_observer observer, void *context, double *loss) {
    return within(engine, [&](Engine &engine_) {
        Network::Observer observe;
        if (observer != nullptr) {
            observe = [&](const std::string &norm, const at::Tensor &output) {
                std::vector<float> values(output.numel());
                engine->device.download(output, values.data());
                observer(context, norm.c_str(), values.data(), output.numel());
            };
        }
        *loss = engine_.train_images(images, labels, count, sgd, observe);
    });
}

int32_t score_images(
    alsweep_torch_engine *engine, const float *images, int64_t count, float *logits,
    float *features) {
    return within(engine, [&](Engine &engine_) {
        engine_.score_images(images, count, logits, features);
    });
}

int32_t training_logits(alsweep_torch_engine *engine, float *values, int64_t count) {
    return within(engine, [&](Engine &engine_) {
        const auto &found = engine_.network().logits();
        if (!found.defined() || found.numel() != count) {
            throw Refusal(ALSWEEP_TORCH_FAILED, "the last step had another number of logits");
        }
        engine->device.download(found, values);
    });
}

int32_t gradient(alsweep_torch_engine *engine, const char *name, float *values, int64_t count) {
    return within(engine, [&](Engine &engine_) {
        engine->device.download(engine_.gradient(name, count), values);
    });
}

int32_t peak_memory(alsweep_torch_engine *engine, int64_t *bytes) {
    return within(engine, [&](Engine &) { *bytes = engine->device.peak_memory(); });
}

int32_t matrix_peak(alsweep_torch_engine *engine, double *operations_per_second) {
    return within(engine, [&](Engine &engine_) { *operations_per_second = engine_.matrix_peak(); });
}

}  // namespace

}  // namespace alsweep

extern "C" __attribute__((visibility("default"))) const alsweep_torch_interface *alsweep_torch(
    void) {
    static const alsweep_torch_interface plug_in = {
        ALSWEEP_TORCH_VERSION,
#ifdef ALSWEEP_HAS_CUDA
        1,
#else
        0,
#endif
        ALSWEEP_TORCH_BUILT_WITH,
        alsweep::last_error,
        alsweep::examine_device,
        alsweep::name_device,
        alsweep::create,
        alsweep::destroy,
        alsweep::write,
        alsweep::read,
        alsweep::restart,
        alsweep::hold,
        alsweep::train,
        alsweep::losses,
        alsweep::score,
        alsweep::assemble,
        alsweep::train_images,
        alsweep::score_images,
        alsweep::training_logits,
        alsweep::gradient,
        alsweep::peak_memory,
        alsweep::matrix_peak,
    };
    return &plug_in;
}
