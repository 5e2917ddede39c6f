#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))
#define INLINE static inline __attribute__((always_inline)) TARGET

#include "avx512.h"

#include "float32.h"
#include "kernels.h"

const winograd_kernels *winograd_kernels_avx512(void) {
    return __builtin_cpu_supports("avx512f") ? &kernels : NULL;
}

#else

const winograd_kernels *winograd_kernels_avx512(void) { return NULL; }

#endif
