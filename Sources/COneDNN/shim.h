#pragma once

// One interface over oneDNN 2.x (Debian 12) and 3.x (newer Debian and Ubuntu).
//
// In 2.x a memory descriptor is a struct and every operation has an operation descriptor from
// which a primitive descriptor is made. In 3.x memory descriptors are opaque objects and
// primitive descriptors are made at once. The wrappers below look the same over both: a layout is
// an owned pointer, and every operation has one function that makes its primitive descriptor.
//
// Layouts passed as arguments are only read. A NULL bias layout means that there is no bias.

#include <oneapi/dnnl/dnnl.h>
#include <stdint.h>
#include <stdlib.h>

/// An owned memory descriptor: shape, element type and order of the elements.
typedef struct onednn_layout_object *onednn_layout;

/// The team of threads that oneDNN's OpenMP build uses, for this package's own loops: libgomp's
/// entry point behind `#pragma omp parallel`. `body` runs once in every thread of the team.
void GOMP_parallel(void (*body)(void *), void *data, unsigned thread_count, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
/// Of the teams that the calling thread will lead.
void omp_set_num_threads(int count);

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t onednn_descriptor;

static inline onednn_descriptor onednn_read(onednn_layout layout) {
    return (onednn_descriptor)layout;
}

static inline dnnl_status_t onednn_layout_create(
    onednn_layout *layout, int rank, const int64_t *shape, dnnl_data_type_t type,
    dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(
        (dnnl_memory_desc_t *)layout, rank, shape, type, tag);
}

static inline dnnl_status_t onednn_layout_copy(onednn_layout *layout, onednn_descriptor from) {
    return dnnl_memory_desc_clone((dnnl_memory_desc_t *)layout, from);
}

static inline void onednn_layout_destroy(onednn_layout layout) {
    dnnl_memory_desc_destroy((dnnl_memory_desc_t)layout);
}

#else

typedef const dnnl_memory_desc_t *onednn_descriptor;

static inline onednn_descriptor onednn_read(onednn_layout layout) {
    return (onednn_descriptor)layout;
}

static inline dnnl_status_t onednn_layout_copy(onednn_layout *layout, onednn_descriptor from) {
    dnnl_memory_desc_t *copy = (dnnl_memory_desc_t *)malloc(sizeof *copy);
    if (!copy) return dnnl_out_of_memory;
    *copy = *from;
    *layout = (onednn_layout)copy;
    return dnnl_success;
}

static inline dnnl_status_t onednn_layout_create(
    onednn_layout *layout, int rank, const int64_t *shape, dnnl_data_type_t type,
    dnnl_format_tag_t tag) {
    dnnl_memory_desc_t descriptor;
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(&descriptor, rank, shape, type, tag);
    return status == dnnl_success ? onednn_layout_copy(layout, &descriptor) : status;
}

static inline void onednn_layout_destroy(onednn_layout layout) { free(layout); }

/// The last step of every 2.x operation: operation descriptor to primitive descriptor.
static inline dnnl_status_t onednn_describe(
    dnnl_primitive_desc_t *out, dnnl_status_t status, const void *operation, dnnl_engine_t engine,
    const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr) {
    return status == dnnl_success
        ? dnnl_primitive_desc_create(out, operation, attr, engine, hint) : status;
}

#endif

static inline size_t onednn_layout_byte_count(onednn_layout layout) {
    return dnnl_memory_desc_get_size(onednn_read(layout));
}

/// Stores the sides in `shape`, which has room for DNNL_MAX_NDIMS, and returns their number.
static inline int onednn_layout_shape(onednn_layout layout, int64_t *shape) {
#if DNNL_VERSION_MAJOR >= 3
    int rank = 0;
    const dnnl_dims_t *sides = NULL;
    dnnl_memory_desc_query(onednn_read(layout), dnnl_query_ndims_s32, &rank);
    dnnl_memory_desc_query(onednn_read(layout), dnnl_query_dims, &sides);
    for (int i = 0; i < rank; i++) shape[i] = (*sides)[i];
    return rank;
#else
    for (int i = 0; i < onednn_read(layout)->ndims; i++) shape[i] = onednn_read(layout)->dims[i];
    return onednn_read(layout)->ndims;
#endif
}

static inline dnnl_data_type_t onednn_layout_type(onednn_layout layout) {
#if DNNL_VERSION_MAJOR >= 3
    dnnl_data_type_t type = dnnl_data_type_undef;
    dnnl_memory_desc_query(onednn_read(layout), dnnl_query_data_type, &type);
    return type;
#else
    return onednn_read(layout)->data_type;
#endif
}

/// Whether oneDNN computes in vectors of 16 floats here, which `DNNL_MAX_CPU_ISA` can
/// forbid.
static inline int onednn_uses_avx512(void) {
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
}

/// Whether the CPU multiplies bfloat16 itself. With AVX-512 alone oneDNN only emulates it, which
/// is slower than float32.
static inline int onednn_has_native_bfloat16(void) {
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16)
        == dnnl_cpu_isa_avx512_core_bf16;
}

