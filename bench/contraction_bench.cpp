// Contractions and depthwise convolutions by Halide objects, as a fraction of the dot instruction's peak that the same
// run measures, in turns. Outputs are compared with the reference.
#include <immintrin.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>

#include "codegen/halide/object.h"
#include "schedule/target.h"
#include "tests/contraction/contraction_cases.h"

namespace qlathe::testing {
namespace {

double seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// vpdpbusd on 20 accumulators that never leave their registers: operations (2 a multiply-accumulate) a second.
__attribute__((target("avx512f,avx512vnni"), noinline)) double dot_peak() {
  constexpr int kRounds = 20000;
  const double t = seconds([] {
    for (int i = 0; i < kRounds; i++) {
      asm volatile(
          "vpdpbusd %%zmm30, %%zmm31, %%zmm0\n vpdpbusd %%zmm30, %%zmm31, %%zmm1\n vpdpbusd %%zmm30, %%zmm31, %%zmm2\n"
          "vpdpbusd %%zmm30, %%zmm31, %%zmm3\n vpdpbusd %%zmm30, %%zmm31, %%zmm4\n vpdpbusd %%zmm30, %%zmm31, %%zmm5\n"
          "vpdpbusd %%zmm30, %%zmm31, %%zmm6\n vpdpbusd %%zmm30, %%zmm31, %%zmm7\n vpdpbusd %%zmm30, %%zmm31, %%zmm8\n"
          "vpdpbusd %%zmm30, %%zmm31, %%zmm9\n vpdpbusd %%zmm30, %%zmm31, %%zmm10\n vpdpbusd %%zmm30, %%zmm31, "
          "%%zmm11\n"
          "vpdpbusd %%zmm30, %%zmm31, %%zmm12\n vpdpbusd %%zmm30, %%zmm31, %%zmm13\n vpdpbusd %%zmm30, %%zmm31, "
          "%%zmm14\n"
          "vpdpbusd %%zmm30, %%zmm31, %%zmm15\n vpdpbusd %%zmm30, %%zmm31, %%zmm16\n vpdpbusd %%zmm30, %%zmm31, "
          "%%zmm17\n"
          "vpdpbusd %%zmm30, %%zmm31, %%zmm18\n vpdpbusd %%zmm30, %%zmm31, %%zmm19\n" ::
              : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                "xmm12", "xmm13", "xmm14", "xmm15");
    }
  });
  return kRounds * 20.0 * 64 * 2 / t;
}

/// The same for vpmaddwd on bytes that are words already, with the addition it lacks.
__attribute__((target("avx2"), noinline)) double madd_peak() {
  constexpr int kRounds = 20000;
  const double t = seconds([] {
    for (int i = 0; i < kRounds; i++) {
#define QL_MADD_ADD(acc, product)             \
  "vpmaddwd %%ymm15, %%ymm14, %%ymm" #product \
  "\n"                                        \
  "vpaddd %%ymm" #product ", %%ymm" #acc ", %%ymm" #acc "\n"
      asm volatile(QL_MADD_ADD(0, 10) QL_MADD_ADD(1, 11) QL_MADD_ADD(2, 12) QL_MADD_ADD(3, 13) QL_MADD_ADD(4, 10)
                       QL_MADD_ADD(5, 11) QL_MADD_ADD(6, 12) QL_MADD_ADD(7, 13) QL_MADD_ADD(8, 10) QL_MADD_ADD(9, 11)::
                           : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
                             "xmm11", "xmm12", "xmm13");
#undef QL_MADD_ADD
    }
  });
  return kRounds * 10.0 * 16 * 2 / t;
}

/// Of the target's own dot form.
double dot_peak(const Target& target) { return target.dot.name == "vpmaddwd" ? madd_peak() : dot_peak(); }

/// Sequential reads of a buffer, bytes a second.
__attribute__((target("avx512f"), noinline)) void read_all(const uint8_t* data, size_t bytes) {
  __m512i sum[4] = {};
  for (size_t i = 0; i + 256 <= bytes; i += 256) {
    for (size_t j = 0; j < 4; j++)
      sum[j] = _mm512_xor_si512(sum[j], _mm512_loadu_si512(data + i + j * 64));
  }
  sum[0] = _mm512_xor_si512(_mm512_xor_si512(sum[0], sum[1]), _mm512_xor_si512(sum[2], sum[3]));
  asm volatile("" ::"v"(sum[0]));
}
double read_bandwidth(const uint8_t* data, size_t bytes) {
  return static_cast<double>(bytes) / seconds([&] { read_all(data, bytes); });
}

ContractionSpec dense(int64_t m, int64_t k, int64_t n) {
  ContractionSpec s;
  s.label = "gemm " + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n);
  s.spatial = {m};
  s.windows = {Window{}};
  s.k = k;
  s.n = n;
  return s;
}

ContractionSpec conv(int64_t size, int64_t kernel, int64_t k, int64_t n) {
  ContractionSpec s;
  s.label = "conv " + std::to_string(kernel) + "x" + std::to_string(kernel) + " " + std::to_string(size) + "^2x" +
            std::to_string(k) + "->" + std::to_string(n);
  s.spatial = {size + kernel - 1, size + kernel - 1};
  s.windows = {Window{kernel, 1, 1}, Window{kernel, 1, 1}};
  s.k = k;
  s.n = n;
  return s;
}

/// Bias, per-channel scale, round and clamp to a byte.
ContractionSpec to_bytes(ContractionSpec s) {
  HostTensor bias(ValueType::kI32, {s.n}), scale(ValueType::kF32, {s.n});
  for (int64_t i = 0; i < s.n; i++) {
    bias.set_int(i, 100 * i - 500);
    scale.as<float>()[static_cast<size_t>(i)] = 0.002f + 0.00001f * static_cast<float>(i);
  }
  s.extra = {bias, scale};
  PointwiseStep add{.op = "add", .type = ValueType::kI32, .operands = {kContractionExtra}};
  PointwiseStep real{.op = "cast", .type = ValueType::kF32};
  PointwiseStep mul{.op = "mul", .type = ValueType::kF32, .operands = {kContractionExtra + 1}};
  PointwiseStep cast{.op = "cast", .type = ValueType::kU8};
  s.steps = {add, real, mul, cast};
  return s;
}

ContractionSpec matrix_vector(ValueType lhs, ValueType rhs, ValueType accumulator, int64_t blocks) {
  ContractionSpec s = dense(1, 4096, 4096);
  s.lhs_type = lhs;
  s.rhs_type = rhs;
  s.accumulator = accumulator;
  s.blocks = blocks;
  using O = ContractionSpec::Operand;
  if (accumulator == ValueType::kI32) s.lhs_scale = O::kOne;
  s.rhs_scale = blocks > 1 ? O::kPerBlock : O::kPerChannel;
  s.label = std::string("matvec 4096 ") + name(lhs) + "*" + name(rhs) + " blocks " + std::to_string(blocks);
  return s;
}

/// Its blocks with integer multipliers in place of scales.
ContractionSpec block_int(ContractionSpec s) {
  s.rhs_multiplier = true;
  s.label += ", multipliers";
  return s;
}

/// 8-bit depthwise convolution of `channels`, then bytes again.
ContractionSpec depthwise(int64_t size, int64_t kernel, int64_t channels) {
  ContractionSpec s = conv(size, kernel, channels, channels);
  s = to_bytes(s);
  s.n = 1;
  s.label = "depthwise " + std::to_string(kernel) + "x" + std::to_string(kernel) + " " + std::to_string(size) + "^2x" +
            std::to_string(channels);
  return s;
}

struct Line {
  ContractionSpec spec;
  bool bandwidth = false;
  bool depthwise = false;
};

int main_of(int argc, char** argv) {
  const Target* target = TargetRegistry::find(argc > 1 ? argv[1] : "x86-64-avx512vnni");
  const std::string filter = argc > 2 ? argv[2] : "";
  if (target == nullptr || !host_can_run(*target) || !host_can_run(*TargetRegistry::find("x86-64-avx512vnni"))) {
    std::puts("not measured: this machine lacks AVX-512 VNNI or the target");
    return 0;
  }
  using V = ValueType;
  const std::vector<Line> all = {
      {to_bytes(dense(128, 1024, 1024))},
      {to_bytes(dense(512, 512, 512))},
      {to_bytes(conv(56, 3, 64, 64))},
      {to_bytes(conv(28, 1, 256, 512))},
      {to_bytes(conv(14, 3, 256, 256))},
      {to_bytes(conv(7, 3, 512, 512))},
      {to_bytes(conv(13, 1, 192, 384))},
      {to_bytes(dense(8, 16, 64))},
      {to_bytes(dense(8, 64, 16))},
      {to_bytes(conv(26, 3, 1, 8))},
      {to_bytes(conv(112, 3, 3, 32))},
      {depthwise(112, 3, 96), false, true},
      {depthwise(28, 5, 240), false, true},
      {depthwise(14, 3, 512), false, true},
      {matrix_vector(V::kU8, V::kI8, V::kI32, 1), true},
      {matrix_vector(V::kU8, V::kI4, V::kI32, 1), true},
      {matrix_vector(V::kU8, V::kI4, V::kI32, 128), true},
      {block_int(matrix_vector(V::kI8, V::kI4, V::kI32, 128)), true},
      {matrix_vector(V::kF32, V::kI8, V::kF32, 1), true},
      {matrix_vector(V::kF32, V::kI4, V::kF32, 1), true},
  };
  std::vector<Line> lines;
  std::vector<NodeCase> cases;
  for (const Line& line : all) {
    if (line.spec.label.find(filter) == std::string::npos) continue;
    lines.push_back(line);
    cases.push_back(line.depthwise ? make_depthwise(line.spec, 7) : make_contraction(line.spec, 7));
  }
  const auto loaded = load_nodes(cases, *target);
  if (!loaded.ok()) {
    std::puts(loaded.status().text().c_str());
    return 1;
  }
  std::printf("%-44s %-26s %10s %9s %7s\n", "layer", "tile", "us", "GOP/s", "of peak");
  bool right = true;
  for (size_t i = 0; i < lines.size(); i++) {
    const BoundNode bound(cases[i], (*loaded)[i]);
    bound.run();
    if (!(bound.result() == reference_result(cases[i]))) {
      std::printf("%-44s WRONG OUTPUT\n", lines[i].spec.label.c_str());
      right = false;
      continue;
    }
    int64_t macs = 0;
    size_t bytes = 0;
    for (const LoweredCall& call : (*loaded)[i].lowering.calls)
      macs += call.macs;
    for (const PackedConstant& constant : (*loaded)[i].lowering.constants)
      bytes = std::max(bytes, constant.bytes.size());
    std::vector<uint8_t> weights(lines[i].bandwidth ? bytes + 64 : 0, 1);
    const int repeats = static_cast<int>(std::max<int64_t>(1, 4000000 / std::max<int64_t>(macs, 1)));
    double best = 1e9, peak = 0, bandwidth = 0;
    for (int round = 0; round < (lines[i].bandwidth ? 40 : 60); round++) {
      const double t = seconds([&] {
        for (int r = 0; r < repeats; r++)
          bound.run();
      });
      best = std::min(best, t / repeats);
      peak = std::max(peak, dot_peak(*target));
      if (lines[i].bandwidth) bandwidth = std::max(bandwidth, read_bandwidth(weights.data(), bytes));
    }
    const double rate = 2.0 * static_cast<double>(macs) / best;
    const LoweredCall& call = (*loaded)[i].lowering.calls.back();
    const std::string tile = call.description.substr(call.description.find("tile"));
    std::printf("%-44s %-26s %10.2f %9.1f %6.1f%%", lines[i].spec.label.c_str(), tile.c_str(), best * 1e6, rate * 1e-9,
                100 * rate / peak);
    if (lines[i].bandwidth)
      std::printf("  %5.1f%% of read bandwidth (%.1f GB/s)", 100 * static_cast<double>(bytes) / best / bandwidth,
                  bandwidth * 1e-9);
    std::printf("\n");
    for (const std::string& note : call.notes)
      if (argc > 3) std::printf("    %s\n", note.c_str());
    if (argc > 3 && std::string(argv[3]) == "asm") {
      for (const LoadedKernel& kernel : (*loaded)[i].kernels) {
        std::puts(kernel.kernel().text().c_str());
        const auto object = compile_object({kernel.kernel()}, "unit");
        std::ofstream("/tmp/contraction-bench.o", std::ios::binary)
            .write(reinterpret_cast<const char*>(object->data()), static_cast<std::streamsize>(object->size()));
        if (std::system("objdump -d --no-show-raw-insn -Mintel /tmp/contraction-bench.o") != 0) return 1;
      }
    }
  }
  return right ? 0 : 1;
}

}  // namespace
}  // namespace qlathe::testing

int main(int argc, char** argv) { return qlathe::testing::main_of(argc, argv); }
