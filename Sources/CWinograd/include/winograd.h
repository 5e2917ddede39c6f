#ifndef ALSWEEP_WINOGRAD_H
#define ALSWEEP_WINOGRAD_H

#include <stddef.h>

// Convolutions of 3×3 with stride 1 and padding 1 by minimal filtering, F(4×4, 3×3): a tile of 4×4
// outputs costs 36 multiplications for each pair of channels instead of 144 (Winograd 1980; Lavin &
// Gray 2016, arXiv:1509.09308). The interpolation points are 0, ±5/8, ±3/2 and ∞: numbers that
// float32 holds exactly, with less rounding than the usual 0, ±1, ±2 and ∞.
//
// Activations and their gradients, `void` below, are float32 or bfloat16, in blocks of a vector's lanes
// (8 on AVX2, 16 on AVX-512), (batch, channels/lanes, row, column, lanes), weights float32 in
// (out/lanes, in/lanes, 3, 3, lanes in, lanes out): oneDNN's layouts. With bfloat16 weights are rounded when
// they are read, and outputs when they are stored; all between is float32.
// Tiles are counted by rows within an image, then by images. "Transformed" tensors have 36 planes,
// one for each point of a tile.
//
// Every function works on a range and keeps no state, so that a caller can share the work among
// threads. No result depends on how tiles are grouped or shared.

enum {
    /// Rows and columns of a tile's outputs.
    winograd_tile_side = 4
};

/// The sizes of a convolution.
typedef struct {
    int batch;
    /// Rows and columns, a multiple of 4.
    int side;
    /// Channels of the input and the output, multiples of the panel.
    int inputs, outputs;
} winograd_shape;

/// What happens to an output before it is stored.
typedef enum {
    winograd_store,
    /// Adds the channel's bias.
    winograd_bias,
    /// Adds the channel's bias, then replaces negative values by 0.
    winograd_bias_relu,
    /// Adds what the output held before and the channel's bias, then replaces negative values by 0.
    winograd_sum_bias_relu,
} winograd_ending;

/// The tiles of a batch.
int winograd_tile_count(winograd_shape shape);

/// The floats of transformed tiles: of inputs, products and gradients with room for `tiles` tiles.
size_t winograd_tiles_size(int tiles, int channels);

/// The floats of transformed weights, or their gradients, for a range of output channels.
size_t winograd_weights_size(int inputs, int outputs);

#pragma clang assume_nonnull begin

/// The passes of a convolution, for one kind of CPU.
typedef struct {
    /// The bytes of an activation: 4 for float32, 2 for bfloat16.
    int element_size;
    /// The channels in a block.
    int lanes;
    /// Channels are multiples of this many.
    int panel;
    /// Tiles that are multiplied at once; a last group of fewer is slower.
    int rows;

    /// Transforms tiles of the input.
    ///
    /// - tiles: has room for `room` tiles; `first` is stored as its tile `place`.
    void (*transform_input)(
        winograd_shape shape, const void *input, int first, int count, int place, int room,
        float *tiles);

    /// Transforms tiles of the output's gradient, for the weight gradient.
    ///
    /// - from, to: the output channels, multiples of the panel.
    /// - tiles: has room for `room` tiles of all channels; `first` is stored as its tile 0.
    void (*transform_gradient)(
        winograd_shape shape, const void *gradient, int first, int count, int from, int to, int room,
        float *tiles);

    /// Transforms the weights of a range of output channels, multiples of the panel.
    ///
    /// - transformed: of the outputs from `origin` on, `outputs` in all.
    void (*transform_weights)(
        winograd_shape shape, const float *weights, int first, int last, int origin, int outputs,
        float *transformed);

    /// As above, of the convolution that turns the output's gradient into the input's: its inputs are
    /// the outputs of the one that `weights` belong to, and its filters are turned by 180 degrees.
    /// `shape` is that of the gradient's convolution.
    void (*transform_turned_weights)(
        winograd_shape shape, const float *weights, int first, int last, int origin, int outputs,
        float *transformed);

    /// Multiplies transformed tiles with transformed weights.
    ///
    /// - tiles: `count` tiles of `shape.inputs` channels, with room for `room`.
    /// - weights: of `outputs` channels.
    /// - products: `outputs` channels of as many tiles, with the same room.
    void (*multiply)(
        winograd_shape shape, const float *tiles, const float *weights, int count, int room,
        int outputs, float *products);

    /// Turns products into outputs.
    ///
    /// - products: of the channels from `origin` on, `outputs` in all, for tiles from `first` on.
    /// - bias: one for each output channel of the shape; not read by `winograd_store`.
    void (*store_output)(
        winograd_shape shape, const float *products, int first, int count, int room, int origin,
        int outputs, const float *_Nullable bias, winograd_ending ending, void *output);

    /// Adds to the transformed weights' gradient what some tiles contribute, for a range of output
    /// channels, multiples of the panel.
    ///
    /// - input, gradient: `count` transformed tiles with room for `room`.
    /// - weights: of the outputs from `origin` on, `outputs` in all.
    /// - adds: 0 to overwrite `weights` instead.
    void (*accumulate)(
        winograd_shape shape, const float *input, const float *gradient, int count, int room,
        int first, int last, int origin, int outputs, int adds, float *weights);

    /// Turns the transformed weights' gradient into the weights' for a range of output channels.
    void (*store_weight_gradient)(
        winograd_shape shape, const float *transformed, int first, int last, int origin, int outputs,
        float *weight_gradient);
} winograd_kernels;

/// For AVX2 and FMA; null where the CPU lacks them.
const winograd_kernels *_Nullable winograd_kernels_avx2(void);

/// For AVX-512 F; null where the CPU lacks it.
const winograd_kernels *_Nullable winograd_kernels_avx512(void);

/// For AVX-512 with activations of bfloat16; null where the CPU lacks AVX-512 BF16.
const winograd_kernels *_Nullable winograd_kernels_avx512_bfloat16(void);

#pragma clang assume_nonnull end

#endif
