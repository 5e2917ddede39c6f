// From pixels and weights to points, and back.

// The points ±a and ±b, and the factors 1 / Π (p − q) over the other points q of each point p.
#define a 0.625f
#define b 1.5f
#define a2 (a * a)
#define b2 (b * b)
#define scale_0 (1 / (a2 * b2))
#define scale_a (1 / (2 * a2 * (a2 - b2)))
#define scale_b (1 / (2 * b2 * (b2 - a2)))

INLINE vector times(float x, vector y) { return multiply(all(x), y); }
/// x·y + z.
INLINE vector plus(float x, vector y, vector z) { return multiply_add(all(x), y, z); }
/// z − x·y.
INLINE vector minus(float x, vector y, vector z) { return subtract_product(z, all(x), y); }

/// Six inputs to six points.
INLINE void input_to_points(const vector *x, vector *p) {
    const vector even_a = minus(b2, x[2], x[4]), odd_a = times(a, minus(b2, x[1], x[3]));
    const vector even_b = minus(a2, x[2], x[4]), odd_b = times(b, minus(a2, x[1], x[3]));
    p[0] = plus(a2 * b2, x[0], minus(a2 + b2, x[2], x[4]));
    p[1] = add(even_a, odd_a);
    p[2] = subtract(even_a, odd_a);
    p[3] = add(even_b, odd_b);
    p[4] = subtract(even_b, odd_b);
    p[5] = plus(a2 * b2, x[1], minus(a2 + b2, x[3], x[5]));
}

/// The products at six points to four outputs.
INLINE void points_to_output(const vector *p, vector *y) {
    const vector sum_a = add(p[1], p[2]), difference_a = subtract(p[1], p[2]);
    const vector sum_b = add(p[3], p[4]), difference_b = subtract(p[3], p[4]);
    y[0] = add(p[0], add(sum_a, sum_b));
    y[1] = plus(a, difference_a, times(b, difference_b));
    y[2] = plus(a2, sum_a, times(b2, sum_b));
    y[3] = plus(a2 * a, difference_a, plus(b2 * b, difference_b, p[5]));
}

/// The gradients of four outputs to six points: the transpose of the above.
INLINE void gradient_to_points(const vector *y, vector *p) {
    const vector even_a = plus(a2, y[2], y[0]), odd_a = times(a, plus(a2, y[3], y[1]));
    const vector even_b = plus(b2, y[2], y[0]), odd_b = times(b, plus(b2, y[3], y[1]));
    p[0] = y[0];
    p[1] = add(even_a, odd_a);
    p[2] = subtract(even_a, odd_a);
    p[3] = add(even_b, odd_b);
    p[4] = subtract(even_b, odd_b);
    p[5] = y[3];
}

/// Three weights to six points.
INLINE void weights_to_points(const vector *w, vector *p) {
    const vector even_a = times(scale_a, plus(a2, w[2], w[0])), odd_a = times(scale_a * a, w[1]);
    const vector even_b = times(scale_b, plus(b2, w[2], w[0])), odd_b = times(scale_b * b, w[1]);
    p[0] = times(scale_0, w[0]);
    p[1] = add(even_a, odd_a);
    p[2] = subtract(even_a, odd_a);
    p[3] = add(even_b, odd_b);
    p[4] = subtract(even_b, odd_b);
    p[5] = w[2];
}

/// The gradients at six points to those of three weights: the transpose of the above.
INLINE void points_to_weight_gradient(const vector *p, vector *w) {
    const vector sum_a = times(scale_a, add(p[1], p[2]));
    const vector sum_b = times(scale_b, add(p[3], p[4]));
    const vector difference_a = times(scale_a * a, subtract(p[1], p[2]));
    const vector difference_b = times(scale_b * b, subtract(p[3], p[4]));
    w[0] = plus(scale_0, p[0], add(sum_a, sum_b));
    w[1] = add(difference_a, difference_b);
    w[2] = plus(a2, sum_a, plus(b2, sum_b, p[5]));
}

#undef a
#undef b
#undef a2
#undef b2
#undef scale_0
#undef scale_a
#undef scale_b
