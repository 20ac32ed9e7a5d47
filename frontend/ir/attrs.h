#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "frontend/ir/result.h"
#include "frontend/ir/value_type.h"

namespace qlathe {

struct AttrValue;
using AttrList = std::vector<AttrValue>;
using AttrMap = std::vector<std::pair<std::string, AttrValue>>;  ///< in the order of the attribute struct's fields

/// A generic attribute value: what the text form, the spec reader and dumps exchange with the typed structs.
struct AttrValue {
  std::variant<std::monostate, bool, int64_t, double, std::string, AttrList, AttrMap> v;
  AttrValue() = default;
  template <class T>
  AttrValue(T value) : v(std::move(value)) {}
  friend bool operator==(const AttrValue&, const AttrValue&) = default;
};

/// Visits the fields of an attribute struct, to write them out or to fill them in. A struct lists its fields once:
///   void visit(FieldVisitor& v) { v.field("strides", strides); v.field("epsilon", epsilon, 1e-5); }
/// Fields given with a default are omitted when written and may be missing when read.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;

  template <class T>
  void field(const char* name, T& value) {
    visit(name, value, false);
  }
  template <class T, class D>
  void field(const char* name, T& value, const D& default_value) {
    const T fallback = static_cast<T>(default_value);
    if (writing()) {
      if (!(value == fallback)) visit(name, value, true);
    } else {
      value = fallback;
      visit(name, value, true);
    }
  }
  /// An empty list may be missing.
  template <class T>
  void optional_list(const char* name, std::vector<T>& value) {
    if (writing() && value.empty()) return;
    visit(name, value, true);
  }

  virtual bool writing() const = 0;

 protected:
  virtual void leaf(const char* name, bool& value, bool optional) = 0;
  virtual void leaf(const char* name, int64_t& value, bool optional) = 0;
  virtual void leaf(const char* name, double& value, bool optional) = 0;
  virtual void leaf(const char* name, std::string& value, bool optional) = 0;
  virtual void leaf(const char* name, std::vector<int64_t>& value, bool optional) = 0;
  virtual void leaf(const char* name, std::vector<double>& value, bool optional) = 0;
  virtual void leaf(const char* name, std::vector<std::string>& value, bool optional) = 0;
  /// An enumeration travels as the name of its value.
  virtual void choice(const char* name, int& value, std::span<const char* const> names, bool optional) = 0;
  /// A list of structs: returns the number of items to visit (when reading, that of the list; -1: missing).
  virtual int64_t begin_list(const char* name, int64_t size, bool optional) = 0;
  virtual void begin_item(int64_t index) = 0;
  virtual void end_item() = 0;
  virtual void end_list() = 0;

 private:
  template <class T>
  void visit(const char* name, T& value, bool optional) {
    if constexpr (std::is_same_v<T, ValueType>) {
      std::string text = qlathe::name(value);
      leaf(name, text, optional);
      if (!writing()) set_type(name, text, value);
    } else if constexpr (std::is_enum_v<T>) {
      // Found by argument-dependent lookup: span of names, in the order of the enumerators.
      int index = static_cast<int>(value);
      choice(name, index, enum_names(value), optional);
      value = static_cast<T>(index);
    } else {
      leaf(name, value, optional);
    }
  }
  template <class S>
  requires std::is_class_v<S> &&
      (!std::is_same_v<S, std::string>)void visit(const char* name, std::vector<S>& items, bool optional) {
    const int64_t count = begin_list(name, static_cast<int64_t>(items.size()), optional);
    if (count < 0) return;
    if (!writing()) items.assign(static_cast<size_t>(count), S{});
    for (int64_t i = 0; i < count; i++) {
      begin_item(i);
      items[static_cast<size_t>(i)].visit(*this);
      end_item();
    }
    end_list();
  }
  void set_type(const char* name, const std::string& text, ValueType& value);
  virtual void bad_type(const char* name, const std::string& text) = 0;
};

/// Base of every op's attribute struct.
struct OpAttrs {
  virtual ~OpAttrs() = default;
  virtual std::unique_ptr<OpAttrs> clone() const = 0;
  virtual void visit(FieldVisitor& v) = 0;
};

/// struct ReduceAttrs : Attrs<ReduceAttrs> { …; void visit(FieldVisitor& v) override; };
template <class Derived>
struct Attrs : OpAttrs {
  std::unique_ptr<OpAttrs> clone() const override {
    return std::make_unique<Derived>(static_cast<const Derived&>(*this));
  }
};

/// The fields of `attrs`, defaults left out.
AttrMap to_attr_map(const OpAttrs& attrs);
/// Fills `attrs` from `map`; every unknown, missing or mistyped field is reported with `place`.
Status from_attr_map(const AttrMap& map, const Place& place, OpAttrs& attrs);
/// Same fields, same values.
bool equal(const OpAttrs& a, const OpAttrs& b);

}  // namespace qlathe
