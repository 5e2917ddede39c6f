#ifndef ALSWEEP_TORCH_H
#define ALSWEEP_TORCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What alsweep and its plug-in for libtorch say to each other. alsweep opens the plug-in with dlopen and
/// asks for one symbol, `alsweep_torch`.
///
/// An engine is used by one thread at a time. Arrays are row-major and belong to the caller; none is kept
/// after a call. Functions that return a status leave their results alone where it is not
/// ALSWEEP_TORCH_OK, and say why in `last_error`.

/// Changes whenever anything in this file does; alsweep takes a plug-in of its own version only.
#define ALSWEEP_TORCH_VERSION 1

enum {
    ALSWEEP_TORCH_OK = 0,
    ALSWEEP_TORCH_FAILED = 1,
    /// The GPU's memory does not suffice. The engine is good for nothing but `destroy` then.
    ALSWEEP_TORCH_OUT_OF_MEMORY = 2,
    ALSWEEP_TORCH_NO_DEVICE = 3,
    /// The device lacks the precision.
    ALSWEEP_TORCH_UNSUPPORTED = 4,
};

enum {
    ALSWEEP_TORCH_CPU = 0,
    /// The first GPU that the process sees.
    ALSWEEP_TORCH_CUDA = 1,
};

/// Of activations and of the factors of their products; all else is float32.
enum {
    ALSWEEP_TORCH_FLOAT32 = 0,
    ALSWEEP_TORCH_BFLOAT16 = 1,
    /// Stored as float32, multiplied with 10 bits of mantissa: GPUs only.
    ALSWEEP_TORCH_TF32 = 2,
};

typedef struct alsweep_torch_engine alsweep_torch_engine;

/// A square convolution without bias, padded by kernel/2, and the batch norm over its output. Names are
/// those of PyTorch's `state_dict` without `.weight`.
typedef struct {
    const char *convolution;
    const char *norm;
    int32_t input_channels;
    int32_t output_channels;
    int32_t kernel;
    int32_t stride;
} alsweep_torch_unit;

/// relu(second(relu(first(x))) + shortcut(x)), by places in the list of units; -1 for a shortcut that is x
/// itself.
typedef struct {
    int32_t first;
    int32_t second;
    int32_t shortcut;
} alsweep_torch_block;

/// A network, relu(first unit), the blocks, a mean over all pixels and a linear layer, and how it is
/// computed.
typedef struct {
    const alsweep_torch_unit *units;
    int32_t unit_count;
    const alsweep_torch_block *blocks;
    int32_t block_count;
    const char *linear;
    int32_t feature_count;
    int32_t class_count;
    int32_t image_channels;
    int32_t image_side;
    /// Added to a batch norm's variance.
    float epsilon;
    /// The share of a new batch in the running statistics.
    float statistics_momentum;
    int32_t device;
    int32_t precision;
    /// Not 0: the same inputs give the same bits.
    int32_t is_deterministic;
} alsweep_torch_setup;

/// SGD: g <- g + weight_decay·p; b <- momentum·b + g; p <- p - learning_rate·b.
typedef struct {
    float learning_rate;
    float momentum;
    float weight_decay;
} alsweep_torch_sgd;

/// Images as bytes.
typedef struct {
    /// `(count, channels, side, side)`; one channel stands for all that the network has.
    const uint8_t *pixels;
    int64_t count;
    int32_t channels;
    /// Zeros around every image before it is cropped.
    int32_t padding;
    /// The value of every byte, `(image_channels, 256)`; that of 0 is the padding's.
    const float *values;
} alsweep_torch_images;

/// What of an image comes into a batch: mirrored if `is_flipped` is not 0, then cropped to its size with
/// this first column and row of the padded image, each 0...2·padding.
typedef struct {
    int32_t image;
    int32_t is_flipped;
    int32_t column;
    int32_t row;
} alsweep_torch_view;

/// Takes what a relu let through, NCHW, `count` values, by the name of the batch norm before it.
typedef void (*alsweep_torch_observer)(
    void *context, const char *norm, const float *values, int64_t count);