/// Whether the CPU multiplies bfloat16 in tiles (AMX), many times as fast as in vectors.
static inline int onednn_has_tiles(void) {
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_amx)
        == dnnl_cpu_isa_avx512_core_amx;
}

static inline int onednn_layout_equal(onednn_layout a, onednn_layout b) {
    return dnnl_memory_desc_equal(onednn_read(a), onednn_read(b));
}

/// The layout that a primitive chose for its argument `what`; a layout of 0 bytes where it has no
/// such argument.
static inline dnnl_status_t onednn_layout_of(
    onednn_layout *layout, const_dnnl_primitive_desc_t description, dnnl_query_t what) {
    onednn_descriptor found = dnnl_primitive_desc_query_md(description, what, 0);
    return found ? onednn_layout_copy(layout, found) : dnnl_invalid_arguments;
}

/// The name of the chosen implementation, such as "jit:avx2"; it lives as long as `description`.
static inline const char *onednn_implementation(const_dnnl_primitive_desc_t description) {
    const char *name = NULL;
    dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name);
    return name ? name : "";
}

static inline dnnl_status_t onednn_memory_create(
    dnnl_memory_t *memory, onednn_layout layout, dnnl_engine_t engine, void *bytes) {
    return dnnl_memory_create(memory, onednn_read(layout), engine, bytes);
}

static inline dnnl_status_t onednn_append_eltwise(
    dnnl_post_ops_t operations, dnnl_alg_kind_t algorithm) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_eltwise(operations, algorithm, 0, 0);
#else
    return dnnl_post_ops_append_eltwise(operations, 1, algorithm, 0, 0);
#endif
}

static inline dnnl_status_t onednn_append_sum(dnnl_post_ops_t operations) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_sum(operations, 1, 0, dnnl_data_type_undef);
#else
    return dnnl_post_ops_append_sum(operations, 1);
#endif
}

static inline dnnl_status_t onednn_reorder(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, onednn_layout from, onednn_layout to,
    const_dnnl_primitive_attr_t attr) {
    return dnnl_reorder_primitive_desc_create(
        out, onednn_read(from), engine, onednn_read(to), engine, attr);
}

static inline dnnl_status_t onednn_convolution_forward(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, dnnl_prop_kind_t kind, onednn_layout source,
    onednn_layout weights, onednn_layout bias, onednn_layout destination, int64_t stride,
    int64_t padding, const_dnnl_primitive_attr_t attr) {
    const dnnl_dims_t strides = {stride, stride}, paddings = {padding, padding};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl_dims_t dilations = {0, 0};
    return dnnl_convolution_forward_primitive_desc_create(
        out, engine, kind, dnnl_convolution_direct, onednn_read(source), onednn_read(weights),
        onednn_read(bias), onednn_read(destination), strides, dilations, paddings, paddings, attr);
#else
    dnnl_convolution_desc_t operation;
    dnnl_status_t status = dnnl_convolution_forward_desc_init(
        &operation, kind, dnnl_convolution_direct, onednn_read(source), onednn_read(weights),
        onednn_read(bias), onednn_read(destination), strides, paddings, paddings);
    return onednn_describe(out, status, &operation, engine, NULL, attr);
#endif
}

