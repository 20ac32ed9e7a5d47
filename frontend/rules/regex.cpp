#include "frontend/rules/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "frontend/ir/suggest.h"
#include "frontend/rules/python_pattern.h"

namespace qlathe {
namespace {

constexpr size_t kMaxPattern = 10000;
constexpr uint32_t kMatchLimit = 1000000;  // internal steps: some 10 ms
constexpr uint32_t kHeapLimit = 20000;     // KiB
constexpr uint32_t kDepthLimit = 100000;

struct Free {
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

std::string message_of(int code) {
  PCRE2_UCHAR buffer[160];
  if (pcre2_get_error_message(code, buffer, sizeof buffer) < 0) return "error " + std::to_string(code);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

Result<Regex> Regex::compile(std::string_view pattern) {
  if (pattern.size() > kMaxPattern) {
    return Status::user({}, "the regular expression has " + std::to_string(pattern.size()) + " bytes",
                        "keep it below " + std::to_string(kMaxPattern));
  }
  const auto refuse = [&](const std::string& why) {
    return Status::user({}, in_quotes(pattern) + " is no regular expression: " + why);
  };
  auto translated = translate_python_pattern(pattern);
  if (!translated.ok()) {
    const Diagnostic& d = translated.status().diagnostics().front();
    return Status::user({}, in_quotes(pattern) + " is no regular expression: " + d.message, d.remedy);
  }
  std::unique_ptr<pcre2_compile_context, Free> context(pcre2_compile_context_create(nullptr));
  QL_CHECK(context != nullptr, "no memory");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), 200);
  const uint32_t options = PCRE2_UTF | (translated->ascii ? 0 : PCRE2_UCP) | PCRE2_NEVER_BACKSLASH_C;
  int code = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->text.data()), translated->text.size(),
                                       options, &code, &offset, context.get());
  if (!compiled) {
    const size_t at = translated->origin[std::min(offset, translated->origin.size() - 1)];
    return refuse(message_of(code) + " at position " + std::to_string(at));
  }
  Regex out;
  out.pattern_ = pattern;
  out.code_ = std::shared_ptr<const void>(
      compiled, [](const void* p) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p))); });
  return out;
}

Result<bool> Regex::full_match(std::string_view subject) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  QL_CHECK(code != nullptr, "match with an empty Regex");
  std::unique_ptr<pcre2_match_data, Free> data(pcre2_match_data_create_from_pattern(code, nullptr));
  std::unique_ptr<pcre2_match_context, Free> context(pcre2_match_context_create(nullptr));
  QL_CHECK(data && context, "no memory");
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_set_heap_limit(context.get(), kHeapLimit);
  pcre2_set_depth_limit(context.get(), kDepthLimit);
  const int result = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(), 0,
                                 PCRE2_ANCHORED | PCRE2_ENDANCHORED, data.get(), context.get());
  if (result >= 0) return true;
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_DEPTHLIMIT || result == PCRE2_ERROR_HEAPLIMIT) {
    return Status::user({}, "matching " + in_quotes(pattern_) + " with " + in_quotes(subject) + " takes too many steps",
                        "write the pattern without nested repetitions such as (a+)+");
  }
  return Status::user({}, "cannot match " + in_quotes(subject) + ": " + message_of(result));
}

}  // namespace qlathe
