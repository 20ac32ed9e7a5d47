#include "codegen/cpp/cpu_features.h"

#include <algorithm>

#include "codegen/cpp/wrap.h"

namespace qlathe {
namespace {

struct Feature {
  const char* flag;  ///< as /proc/cpuinfo names it
  const char* name;  ///< of the function in the emitted program
  const char* test;  ///< its body's expression
};

// Leaf 7 is asked for only where leaf 0 says that it is there (cpuid_bit). AVX and AVX-512 are usable where the system
// saves their registers too.
constexpr Feature kFeatures[] = {
    {"avx2", "has_avx2", "cpuid_bit(7, 0, kEbx, 5) && saves_registers(0x6)"},
    {"fma", "has_fma", "cpuid_bit(1, 0, kEcx, 12)"},
    {"f16c", "has_f16c", "cpuid_bit(1, 0, kEcx, 29)"},
    {"bmi1", "has_bmi", "cpuid_bit(7, 0, kEbx, 3) && cpuid_bit(7, 0, kEbx, 8) && cpuid_bit(0x80000001u, 0, kEcx, 5)"},
    {"movbe", "has_movbe", "cpuid_bit(1, 0, kEcx, 22)"},
    {"avx_vnni", "has_avx_vnni", "cpuid_bit(7, 1, kEax, 4)"},
    {"avx512f", "has_avx512",
     "cpuid_bit(7, 0, kEbx, 16) && cpuid_bit(7, 0, kEbx, 17) && cpuid_bit(7, 0, kEbx, 30) && "
     "cpuid_bit(7, 0, kEbx, 31) && saves_registers(0xE6)"},
    {"avx512_vnni", "has_avx512_vnni", "cpuid_bit(7, 0, kEcx, 11)"},
    {"avx512vbmi", "has_avx512_vbmi", "cpuid_bit(7, 0, kEcx, 1) && cpuid_bit(7, 0, kEcx, 6)"},
    {"asimddp", "has_dotprod", "(getauxval(AT_HWCAP) >> 20 & 1) != 0"},
    {"i8mm", "has_i8mm", "(getauxval(AT_HWCAP2) >> 13 & 1) != 0"},
};

constexpr const char* kX86 = R"(enum Register { kEax, kEbx, kEcx, kEdx };

bool cpuid_bit(unsigned leaf, unsigned subleaf, Register in, int bit) {
  unsigned r[4] = {0, 0, 0, 0};
  if (__get_cpuid_count(leaf, subleaf, &r[kEax], &r[kEbx], &r[kEcx], &r[kEdx]) == 0) return false;
  return (r[in] >> bit & 1) != 0;
}

// Whether the system saves these registers of a thread: 0x6 the 256-bit ones, 0xE6 the 512-bit ones and masks too.
bool saves_registers(unsigned wanted) {
  if (!cpuid_bit(1, 0, kEcx, 27)) return false;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & wanted) == wanted;
}
)";

const Feature* find(const std::string& flag) {
  const auto* const found =
      std::find_if(std::begin(kFeatures), std::end(kFeatures), [&](const Feature& f) { return flag == f.flag; });
  return found == std::end(kFeatures) ? nullptr : found;
}

/// What every processor with these flags has and compilers use under the targets' -march: checked with them.
std::vector<std::string> implied(const std::vector<std::string>& flags) {
  std::vector<std::string> out = flags;
  if (std::count(flags.begin(), flags.end(), "f16c") > 0) out.insert(out.end(), {"bmi1", "movbe"});
  return out;
}

bool uses_cpuid(const std::set<std::string>& features) {
  return std::any_of(features.begin(), features.end(), [](const std::string& flag) {
    return std::string(find(flag)->test).find("cpuid") != std::string::npos;
  });
}

}  // namespace

std::vector<std::string> cpu_conditions(const Target& target, std::set<std::string>& features) {
  std::vector<std::string> conditions;
  for (const std::string& flag : implied(target.cpu_flags)) {
    const Feature* const feature = find(flag);
    const bool part_of_avx512 = flag == "avx512bw" || flag == "avx512dq" || flag == "avx512vl";
    const bool baseline = flag == "sse2" || flag == "asimd";
    QL_CHECK(feature != nullptr || part_of_avx512 || baseline, flag);
    if (feature == nullptr) continue;
    features.insert(flag);
    conditions.push_back(std::string(feature->name) + "()");
  }
  return conditions;
}

std::string cpu_include(const std::set<std::string>& features) {
  return features.empty() ? "" : uses_cpuid(features) ? "#include <cpuid.h>" : "#include <sys/auxv.h>";
}

std::string cpu_detection(const std::set<std::string>& features) {
  std::string out;
  for (const Feature& feature : kFeatures) {
    if (features.count(feature.flag) == 0) continue;
    const std::string line = std::string("bool ") + feature.name + "() { return " + feature.test + "; }\n";
    out += line.size() <= 120 ? line
                              : std::string("bool ") + feature.name + "() {\n" +
                                    wrap_code(std::string("return ") + feature.test + ";", "  ") + "}\n";
  }
  return uses_cpuid(features) ? kX86 + std::string("\n") + out : out;
}

}  // namespace qlathe
