#include "api/machine_peak.h"

#include <chrono>

namespace qlathe {

#if defined(__x86_64__)
namespace {

constexpr int kRounds = 200000;

#define QL_CLOBBERED \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14", "xmm15"

template <class Body>
double rounds_per_second(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  // Zeros: denormal numbers left in a register would slow multiply-adds down.
  asm volatile("vzeroall" ::: QL_CLOBBERED, "xmm12", "xmm13");
  for (int i = 0; i < kRounds; i++)
    body();
  return kRounds / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Twelve accumulators that never leave their registers: more than latency times throughput on any processor so far.
#define QL_TWELVE(op, a, b, r)                                                                                     \
  op " " a ", " b ", " r "0\n" op " " a ", " b ", " r "1\n" op " " a ", " b ", " r "2\n" op " " a ", " b ", " r    \
     "3\n" op " " a ", " b ", " r "4\n" op " " a ", " b ", " r "5\n" op " " a ", " b ", " r "6\n" op " " a ", " b  \
     ", " r "7\n" op " " a ", " b ", " r "8\n" op " " a ", " b ", " r "9\n" op " " a ", " b ", " r "10\n" op " " a \
     ", " b ", " r "11\n"
void dot_512() { asm volatile(QL_TWELVE("vpdpbusd", "%%zmm14", "%%zmm15", "%%zmm")::: QL_CLOBBERED); }
void fma_512() { asm volatile(QL_TWELVE("vfmadd231ps", "%%zmm14", "%%zmm15", "%%zmm")::: QL_CLOBBERED); }
void dot_256() { asm volatile(QL_TWELVE("%{vex%} vpdpbusd", "%%ymm14", "%%ymm15", "%%ymm")::: QL_CLOBBERED); }
void fma_256() { asm volatile(QL_TWELVE("vfmadd231ps", "%%ymm14", "%%ymm15", "%%ymm")::: QL_CLOBBERED); }
/// vpmaddwd and the addition that has to follow it, six of each.
void madd_256() {
  asm volatile(
      "vpmaddwd %%ymm14, %%ymm15, %%ymm6\n vpmaddwd %%ymm14, %%ymm15, %%ymm7\n vpmaddwd %%ymm14, %%ymm15, %%ymm8\n"
      "vpmaddwd %%ymm14, %%ymm15, %%ymm9\n vpmaddwd %%ymm14, %%ymm15, %%ymm10\n vpmaddwd %%ymm14, %%ymm15, %%ymm11\n"
      "vpaddd %%ymm6, %%ymm0, %%ymm0\n vpaddd %%ymm7, %%ymm1, %%ymm1\n vpaddd %%ymm8, %%ymm2, %%ymm2\n"
      "vpaddd %%ymm9, %%ymm3, %%ymm3\n vpaddd %%ymm10, %%ymm4, %%ymm4\n vpaddd %%ymm11, %%ymm5, %%ymm5\n" ::
          : QL_CLOBBERED);
}

}  // namespace

double measure_dot_peak(const Target& target) {
  if (!host_can_run(target)) return 0;
  if (target.vector_bits == 512 && target.dot.name == "vpdpbusd") return rounds_per_second(dot_512) * 12 * 64;
  if (target.vector_bits == 256 && target.dot.name == "vpdpbusd") return rounds_per_second(dot_256) * 12 * 32;
  if (target.vector_bits == 256 && target.dot.name == "vpmaddwd") return rounds_per_second(madd_256) * 6 * 16;
  return 0;
}

double measure_fma_peak(const Target& target) {
  if (!host_can_run(target)) return 0;
  if (target.vector_bits == 512) return rounds_per_second(fma_512) * 12 * 16;
  if (target.vector_bits == 256) return rounds_per_second(fma_256) * 12 * 8;
  return 0;
}
#else
double measure_dot_peak(const Target&) { return 0; }
double measure_fma_peak(const Target&) { return 0; }
#endif

}  // namespace qlathe
