#include "processor.h"

#include <time.h>

enum { rounds = 8, steps = 2000000 };

// Twelve independent sums hide the latency of a multiply-add on every CPU known to us. They are
// named variables, because compilers keep an array of vectors in memory.
#define EACH(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11)
enum { sums = 12 };

static volatile float sink;

static double thread_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/// The best rate of several rounds of `loop`, which does `operations` each.
static double best_rate(void (*loop)(void), double operations) {
    double best = 0;
    for (int round = 0; round < rounds; round++) {
        const double start = thread_seconds();
        loop();
        const double rate = operations / (thread_seconds() - start);
        if (rate > best) best = rate;
    }
    return best;
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define DECLARE_256(i) __m256 sum##i = _mm256_set1_ps(1e-3f * i);
#define MULTIPLY_ADD_256(i) sum##i = _mm256_fmadd_ps(sum##i, factor, summand);
#define TOTAL_256(i) total = _mm256_add_ps(total, sum##i);
__attribute__((target("avx2,fma"))) static void loop_avx2(void) {
    const __m256 factor = _mm256_set1_ps(0.999f), summand = _mm256_set1_ps(1e-6f);
    EACH(DECLARE_256)
    for (long step = 0; step < steps; step++) {
        EACH(MULTIPLY_ADD_256)
        // The empty statement keeps the loop.
        __asm__ volatile("" : "+x"(sum0));
    }
    __m256 total = _mm256_setzero_ps();
    EACH(TOTAL_256)
    sink = total[0];
}

#define DECLARE_512(i) __m512 sum##i = _mm512_set1_ps(1e-3f * i);
#define MULTIPLY_ADD_512(i) sum##i = _mm512_fmadd_ps(sum##i, factor, summand);
#define TOTAL_512(i) total = _mm512_add_ps(total, sum##i);
__attribute__((target("avx512f"))) static void loop_avx512(void) {
    const __m512 factor = _mm512_set1_ps(0.999f), summand = _mm512_set1_ps(1e-6f);
    EACH(DECLARE_512)
    for (long step = 0; step < steps; step++) {
        EACH(MULTIPLY_ADD_512)
        __asm__ volatile("" : "+v"(sum0));
    }
    __m512 total = _mm512_setzero_ps();
    EACH(TOTAL_512)
    sink = total[0];
}

#define MULTIPLY_ADD_BF16(i) sum##i = _mm512_dpbf16_ps(sum##i, factor, factor);
__attribute__((target("avx512f,avx512bf16"))) static void loop_bfloat16(void) {
    const __m512bh factor =
        _mm512_cvtne2ps_pbh(_mm512_set1_ps(1e-3f), _mm512_set1_ps(1e-3f));
    EACH(DECLARE_512)
    for (long step = 0; step < steps; step++) {
        EACH(MULTIPLY_ADD_BF16)
        __asm__ volatile("" : "+v"(sum0));
    }
    __m512 total = _mm512_setzero_ps();
    EACH(TOTAL_512)
    sink = total[0];
}

static int has_bfloat16(void) {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __builtin_cpu_supports("avx512f") && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)
        && (eax & (1u << 5)) != 0;
}
#endif

// Vectors of 4, which every 64-bit CPU has.
typedef float float4 __attribute__((vector_size(16)));
#define DECLARE_128(i) float4 sum##i = {1e-3f * i, 0, 0, 0};
#define MULTIPLY_ADD_128(i) sum##i = sum##i * factor + summand;
#define TOTAL_128(i) total += sum##i;
static void loop_portable(void) {
    const float4 factor = {0.999f, 0.999f, 0.999f, 0.999f};
    const float4 summand = {1e-6f, 1e-6f, 1e-6f, 1e-6f};
    EACH(DECLARE_128)
    for (long step = 0; step < steps; step++) {
        EACH(MULTIPLY_ADD_128)
        __asm__ volatile("" ::: "memory");
    }
    float4 total = {0, 0, 0, 0};
    EACH(TOTAL_128)
    sink = total[0];
}

double processor_peak_float32(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return best_rate(loop_avx512, 32.0 * sums * steps);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return best_rate(loop_avx2, 16.0 * sums * steps);
#endif
    return best_rate(loop_portable, 8.0 * sums * steps);
}

double processor_peak_bfloat16(void) {
#if defined(__x86_64__)
    if (has_bfloat16()) return best_rate(loop_bfloat16, 64.0 * sums * steps);
#endif
    return 0;
}

int processor_has_avx512(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}
