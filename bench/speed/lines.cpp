#include "bench/speed/lines.h"

#include "bench/speed/models.h"

namespace qlathe::bench {
namespace {

constexpr const char* kVnni = "x86-64-avx512vnni";
constexpr const char* kAvx2 = "x86-64-avx2";
/// What emitted C++ and a second thread should reach everywhere.
constexpr double kCpp = 0.97, kNeverSlower = 0.97, kScales = 1.8;

Line products(std::string name, std::function<Result<Graph>()> graph, double share, double two_threads) {
  return {.group = "products",
          .name = std::move(name),
          .target = kVnni,
          .graph = std::move(graph),
          .against = Against::kDotPeak,
          .share = share,
          .cpp = kCpp,
          .two_threads = two_threads};
}

Line vector_product(std::string name, std::string rules, Against against, double share) {
  return {.group = "matrix-vector",
          .name = std::move(name),
          .target = kVnni,
          .graph = [rules] { return matrix_vector(4096, 4096, rules); },
          .against = against,
          .share = share,
          .cpp = kCpp};
}

/// Ops that move more than they compute.
void add_memory_lines(std::vector<Line>& lines) {
  const auto line = [&](std::string name, std::string fields, Shape shape, ValueType type = ValueType::kF32,
                        int inputs = 1) {
    lines.push_back({.group = "memory",
                     .name = std::move(name),
                     .target = kVnni,
                     .graph = [fields, shape, type, inputs] { return one_op(fields, shape, type, inputs); },
                     .against = Against::kCopy});
  };
  const Shape map = {1, 112, 112, 64}, square = {1024, 1024};
  line("relu 1024x1024", R"("op": "relu")", square);
  line("add 1024x1024", R"("op": "add")", square, ValueType::kF32, 2);
  line("quantize 1024x1024", R"("op": "quantize", "type": "int8", "scale": 0.02)", square);
  line("sigmoid 1024x1024", R"("op": "sigmoid")", square);
  line("gelu 1024x1024", R"("op": "gelu")", square);
  line("softmax 1024x1024", R"("op": "softmax")", square);
  line("softmax 12x128x128", R"("op": "softmax")", {12, 128, 128});
  line("softmax 1000x10", R"("op": "softmax")", {1000, 10});
  line("layer_norm 512x768", R"("op": "layer_norm")", {512, 768});
  line("rms_norm 512x768", R"("op": "rms_norm")", {512, 768});
  line("max_pool 2x2 112x112x64", R"("op": "max_pool", "window": [2, 2])", map);
  line("max_pool 2x2 112x112x64 int8", R"("op": "max_pool", "window": [2, 2])", map, ValueType::kI8);
  line("max_pool 3x3, stride 2 112x112x64", R"("op": "max_pool", "window": [3, 3], "strides": 2, "padding": "SAME")",
       map);
  line("avg_pool 2x2 112x112x64", R"("op": "avg_pool", "window": [2, 2])", map);
  line("avg_pool 3x3 112x112x64", R"("op": "avg_pool", "window": [3, 3], "strides": 1, "padding": "SAME")", map);
  line("max_pool 2x2 224x224x1", R"("op": "max_pool", "window": [2, 2])", {8, 224, 224, 1});
  line("avg_pool 2x2 224x224x1", R"("op": "avg_pool", "window": [2, 2])", {8, 224, 224, 1});
  line("max_pool 2x2 224x224x3 int8", R"("op": "max_pool", "window": [2, 2])", {8, 224, 224, 3}, ValueType::kI8);
  line("global_avg_pool 16x14x14x256", R"("op": "global_avg_pool")", {16, 14, 14, 256});
  line("mean of rows 1024x1024", R"("op": "mean", "axes": [1])", square);
  line("sum of columns 1024x1024", R"("op": "sum", "axes": [0])", square);
  line("reduce_max of rows 1024x1024", R"("op": "reduce_max", "axes": [1])", square);
  line("transpose 1024x1024", R"("op": "transpose", "permutation": [1, 0])", square);
  line("transpose 1024x1024 int8", R"("op": "transpose", "permutation": [1, 0])", square, ValueType::kI8);
  line("channels first 112x112x64", R"("op": "transpose", "permutation": [0, 3, 1, 2])", map);
  line("pad 112x112x64 int8", R"("op": "pad", "padding": [[0, 0], [1, 1], [1, 1], [0, 0]])", map, ValueType::kI8);
  line("slice 112x112x64", R"("op": "slice", "start": [1, 1], "stop": [111, 111], "axes": [1, 2])", map);
}

}  // namespace

std::vector<Line> speed_lines() {
  std::vector<Line> lines = {
      products(
          "gemm 128x1024x1024", [] { return integer_gemm(128, 1024, 1024); }, 0.93, kScales),
      products(
          "gemm 512x512x512", [] { return integer_gemm(512, 512, 512); }, 0.93, kScales),
      products(
          "conv 3x3 56x56x64->64", [] { return integer_conv(56, 3, 64, 64); }, 0.93, kScales),
      products(
          "conv 1x1 28x28x256->512", [] { return integer_conv(28, 1, 256, 512); }, 0.93, kScales),
      products(
          "depthwise 3x3 112x112x96", [] { return integer_depthwise(112, 3, 96); }, 0.27, kScales),
      products(
          "depthwise 5x5 28x28x240", [] { return integer_depthwise(28, 5, 240); }, 0.22, 0),
  };
  Line avx2 = products(
      "conv 3x3 56x56x64->64 AVX2", [] { return integer_conv(56, 3, 64, 64); }, 0, 0);
  avx2.target = kAvx2;
  avx2.gops = 140;
  lines.push_back(avx2);

  lines.push_back(vector_product("matvec 4096x4096 int8", R"([{"weight_qtype": "int8", "act_qtype": "int8"}])",
                                 Against::kBandwidth, 0.85));
  lines.push_back(vector_product("matvec 4096x4096 int4", R"([{"weight_qtype": "int4", "act_qtype": "int8"}])",
                                 Against::kBandwidth, 0.75));
  lines.push_back(vector_product("matvec 4096x4096 int4, blocks of 128",
                                 R"([{"weight_qtype": "int4", "act_qtype": "int8", "tile_size": 128}])",
                                 Against::kBandwidth, 0));
  Line block_int = vector_product(
      "matvec 4096x4096 int4, block_int 32",
      R"([{"weight_qtype": "int4", "act_qtype": "int8", "tile_size": 32, "block_int": true}])", Against::kBandwidth, 0);
  block_int.under = "matvec 4096x4096 int8";
  block_int.under_share = 0.7;
  lines.push_back(block_int);
  lines.push_back(
      vector_product("matvec 4096x4096 float x int8", R"([{"weight_qtype": "int8"}])", Against::kWeightOnly, 0.85));
  lines.push_back(
      vector_product("matvec 4096x4096 float x int4", R"([{"weight_qtype": "int4"}])", Against::kWeightOnly, 0.85));

  lines.push_back({.group = "small",
                   .name = "perceptron 16->64->16, batch 8",
                   .target = kVnni,
                   .graph = perceptron,
                   .microseconds = 0.4,
                   .cpp = kCpp,
                   .two_threads = kNeverSlower});
  Line gemm = products(
      "gemm 8x64x64", [] { return integer_gemm(8, 64, 64); }, 0, kNeverSlower);
  Line conv = products(
      "conv 3x3 8x8x16->16", [] { return integer_conv(8, 3, 16, 16); }, 0, kNeverSlower);
  Line depthwise = products(
      "depthwise 3x3 14x14x96", [] { return integer_depthwise(14, 3, 96); }, 0, kNeverSlower);
  for (Line* line : {&gemm, &conv, &depthwise}) {
    line->group = "small";
    lines.push_back(*line);
  }

  // Shapes of real networks that nobody set an aim for.
  lines.push_back(products(
      "conv 3x3 56x56x64->64, padded here", [] { return integer_conv(56, 3, 64, 64, 1, "SAME"); }, 0, 0));
  lines.push_back(products(
      "conv 3x3 112x112x3->32", [] { return integer_conv(112, 3, 3, 32); }, 0, 0));
  lines.push_back(products(
      "conv 3x3 14x14x256->256", [] { return integer_conv(14, 3, 256, 256); }, 0, 0));
  lines.push_back(products(
      "conv 3x3 7x7x512->512", [] { return integer_conv(7, 3, 512, 512); }, 0, 0));
  lines.push_back(products(
      "conv 1x1 13x13x192->384", [] { return integer_conv(13, 1, 192, 384); }, 0, 0));
  lines.push_back(products(
      "depthwise 3x3 56x56x96, stride 2", [] { return integer_depthwise(56, 3, 96, 2); }, 0, 0));
  for (size_t i = lines.size() - 6; i < lines.size(); i++)
    lines[i].group = "more";
  add_memory_lines(lines);
  return lines;
}

}  // namespace qlathe::bench
