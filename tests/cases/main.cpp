// qlathe-cases: reference cases through the compiler, see usage.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cxxopts.hpp>
#include <fstream>
#include <iostream>
#include <new>
#include <random>
#include <thread>

#include "tests/cases/discover.h"
#include "tests/cases/result.h"
#include "tests/cases/via.h"

namespace qlathe::cases {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage = R"(
A DIR is a folder with a case.json, a folder with a cases.json or one case below it, a model folder (about.json and
model.*), or a tree of these. Each case gives a line: pass; differs, where and by how much; unsupported and why; n/a for
what has no such path. The last line is 'passed N of M, failed F, unsupported U', M being all cases but those n/a.

Exit codes: 0 nothing failed, 1 something failed, 2 wrong usage or no cases.

  ./dev cases ../shared/golden/qwix/tensor
  ./dev cases ../shared/golden/qwix/ptq --via cpp --json ptq.json
  ./dev cases ../shared/models/mlperf_tiny --via cpp --target cortex-m4
)";

struct Options {
  std::vector<std::string> folders;
  std::string via, target, json, runtime;
  int64_t sample = 0;
  uint64_t seed = 0;
  bool all = false;
  ChildLimits limits;
  int jobs = 1;
};

/// A folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "qlathe-cases-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string job_id(size_t index, size_t job) { return fmt::format("case{}_{}", index, job); }

void take(CaseResult& result, const Status& status) {
  result.reason = status.text();
  result.outcome = status.only_unsupported() ? Outcome::kUnsupported : Outcome::kDiffers;
}

Result<Prepared> prepare(const CaseRef& ref, Via& via) {
  const CaseKind* kind = find_kind(ref.kind);
  if (ref.kind.empty()) return Status::user({ref.folder.string(), "", ""}, "has no readable case.json or cases.json");
  if (!kind) return Status::unsupported({}, "cases of kind '" + ref.kind + "' are not known");
  return kind->prepare(ref, via.calibration());
}

/// Runs every graph of a case and compares.
void run_case(const CaseRef& ref, size_t index, Via& via, CaseResult& result) {
  Result<Prepared> prepared = prepare(ref, via);
  if (!prepared.ok()) return take(result, prepared.status());
  result.findings = std::move(prepared->findings);
  if (!prepared->not_applicable.empty()) {
    result.outcome = Outcome::kNotApplicable;
    result.reason = prepared->not_applicable;
    return;
  }
  Status problems;
  for (size_t j = 0; j < prepared->jobs.size(); j++) {
    const Job& job = prepared->jobs[j];
    const auto outputs = via.run(job.graph, job.runs, job.sequence, job_id(index, j));
    if (!outputs.ok()) {
      problems.merge(outputs.status());
      continue;
    }
    for (size_t run = 0; run < outputs->size(); run++)
      job.check(run, (*outputs)[run], result.findings);
  }
  if (result.findings.compared == 0 && problems.ok()) problems = Status::user({}, "the case has nothing to compare");
  if (!problems.ok()) take(result, problems);
  if (!result.findings.differences.empty())
    result.outcome = Outcome::kDiffers;
  else if (problems.ok())
    result.outcome = Outcome::kPass;
}

std::string emit_case(const CaseRef& ref, size_t index, Via& via) {
  Result<Prepared> prepared = prepare(ref, via);
  if (!prepared.ok()) return "";
  std::string ids;
  for (size_t j = 0; j < prepared->jobs.size(); j++) {
    const Job& job = prepared->jobs[j];
    if (via.emit(job.graph, job.runs, job_id(index, j)).ok()) ids += job_id(index, j) + "\n";
  }
  return ids;
}

/// So many of them by chance, the same for the same seed on every machine, in their order.
void take_sample(std::vector<CaseRef>& cases, size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  while (cases.size() > count)
    cases.erase(cases.begin() + static_cast<std::ptrdiff_t>(random() % cases.size()));
}

class Progress {
 public:
  explicit Progress(size_t total) : total_(total), shown_(isatty(STDERR_FILENO) && isatty(STDOUT_FILENO)) {}
  void show(const char* what, size_t done) const {
    if (shown_) std::fprintf(stderr, "\r\x1b[K[%zu/%zu] %s", done, total_, what);
  }
  void clear() const {
    if (shown_) std::fprintf(stderr, "\r\x1b[K");
  }

 private:
  size_t total_;
  bool shown_;
};