static inline dnnl_status_t onednn_convolution_backward_data(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, onednn_layout source_gradient,
    onednn_layout weights, onednn_layout gradient, int64_t stride, int64_t padding,
    const_dnnl_primitive_desc_t forward, const_dnnl_primitive_attr_t attr) {
    const dnnl_dims_t strides = {stride, stride}, paddings = {padding, padding};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl_dims_t dilations = {0, 0};
    return dnnl_convolution_backward_data_primitive_desc_create(
        out, engine, dnnl_convolution_direct, onednn_read(source_gradient), onednn_read(weights),
        onednn_read(gradient), strides, dilations, paddings, paddings, forward, attr);
#else
    dnnl_convolution_desc_t operation;
    dnnl_status_t status = dnnl_convolution_backward_data_desc_init(
        &operation, dnnl_convolution_direct, onednn_read(source_gradient), onednn_read(weights),
        onednn_read(gradient), strides, paddings, paddings);
    return onednn_describe(out, status, &operation, engine, forward, attr);
#endif
}

static inline dnnl_status_t onednn_convolution_backward_weights(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, onednn_layout source,
    onednn_layout weights_gradient, onednn_layout gradient, int64_t stride, int64_t padding,
    const_dnnl_primitive_desc_t forward, const_dnnl_primitive_attr_t attr) {
    const dnnl_dims_t strides = {stride, stride}, paddings = {padding, padding};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl_dims_t dilations = {0, 0};
    return dnnl_convolution_backward_weights_primitive_desc_create(
        out, engine, dnnl_convolution_direct, onednn_read(source), onednn_read(weights_gradient),
        NULL, onednn_read(gradient), strides, dilations, paddings, paddings, forward, attr);
#else
    dnnl_convolution_desc_t operation;
    dnnl_status_t status = dnnl_convolution_backward_weights_desc_init(
        &operation, dnnl_convolution_direct, onednn_read(source), onednn_read(weights_gradient),
        NULL, onednn_read(gradient), strides, paddings, paddings);
    return onednn_describe(out, status, &operation, engine, forward, attr);
#endif
}

/// Scale and shift are separate arguments (`DNNL_ARG_SCALE`, `DNNL_ARG_SHIFT`) in both versions.
static inline unsigned onednn_norm_flags(int with_relu) {
    return dnnl_use_scale | dnnl_use_shift | (with_relu ? dnnl_fuse_norm_relu : 0);
}

/// Whether the gradient takes `DNNL_ARG_SHIFT`: each version refuses what the other demands.
static inline int onednn_norm_gradient_takes_shift(void) { return DNNL_VERSION_MAJOR < 3; }

/// With the statistics as inputs, which are those of the batch.
static inline dnnl_status_t onednn_batch_norm_forward(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, onednn_layout data, float epsilon,
    int with_relu, const_dnnl_primitive_attr_t attr) {
    const unsigned flags = onednn_norm_flags(with_relu) | dnnl_use_global_stats;
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_batch_normalization_forward_primitive_desc_create(
        out, engine, dnnl_forward_training, onednn_read(data), onednn_read(data), epsilon, flags,
        attr);
#else
    dnnl_batch_normalization_desc_t operation;
    dnnl_status_t status = dnnl_batch_normalization_forward_desc_init(
        &operation, dnnl_forward_training, onednn_read(data), epsilon, flags);
    return onednn_describe(out, status, &operation, engine, NULL, attr);
#endif
}

static inline dnnl_status_t onednn_batch_norm_backward(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, onednn_layout gradient, onednn_layout data,
    float epsilon, int with_relu, const_dnnl_primitive_desc_t forward,
    const_dnnl_primitive_attr_t attr) {
    const unsigned flags = onednn_norm_flags(with_relu);
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_batch_normalization_backward_primitive_desc_create(
        out, engine, dnnl_backward, onednn_read(gradient), onednn_read(gradient),
        onednn_read(data), epsilon, flags, forward, attr);
#else
    dnnl_batch_normalization_desc_t operation;
    dnnl_status_t status = dnnl_batch_normalization_backward_desc_init(
        &operation, dnnl_backward, onednn_read(gradient), onednn_read(data), epsilon, flags);
    return onednn_describe(out, status, &operation, engine, forward, attr);
#endif
}

