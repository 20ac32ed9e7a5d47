#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "frontend/ir/tensor.h"

namespace qlathe::cases {

/// How far an array may be from what a case stores.
struct Allowance {
  enum class Kind {
    kExact,          ///< the same bits
    kRelativeToMax,  ///< the largest absolute difference is at most `bound` * the largest absolute expected value
    kClose,          ///< each element within `absolute` + `bound` * |expected|
    kRelative,       ///< each element within `bound` * |expected|
    kOneStep,        ///< neighbouring values of the stored type
    kOneStepAtTie,  ///< the same, and only where `quotient` is within `bound` of half an odd number; else the same bits
  };
  Kind kind = Kind::kExact;
  double bound = 0;
  std::vector<float> quotient = {};  ///< kOneStepAtTie: x / scale + zero point, per element
  double absolute = 0;
};

/// One array that is not as expected.
struct Difference {
  std::string array;
  std::string text;  ///< where it is no difference of elements (a shape, an error); then the rest is empty
  int64_t differing = 0, size = 0;
  std::string index;  ///< of the worst element, "[3,0]"
  double got = 0, expected = 0;

  std::string line() const;
};

/// What was compared in a case, and with which outcome.
struct Findings {
  int compared = 0;
  std::vector<Difference> differences;
  std::vector<std::string> notes;

  /// `got` may have other extents of 1 than `want`, and another logical type of the same storage (int3 in an int4
  /// array); an integer array may be compared with the same numbers as floats.
  void compare(const std::string& array, const HostTensor& got, const HostTensor& want,
               const Allowance& allowance = {});
  /// Notes it where the difference, relative to the largest expected value, is above what the case calls typical.
  void note_beyond(double typical, const std::string& array, const HostTensor& got, const HostTensor& want);
  void fail(const std::string& array, const std::string& text);
  /// One comparison that is no comparison of arrays.
  void expect(bool holds, const std::string& what, const std::string& text);
};

/// What an array comes from, as the wordings of tolerances tell it apart.
enum class Source {
  kWeight,
  kFirstLayer,  ///< an activation that no product of tensors stands before
  kLaterLayer,
};

/// The `tolerance` of a case (golden/README.md, "Tolerances"). What it does not mention, and wording that is not known
/// here, is exact.
class Tolerance {
 public:
  explicit Tolerance(const nlohmann::ordered_json& json) : json_(json) {}

  /// Stored values. `quotient` is asked for where the wording needs it.
  Allowance stored(Source source, const std::function<std::vector<float>()>& quotient) const;
  Allowance scale(Source source) const;
  Allowance output() const;
  /// 0 where the case says nothing.
  double typical() const;

 private:
  std::string wording(const char* key) const;
  double number(const char* key) const;
  nlohmann::ordered_json json_;
};

}  // namespace qlathe::cases
