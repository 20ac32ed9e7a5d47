#include "schedule/memory/equal_constants.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace qlathe {

void share_equal_constants(Program& program) {
  std::vector<PackedConstant> kept;
  std::vector<int> kept_index;
  std::map<size_t, std::vector<int>> by_hash;
  for (PackedConstant& constant : program.constants) {
    const std::string_view bytes(reinterpret_cast<const char*>(constant.bytes.data()), constant.bytes.size());
    std::vector<int>& alike = by_hash[std::hash<std::string_view>{}(bytes)];
    const auto found = std::find_if(alike.begin(), alike.end(), [&](int i) {
      const PackedConstant& other = kept[static_cast<size_t>(i)];
      return other.type == constant.type && other.shape == constant.shape && other.layout == constant.layout &&
             other.bytes == constant.bytes;
    });
    if (found != alike.end()) {
      kept_index.push_back(*found);
      continue;
    }
    alike.push_back(static_cast<int>(kept.size()));
    kept_index.push_back(alike.back());
    kept.push_back(std::move(constant));
  }
  program.constants = std::move(kept);
  for (ProgramCall& call : program.calls) {
    for (size_t i = 0; i < call.buffers.size(); i++) {
      BufferRef& buffer = call.buffers[i];
      if (buffer.space != BufferRef::Space::kConstant) continue;
      buffer.index = kept_index[static_cast<size_t>(buffer.index)];
      call.buffer_names[i] = program.constants[static_cast<size_t>(buffer.index)].name;
    }
  }
}

}  // namespace qlathe
