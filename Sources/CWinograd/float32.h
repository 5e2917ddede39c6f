// Activations of float32.

typedef float element;

INLINE vector load_element(const element *from) { return load(from); }
INLINE void store_element(element *to, vector x) { store(to, x); }
INLINE vector load_weights(const float *from) { return load(from); }