int run(const Options& options) {
  std::vector<CaseRef> cases;
  for (const std::string& folder : options.folders) {
    auto found = find_cases(folder);
    if (!found.ok()) {
      std::cerr << found.status().text() << "\n";
      return 2;
    }
    for (CaseRef& found_case : *found)
      found_case.runtime = options.runtime;
    cases.insert(cases.end(), found->begin(), found->end());
  }
  if (options.sample > 0) take_sample(cases, static_cast<size_t>(options.sample), options.seed);
  const TemporaryFolder folder;
  auto via = make_via(options.via, options.target, folder.path());
  if (!via.ok()) {
    std::cerr << via.status().text() << "\n";
    return 2;
  }
  const Progress progress(cases.size());
  if ((*via)->builds()) {
    std::vector<std::string> ids;
    run_in_children(
        cases.size(), options.jobs, options.limits,
        [&](size_t i) {
          try {
            return emit_case(cases[i], i, **via);
          } catch (const std::exception&) {
            return std::string();  // It will be told when the case is run.
          }
        },
        [&](size_t i, const ChildOutcome& outcome) {
          std::istringstream lines(outcome.output);
          for (std::string id; std::getline(lines, id);)
            ids.push_back(id);
          progress.show("emitted", i + 1);
        });
    progress.show("compiling", cases.size());
    (*via)->build(ids, options.jobs);
    progress.clear();
  }
  Totals totals;
  nlohmann::ordered_json report = {
      {"via", options.via}, {"target", options.target}, {"cases", nlohmann::ordered_json::array()}};
  run_in_children(
      cases.size(), options.jobs, options.limits,
      [&](size_t i) {
        CaseResult result;
        result.name = cases[i].name();
        result.kind = cases[i].kind;
        const auto start = std::chrono::steady_clock::now();
        try {
          run_case(cases[i], i, **via, result);
        } catch (const std::bad_alloc&) {
          result.outcome = Outcome::kDiffers;
          result.reason = "error: not enough memory (--memory " + std::to_string(options.limits.megabytes) + ")";
        } catch (const nlohmann::json::exception& error) {
          result.outcome = Outcome::kDiffers;
          result.reason = "error: the case's JSON is not of the expected form: " + std::string(error.what());
        } catch (const std::exception& error) {
          result.outcome = Outcome::kDiffers;
          result.reason = std::string("error: ") + error.what();
        }
        result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        return result.to_json().dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
      },
      [&](size_t i, const ChildOutcome& outcome) {
        CaseResult result;
        result.name = cases[i].name();
        result.kind = cases[i].kind;
        result.reason = outcome.death;
        if (outcome.death.empty()) result = CaseResult::from_json(nlohmann::ordered_json::parse(outcome.output));
        totals.add(result.outcome);
        report["cases"].push_back(result.to_json());
        progress.clear();
        std::cout << result.line(options.all) << std::endl;
        progress.show("running", i + 1);
      });
  progress.clear();
  if (!options.json.empty()) {
    report["passed"] = totals.passed;
    report["total"] = totals.all();
    report["failed"] = totals.failed;
    report["unsupported"] = totals.unsupported;
    report["not_applicable"] = totals.not_applicable;
    std::ofstream out(options.json);
    out << report.dump(2) << "\n";
    if (!out.flush()) {
      std::cerr << options.json << ": cannot be written\n";
      return 2;
    }
  }
  std::cout << totals.line() << std::endl;
  return totals.failed > 0 ? 1 : 0;
}

int main_of(int argc, char** argv) {
  cxxopts::Options parser("./dev cases", "Compares reference cases with the compiler's results.");
  parser.positional_help("DIR...");
  parser.add_options()(
      "runtime",
      "models: the runtime whose stored outputs count (litert-ref, litert-xnnpack, tflm, ort-noopt, ort, repo); "
      "TFLite models are read with its numerics",
      cxxopts::value<std::string>()->default_value(""),
      "NAME")("via", "reference, jit, object or cpp", cxxopts::value<std::string>()->default_value("jit"))(
      "target",
      "--via cpp: runs programs for this target, under an emulator where this machine is another; --via jit: opencl or "
      "cuda",
      cxxopts::value<std::string>()->default_value(""),
      "NAME")("sample", "only so many of the cases, by chance", cxxopts::value<int64_t>()->default_value("0"), "N")(
      "seed", "of --sample", cxxopts::value<uint64_t>()->default_value("1"), "N")(
      "all", "every difference and note of a case, not only the first difference")(
      "json", "write all results to this file", cxxopts::value<std::string>(), "FILE")(
      "timeout", "seconds a case may take", cxxopts::value<double>()->default_value("300"))(
      "memory", "megabytes of address space a case may take, 0 for any",
      cxxopts::value<int64_t>()->default_value("16384"))(
      "jobs", "cases at a time",
      cxxopts::value<int>()->default_value(std::to_string(std::max(1u, std::thread::hardware_concurrency()))))(
      "h,help", "this text")("dir", "", cxxopts::value<std::vector<std::string>>());
  parser.parse_positional("dir");
  try {
    const auto parsed = parser.parse(argc, argv);
    if (parsed.count("help")) {
      std::cout << parser.help() << kUsage;
      return 0;
    }
    Options options;
    if (parsed.count("dir")) options.folders = parsed["dir"].as<std::vector<std::string>>();
    options.via = parsed["via"].as<std::string>();
    options.target = parsed["target"].as<std::string>();
    options.sample = parsed["sample"].as<int64_t>();
    options.seed = parsed["seed"].as<uint64_t>();
    options.runtime = parsed["runtime"].as<std::string>();
    options.all = parsed.count("all") > 0;
    if (parsed.count("json")) options.json = parsed["json"].as<std::string>();
    options.limits = {parsed["timeout"].as<double>(), parsed["memory"].as<int64_t>()};
    options.jobs = std::max(1, parsed["jobs"].as<int>());
    if (options.folders.empty()) {
      std::cerr << "no folder of cases given; './dev cases --help' shows examples\n";
      return 2;
    }
    return run(options);
  } catch (const cxxopts::exceptions::exception& error) {
    std::cerr << error.what() << "; './dev cases --help' shows the options\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
}

}  // namespace
}  // namespace qlathe::cases

int main(int argc, char** argv) { return qlathe::cases::main_of(argc, argv); }
