// Vectors of 16 floats. The including file defines `TARGET` and `INLINE`.

typedef __m512 vector;

enum { lanes = 16 };
// Twenty-four sums, a panel's two vectors and a factor in thirty-two registers.
#define MOST_ROWS 12

INLINE vector all(float x) { return _mm512_set1_ps(x); }
INLINE vector load(const float *from) { return _mm512_loadu_ps(from); }
INLINE void store(float *to, vector x) { _mm512_storeu_ps(to, x); }
INLINE vector add(vector x, vector y) { return _mm512_add_ps(x, y); }
INLINE vector subtract(vector x, vector y) { return _mm512_sub_ps(x, y); }
INLINE vector multiply(vector x, vector y) { return _mm512_mul_ps(x, y); }
/// x·y + z.
INLINE vector multiply_add(vector x, vector y, vector z) { return _mm512_fmadd_ps(x, y, z); }
/// z − x·y.
INLINE vector subtract_product(vector z, vector x, vector y) { return _mm512_fnmadd_ps(x, y, z); }
/// The larger; y where one is not a number.
INLINE vector larger(vector x, vector y) { return _mm512_max_ps(x, y); }

/// 16×16 numbers, rows to columns.
INLINE void transpose(const float *from, float *to) {
    vector r[lanes], s[lanes];
    UNROLL for (int i = 0; i < lanes; i++) r[i] = load(from + i * lanes);
    UNROLL for (int i = 0; i < lanes; i += 2) {
        s[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        s[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    // Then r[4·g + k] has column 4·q + k of the four rows from 4·g on in its quarter q.
    UNROLL for (int i = 0; i < lanes; i += 4) {
        r[i] = _mm512_shuffle_ps(s[i], s[i + 2], 0x44);
        r[i + 1] = _mm512_shuffle_ps(s[i], s[i + 2], 0xee);
        r[i + 2] = _mm512_shuffle_ps(s[i + 1], s[i + 3], 0x44);
        r[i + 3] = _mm512_shuffle_ps(s[i + 1], s[i + 3], 0xee);
    }
    UNROLL for (int k = 0; k < 4; k++) {
        const vector even_low = _mm512_shuffle_f32x4(r[k], r[4 + k], 0x88);
        const vector even_high = _mm512_shuffle_f32x4(r[8 + k], r[12 + k], 0x88);
        const vector odd_low = _mm512_shuffle_f32x4(r[k], r[4 + k], 0xdd);
        const vector odd_high = _mm512_shuffle_f32x4(r[8 + k], r[12 + k], 0xdd);
        store(to + k * lanes, _mm512_shuffle_f32x4(even_low, even_high, 0x88));
        store(to + (4 + k) * lanes, _mm512_shuffle_f32x4(odd_low, odd_high, 0x88));
        store(to + (8 + k) * lanes, _mm512_shuffle_f32x4(even_low, even_high, 0xdd));
        store(to + (12 + k) * lanes, _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd));
    }
}