/// The mean over `window`×`window` pixels; windows do not overlap.
static inline dnnl_status_t onednn_average_pool_forward(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, dnnl_prop_kind_t kind, onednn_layout source,
    onednn_layout destination, int64_t window, const_dnnl_primitive_attr_t attr) {
    const dnnl_dims_t windows = {window, window}, none = {0, 0};
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_pooling_forward_primitive_desc_create(
        out, engine, kind, dnnl_pooling_avg_exclude_padding, onednn_read(source),
        onednn_read(destination), windows, windows, none, none, none, attr);
#else
    dnnl_pooling_desc_t operation;
    dnnl_status_t status = dnnl_pooling_forward_desc_init(
        &operation, kind, dnnl_pooling_avg_exclude_padding, onednn_read(source),
        onednn_read(destination), windows, windows, none, none);
    return onednn_describe(out, status, &operation, engine, NULL, attr);
#endif
}

static inline dnnl_status_t onednn_average_pool_backward(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, onednn_layout source_gradient,
    onednn_layout gradient, int64_t window, const_dnnl_primitive_desc_t forward,
    const_dnnl_primitive_attr_t attr) {
    const dnnl_dims_t windows = {window, window}, none = {0, 0};
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_pooling_backward_primitive_desc_create(
        out, engine, dnnl_pooling_avg_exclude_padding, onednn_read(source_gradient),
        onednn_read(gradient), windows, windows, none, none, none, forward, attr);
#else
    dnnl_pooling_desc_t operation;
    dnnl_status_t status = dnnl_pooling_backward_desc_init(
        &operation, dnnl_pooling_avg_exclude_padding, onednn_read(source_gradient),
        onednn_read(gradient), windows, windows, none, none);
    return onednn_describe(out, status, &operation, engine, forward, attr);
#endif
}

static inline dnnl_status_t onednn_inner_product_forward(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, dnnl_prop_kind_t kind, onednn_layout source,
    onednn_layout weights, onednn_layout bias, onednn_layout destination,
    const_dnnl_primitive_attr_t attr) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_inner_product_forward_primitive_desc_create(
        out, engine, kind, onednn_read(source), onednn_read(weights), onednn_read(bias),
        onednn_read(destination), attr);
#else
    dnnl_inner_product_desc_t operation;
    dnnl_status_t status = dnnl_inner_product_forward_desc_init(
        &operation, kind, onednn_read(source), onednn_read(weights), onednn_read(bias),
        onednn_read(destination));
    return onednn_describe(out, status, &operation, engine, NULL, attr);
#endif
}

static inline dnnl_status_t onednn_inner_product_backward_data(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, onednn_layout source_gradient,
    onednn_layout weights, onednn_layout gradient, const_dnnl_primitive_desc_t forward,
    const_dnnl_primitive_attr_t attr) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_inner_product_backward_data_primitive_desc_create(
        out, engine, onednn_read(source_gradient), onednn_read(weights), onednn_read(gradient),
        forward, attr);
#else
    dnnl_inner_product_desc_t operation;
    dnnl_status_t status = dnnl_inner_product_backward_data_desc_init(
        &operation, onednn_read(source_gradient), onednn_read(weights), onednn_read(gradient));
    return onednn_describe(out, status, &operation, engine, forward, attr);
#endif
}

static inline dnnl_status_t onednn_inner_product_backward_weights(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, onednn_layout source,
    onednn_layout weights_gradient, onednn_layout bias_gradient, onednn_layout gradient,
    const_dnnl_primitive_desc_t forward, const_dnnl_primitive_attr_t attr) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_inner_product_backward_weights_primitive_desc_create(
        out, engine, onednn_read(source), onednn_read(weights_gradient),
        onednn_read(bias_gradient), onednn_read(gradient), forward, attr);
#else
    dnnl_inner_product_desc_t operation;
    dnnl_status_t status = dnnl_inner_product_backward_weights_desc_init(
        &operation, onednn_read(source), onednn_read(weights_gradient),
        onednn_read(bias_gradient), onednn_read(gradient));
    return onednn_describe(out, status, &operation, engine, forward, attr);
#endif
}
