// Prints the float32 multiply-add rate of one core with AVX2, in GFLOP/s of CPU time: the figure
// that the ratios in docs/performance.md are to. Build: cc -O2 -mavx2 -mfma peak.c -o peak
#include <immintrin.h>
#include <stdio.h>
#include <time.h>

enum { registers = 12, rounds = 8 };

// Named variables, because compilers keep an array of vectors in memory.
#define EACH(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11)
#define DECLARE(i) __m256 sum##i = _mm256_set1_ps(1e-3f * i);
#define MULTIPLY_ADD(i) sum##i = _mm256_fmadd_ps(sum##i, factor, summand);
#define TOTAL(i) total = _mm256_add_ps(total, sum##i);

static double cpu_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec + 1e-9 * time.tv_nsec;
}

int main(void) {
    const long steps = 10000000;
    const __m256 factor = _mm256_set1_ps(0.999f), summand = _mm256_set1_ps(1e-6f);
    double best = 0;
    for (int round = 0; round < rounds; round++) {
        EACH(DECLARE)
        const double start = cpu_seconds();
        for (long step = 0; step < steps; step++) {
            EACH(MULTIPLY_ADD)
            // The empty statement keeps the loop.
            __asm__ volatile("" : "+x"(sum0));
        }
        const double seconds = cpu_seconds() - start;
        __m256 total = _mm256_setzero_ps();
        EACH(TOTAL)
        volatile float used = total[0];
        (void)used;
        const double rate = 16.0 * registers * steps / seconds / 1e9;
        if (rate > best) best = rate;
    }
    printf("peak: %.1f GFLOP/s\n", best);
    return 0;
}
