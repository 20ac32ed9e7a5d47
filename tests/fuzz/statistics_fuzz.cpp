// Statistics of activations: an error, or statistics whose text reads back as the same and whose averages are finite.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "frontend/rules/statistics.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qlathe;
  const auto stats = parse_statistics("input", {data, data + size});
  if (!stats.ok()) {
    if (stats.status().text().empty()) std::abort();
    return 0;
  }
  const std::string once = write_statistics(*stats);
  const auto again = parse_statistics("printed", once);
  if (!again.ok() || write_statistics(*again) != once) std::abort();
  for (const auto& [name, stat] : *stats) {
    const Statistics average = stat.average(ValueType::kF32);
    for (const auto* part : {&average.absmax, &average.lo, &average.hi}) {
      if (!*part) continue;
      for (float value : (*part)->as<float>())
        if (!std::isfinite(value)) std::abort();
    }
  }
  return 0;
}
