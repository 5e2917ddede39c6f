#include "common.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline)) TARGET

typedef __m256 vector;

enum { lanes = 8 };
// Twelve sums, a panel's two vectors and a factor in sixteen registers.
#define MOST_ROWS 6

INLINE vector all(float x) { return _mm256_set1_ps(x); }
INLINE vector load(const float *from) { return _mm256_loadu_ps(from); }
INLINE void store(float *to, vector x) { _mm256_storeu_ps(to, x); }
INLINE vector add(vector x, vector y) { return _mm256_add_ps(x, y); }
INLINE vector subtract(vector x, vector y) { return _mm256_sub_ps(x, y); }
INLINE vector multiply(vector x, vector y) { return _mm256_mul_ps(x, y); }
/// x·y + z.
INLINE vector multiply_add(vector x, vector y, vector z) { return _mm256_fmadd_ps(x, y, z); }
/// z − x·y.
INLINE vector subtract_product(vector z, vector x, vector y) { return _mm256_fnmadd_ps(x, y, z); }
/// The larger; y where one is not a number.
INLINE vector larger(vector x, vector y) { return _mm256_max_ps(x, y); }

/// 8×8 numbers, rows to columns.
INLINE void transpose(const float *from, float *to) {
    vector r[lanes], s[lanes];
    UNROLL for (int i = 0; i < lanes; i++) r[i] = load(from + i * lanes);
    UNROLL for (int i = 0; i < lanes; i += 2) {
        s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL for (int i = 0; i < lanes; i += 4) {
        r[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        store(to + i * lanes, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        store(to + (i + 4) * lanes, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

#include "float32.h"
#include "kernels.h"

const winograd_kernels *winograd_kernels_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kernels : NULL;
}

#else

const winograd_kernels *winograd_kernels_avx2(void) { return NULL; }

#endif
