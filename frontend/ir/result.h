#pragma once
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace qlathe {

/// Where in the user's material something is: any part may be empty.
struct Place {
  std::string file;   ///< path as the user gave it
  std::string node;   ///< node, rule or array name, e.g. "encoder/fc1" or "rules[2]"
  std::string field;  ///< attribute or field, e.g. "tile_size"

  friend bool operator==(const Place&, const Place&) = default;
};

/// One problem for the user: what is wrong, where, and what to do about it.
struct Diagnostic {
  enum class Kind { kUser, kUnsupported, kInternal };
  Kind kind = Kind::kUser;
  Place place;
  std::string message;  ///< what is wrong, in one sentence without a trailing period
  std::string remedy;   ///< what to do, imperative; may be empty

  /// "file: node: field: message; remedy", with the empty parts left out.
  std::string text() const;
};

/// Success, or every problem found (never just the first where more can be known), up to a number that a hostile file
/// could pass and no person would read.
class [[nodiscard]] Status {
 public:
  static constexpr size_t kMaxDiagnostics = 500;

  Status() = default;
  Status(Diagnostic diagnostic) { add(std::move(diagnostic)); }

  static Status user(Place place, std::string message, std::string remedy = "");
  static Status unsupported(Place place, std::string message, std::string remedy = "");
  static Status internal(std::string message);

  bool ok() const { return diagnostics_.empty(); }
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  void add(Diagnostic diagnostic) {
    if (!full()) diagnostics_.push_back(std::move(diagnostic));
  }
  /// Whether further problems are dropped.
  bool full() const { return diagnostics_.size() >= kMaxDiagnostics; }
  void merge(const Status& other);
  /// Fills in the parts of every diagnostic's place that are still empty.
  Status& at(const Place& outer);
  bool only_unsupported() const;
  /// One line per diagnostic.
  std::string text() const;

 private:
  std::vector<Diagnostic> diagnostics_;
};

/// A value or the reasons why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {
    if (status_.ok()) status_ = Status::internal("a Result was made from a Status without a problem");
  }
  Result(Diagnostic diagnostic) : status_(std::move(diagnostic)) {}

  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Status& status() const { return status_; }
  Status& status() { return status_; }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

/// A broken promise inside qlathe, never the user's fault. Caught at the API's edge and reported as kInternal.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void internal_error(const char* file, int line, const char* condition, const std::string& values);

}  // namespace qlathe

/// Asserts an invariant of qlathe itself; `values` is a std::string with what the invariant was about.
#define QL_CHECK(condition, values)                                                       \
  do {                                                                                    \
    if (!(condition)) ::qlathe::internal_error(__FILE__, __LINE__, #condition, (values)); \
  } while (false)

/// Returns the Status of `expression` from the enclosing function if it is a failure.
#define QL_RETURN_IF_ERROR(expression)                                                   \
  do {                                                                                   \
    if (::qlathe::Status ql_status_ = (expression); !ql_status_.ok()) return ql_status_; \
  } while (false)

#define QL_CONCAT_(a, b) a##b
#define QL_CONCAT(a, b) QL_CONCAT_(a, b)
/// QL_ASSIGN(auto graph, read_spec(path)): declares the value or returns the failure.
#define QL_ASSIGN(declaration, expression) QL_ASSIGN_(declaration, expression, QL_CONCAT(ql_result_, __LINE__))
#define QL_ASSIGN_(declaration, expression, temporary) \
  auto temporary = (expression);                       \
  if (!temporary.ok()) return temporary.status();      \
  declaration = std::move(temporary).value()