typedef struct {
    /// ALSWEEP_TORCH_VERSION; the first member in every version of this file.
    uint32_t version;
    /// Not 0: made for a PyTorch with CUDA.
    uint32_t has_cuda;
    /// Of the PyTorch that it was made for, as in "2.6.0".
    const char *torch_version;

    /// Why the calling thread's last call failed.
    const char *(*last_error)(void);
    /// Whether the device is there and has the precision.
    int32_t (*examine)(int32_t device, int32_t precision);
    /// The device's name, at most `capacity` bytes with the 0 at its end.
    int32_t (*device_name)(int32_t device, char *name, int64_t capacity);

    /// Parameters and statistics are 0 until they are written.
    int32_t (*create)(const alsweep_torch_setup *setup, alsweep_torch_engine **engine);
    void (*destroy)(alsweep_torch_engine *engine);

    /// A parameter or a running statistic by its name in PyTorch's `state_dict`, in PyTorch's layout.
    int32_t (*write)(
        alsweep_torch_engine *engine, const char *name, const float *values, int64_t count);
    int32_t (*read)(alsweep_torch_engine *engine, const char *name, float *values, int64_t count);
    /// Forgets the momentum.
    int32_t (*restart)(alsweep_torch_engine *engine);

    /// Copies images to the device; `set` names them from then on.
    int32_t (*hold)(
        alsweep_torch_engine *engine, const alsweep_torch_images *images, int32_t *set);
    /// Begins training steps on views in their order, `batch` at a time and the rest at the end, without
    /// waiting for any.
    int32_t (*train)(
        alsweep_torch_engine *engine, int32_t set, const alsweep_torch_view *views,
        const int32_t *labels, int64_t count, int64_t batch, alsweep_torch_sgd sgd);
    /// Waits for the training steps, and gives each one's mean cross-entropy since the last call, in nats.
    /// `count` must be their number.
    int32_t (*losses)(alsweep_torch_engine *engine, float *losses, int64_t count);
    /// The network's answers with running statistics: logits `(count, classes)`, and features
    /// `(count, features)` where not null.
    int32_t (*score)(
        alsweep_torch_engine *engine, int32_t set, const alsweep_torch_view *views, int64_t count,
        float *logits, float *features);
    /// The normalised images themselves, `(count, channels, side, side)`.
    int32_t (*assemble)(
        alsweep_torch_engine *engine, int32_t set, const alsweep_torch_view *views, int64_t count,
        float *images);

    /// One training step on normalised images, NCHW; the observer, where not null, is called between its
    /// forward and its backward pass.
    int32_t (*train_images)(
        alsweep_torch_engine *engine, const float *images, const int32_t *labels, int64_t count,
        alsweep_torch_sgd sgd, alsweep_torch_observer observer, void *context, double *loss);
    /// As `score`, of normalised images, NCHW.
    int32_t (*score_images)(
        alsweep_torch_engine *engine, const float *images, int64_t count, float *logits,
        float *features);
    /// The logits of the last `train_images`, `(batch, classes)`.
    int32_t (*training_logits)(alsweep_torch_engine *engine, float *logits, int64_t count);
    /// A parameter's gradient in the last step, without weight decay, in PyTorch's layout.
    int32_t (*gradient)(
        alsweep_torch_engine *engine, const char *name, float *values, int64_t count);

    /// The most memory of the GPU that the process has taken for its tensors, in bytes; 0 on a CPU.
    int32_t (*peak_memory)(alsweep_torch_engine *engine, int64_t *bytes);
    /// What the device reaches in the product of two large matrices in the engine's precision, in
    /// floating-point operations a second, a multiply-add counted as two.
    int32_t (*matrix_peak)(alsweep_torch_engine *engine, double *operations_per_second);
} alsweep_torch_interface;

/// The plug-in's only symbol that alsweep looks for.
const alsweep_torch_interface *alsweep_torch(void);

#ifdef __cplusplus
}
#endif

#endif
