#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bf16")))
#define INLINE static inline __attribute__((always_inline)) TARGET

#include "avx512.h"

/// The upper half of a float32.
typedef unsigned short element;

INLINE vector widen(__m256i halves) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
/// To nearest, ties to even; what is smaller than the smallest normal number becomes 0, as in oneDNN.
INLINE __m256i rounded(vector x) { return (__m256i)_mm512_cvtneps_pbh(x); }

INLINE vector load_element(const element *from) {
    return widen(_mm256_loadu_si256((const __m256i *)from));
}
INLINE void store_element(element *to, vector x) {
    _mm256_storeu_si256((__m256i *)to, rounded(x));
}
INLINE vector load_weights(const float *from) { return widen(rounded(load(from))); }

#include "kernels.h"

const winograd_kernels *winograd_kernels_avx512_bfloat16(void) {
    return __builtin_cpu_supports("avx512bf16") ? &kernels : NULL;
}

#else

const winograd_kernels *winograd_kernels_avx512_bfloat16(void) { return NULL; }

#endif
