#ifndef ALSWEEP_PROCESSOR_H
#define ALSWEEP_PROCESSOR_H

/// The float32 multiply-add rate that the calling thread's core reaches in registers, with the
/// widest vectors it has: in floating-point operations per second of the thread's CPU time, a
/// multiply-add counted as two. Takes about a second.
double processor_peak_float32(void);

/// The same of products of bfloat16 that are added up in float32; 0 where the CPU cannot multiply
/// bfloat16 in vectors. Tiles (AMX) are not counted.
double processor_peak_bfloat16(void);

/// Whether the CPU has the AVX-512 instructions of a Skylake server: F, BW, CD, DQ and VL.
int processor_has_avx512(void);

#endif
