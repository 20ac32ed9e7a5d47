#include "api/bench.h"

#include <cstdio>
#include <cstdlib>

#include "cli/commands/commands.h"
#include "cli/commands/common.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

std::string microseconds(double seconds) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", seconds < 1e-5 ? 3 : 1, seconds * 1e6);
  return text;
}

/// Two operations a multiply-accumulate.
double gops(int64_t macs, double seconds) { return seconds > 0 ? 2e-9 * static_cast<double>(macs) / seconds : 0; }

std::string fixed(double value, int digits) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

double peak_of(const BenchReport& report, const BenchLayer& layer, int threads) {
  return (layer.integer ? report.dot_peak : report.fma_peak) * threads;
}

void print_table(const BenchReport& report, int threads) {
  std::printf("target %s, %d thread%s, %lld runs\n", report.target.c_str(), threads, threads == 1 ? "" : "s",
              static_cast<long long>(report.time.runs));
  std::printf("one run: %s us at best, %s us in the median; %s GOP/s\n", microseconds(report.time.min).c_str(),
              microseconds(report.time.median).c_str(), fixed(gops(report.macs, report.time.min), 1).c_str());
  std::printf("weights %s, arena %s\n", bytes_text(report.weight_bytes).c_str(),
              bytes_text(report.arena_bytes).c_str());
  if (report.dot_peak > 0) {
    std::printf("this machine's peak, a thread: %s GOP/s of %s, %s GFLOP/s of multiply-adds\n",
                fixed(2e-9 * report.dot_peak, 0).c_str(), report.dot_instruction.c_str(),
                fixed(2e-9 * report.fma_peak, 0).c_str());
  }
  if (report.layers.empty()) return;
  std::printf("\n");
  Table table({"layer", "kernel", ">min us", ">median us", ">GOP/s", ">of peak", "peak"});
  double sum = 0;
  for (const BenchLayer& layer : report.layers) {
    const double rate = gops(layer.macs, layer.time.min), peak = peak_of(report, layer, threads);
    const bool product = layer.macs > 0;
    table.row({layer.name, layer.description, microseconds(layer.time.min), microseconds(layer.time.median),
               product ? fixed(rate, 1) : "", product && peak > 0 ? fixed(100 * 0.5e9 * rate / peak, 0) + " %" : "",
               !product || peak <= 0 ? ""
               : layer.integer       ? report.dot_instruction
                                     : "fma"});
    sum += layer.time.min;
  }
  table.rule();
  table.row({"sum", "each layer timed alone", microseconds(sum)});
  std::fputs(table.text().c_str(), stdout);
}

void print_json(const BenchReport& report, int threads) {
  JsonText json;
  json.object().member("target", report.target).member("threads", threads).member("runs", report.time.runs);
  json.member("min_s", report.time.min).member("median_s", report.time.median).member("macs", report.macs);
  json.member("gops", gops(report.macs, report.time.min));
  json.member("weight_bytes", report.weight_bytes).member("arena_bytes", report.arena_bytes);
  json.member("dot_instruction", report.dot_instruction).member("dot_peak_gops", 2e-9 * report.dot_peak);
  json.member("fma_peak_gops", 2e-9 * report.fma_peak).key("layers").array();
  for (const BenchLayer& layer : report.layers) {
    json.object().member("name", layer.name).member("kernel", layer.description).member("macs", layer.macs);
    json.member("min_s", layer.time.min).member("median_s", layer.time.median);
    json.member("gops", gops(layer.macs, layer.time.min)).member("peak", layer.integer ? "dot" : "fma");
    const double peak = peak_of(report, layer, threads);
    json.key("of_peak").value(layer.macs > 0 && peak > 0 && layer.time.min > 0
                                  ? static_cast<double>(layer.macs) / layer.time.min / peak
                                  : 0.0);
    json.end();
  }
  std::fputs(json.end().end().text().c_str(), stdout);
}

Status bench(const Arguments& arguments) {
  ProgressBar bar;
  QL_ASSIGN(const QuantizedModel quantized, read_quantized(arguments, bar.callback()));
  BenchOptions options;
  options.compile = compile_options(arguments, bar.callback());
  options.threads = arguments.number("threads");
  options.seconds = arguments.number("milliseconds") / 1000.0;
  options.layers = !arguments.has("no-layers");
  QL_ASSIGN(const BenchReport report, bench_model(quantized.graph, options));
  if (arguments.has("json"))
    print_json(report, options.threads);
  else
    print_table(report, options.threads);
  return {};
}

int run(const Arguments& arguments) {
  if (find_target(arguments.get("target")) == nullptr) return kUsage;
  return finish(bench(arguments));
}

}  // namespace

Command bench_command() {
  Command command;
  command.name = "bench";
  command.summary = "time a model and its layers, beside the peak of this machine";
  command.operands = {"MODEL"};
  command.details =
      "Compiles the model for this process and times it on made-up inputs: the best and the median run, operations a\n"
      "second (two a multiply-accumulate), and for every layer the fraction of what the processor's dot instruction, "
      "or\n"
      "its multiply-add for float layers, does on registers alone, measured in the same run.";
  add_quantize_options(command.options);
  add_native_options(command.options);
  command.options.push_back({"threads", kNumber, "threads that run the model", 0, "1", {}});
  command.options.push_back(
      {"milliseconds", kNumber, "time spent on the model, and again on its layers", 'm', "1000", {}});
  command.options.push_back({"no-layers", "", "time the whole model only", 0, "", {}});
  command.options.push_back(json_option());
  command.example =
      "  qlathe bench examples/digits/digits.json --rules examples/digits/rules/int8_static.json \\\n"
      "      --calibration examples/digits/calibration.npz";
  command.run = run;
  return command;
}

}  // namespace qlathe::cli
