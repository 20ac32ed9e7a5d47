#include "frontend/ops/copy.h"

namespace qlathe {
namespace {

template <class T>
class Copier {
 public:
  Copier(const T* from, const std::vector<std::vector<int64_t>>& tables, T* to)
      : from_(from), tables_(tables), to_(to), below_(tables.size() + 1, 1) {
    for (size_t d = tables.size(); d-- > 0;)
      below_[d] = below_[d + 1] * static_cast<int64_t>(tables[d].size());
  }

  void run(size_t axis, int64_t offset) {
    if (axis == tables_.size()) {
      *to_++ = from_[offset];
      return;
    }
    for (int64_t add : tables_[axis]) {
      if (add == kOutside)
        to_ += below_[axis + 1];
      else if (axis + 1 == tables_.size())
        *to_++ = from_[offset + add];
      else
        run(axis + 1, offset + add);
    }
  }

 private:
  const T* from_;
  const std::vector<std::vector<int64_t>>& tables_;
  T* to_;
  std::vector<int64_t> below_;  // result elements of one index of axis d - 1
};

template <class T>
void copy(const HostTensor& from, const std::vector<std::vector<int64_t>>& tables, HostTensor& to) {
  Copier<T>(from.as<T>().data(), tables, to.as<T>().data()).run(0, 0);
}

}  // namespace

void copy_by_tables(const HostTensor& from, const std::vector<std::vector<int64_t>>& tables, HostTensor& to) {
  QL_CHECK(from.type() == to.type() && tables.size() == to.shape().size(), to_string(to.shape()));
  if (to.size() == 0) return;
  switch (storage_bytes(from.type())) {
    case 1:
      return copy<uint8_t>(from, tables, to);
    case 2:
      return copy<uint16_t>(from, tables, to);
    case 4:
      return copy<uint32_t>(from, tables, to);
    default:
      return copy<uint64_t>(from, tables, to);
  }
}

}  // namespace qlathe
