// Kinds whose readers do not exist: reported as what they are. A reader replaces its entry here by a file of its own.
#include "tests/cases/case_kind.h"

namespace qlathe::cases {
namespace {

class Unsupported : public CaseKind {
 public:
  explicit Unsupported(std::string why) : why_(std::move(why)) {}
  Result<Prepared> prepare(const CaseRef&, Executor&) const override { return Status::unsupported({}, why_); }

 private:
  std::string why_;
};

void add(const char* kind, const char* why) { Registered(kind, std::make_unique<Unsupported>(why)); }

const bool registered = [] {
  add("qwix_qt", "quantized training is not supported");
  add("qwix_lora", "LoRA rules are not supported");
  add("qwix_ragged", "ragged_dot is not supported");
  add("qwix_ragged_qt", "ragged_dot is not supported");
  return true;
}();

}  // namespace
}  // namespace qlathe::cases
