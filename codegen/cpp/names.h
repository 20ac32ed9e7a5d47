#pragma once

#include <Halide.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace qlathe {

/// How a buffer appears in the C++ text.
struct BufferInfo {
  Halide::Type type;             ///< of an element
  int64_t bytes = 0;             ///< of a parameter: what it points at
  bool loaded = false;           ///< the kernel reads it (a product stored there may come back into an addition)
  int lanes = 0;                 ///< of a register array of vectors; 0: elements, through a pointer
  std::vector<int> extents;      ///< of a register array: its subscripts, outermost first
  std::vector<int64_t> strides;  ///< in vectors
};

/// The names that are visible while a statement is printed: the IR's names, the C++ names they got, what they stand
/// for.
class Names {
 public:
  /// Binds an IR name to a C++ name that is visible from here to the end of the block.
  std::string declare(const std::string& ir_name);
  /// A C++ name without an IR name.
  std::string fresh(const std::string& base);
  void undeclare(const std::string& ir_name);
  const std::string& cpp(const std::string& ir_name) const;

  /// C++ blocks: names declared in one are free again after it.
  void open_block() { blocks_.emplace_back(); }
  void close_block();

  std::map<std::string, BufferInfo> buffers;

  struct Loop {
    int depth = 0;  ///< outer loops first
    std::optional<int64_t> min, max;
  };
  std::map<std::string, Loop> loops;

 private:
  std::map<std::string, std::vector<std::string>> cpp_names_;
  std::set<std::string> visible_;
  std::vector<std::vector<std::string>> blocks_ = {{}};
};

}  // namespace qlathe
