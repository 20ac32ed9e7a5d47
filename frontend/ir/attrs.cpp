#include "frontend/ir/attrs.h"

#include <algorithm>
#include <set>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

class Writer final : public FieldVisitor {
 public:
  AttrMap take() { return std::move(stack_.front()); }
  bool writing() const override { return true; }

 protected:
  void leaf(const char* name, bool& value, bool) override { put(name, value); }
  void leaf(const char* name, int64_t& value, bool) override { put(name, value); }
  void leaf(const char* name, double& value, bool) override { put(name, value); }
  void leaf(const char* name, std::string& value, bool) override { put(name, value); }
  void leaf(const char* name, std::vector<int64_t>& value, bool) override { put_list(name, value); }
  void leaf(const char* name, std::vector<double>& value, bool) override { put_list(name, value); }
  void leaf(const char* name, std::vector<std::string>& value, bool) override { put_list(name, value); }
  void choice(const char* name, int& value, std::span<const char* const> names, bool) override {
    put(name, std::string(names[static_cast<size_t>(value)]));
  }
  int64_t begin_list(const char* name, int64_t size, bool) override {
    lists_.push_back({name, {}});
    return size;
  }
  void begin_item(int64_t) override { stack_.emplace_back(); }
  void end_item() override {
    lists_.back().second.emplace_back(std::move(stack_.back()));
    stack_.pop_back();
  }
  void end_list() override {
    put(lists_.back().first.c_str(), std::move(lists_.back().second));
    lists_.pop_back();
  }
  void bad_type(const char*, const std::string&) override {}

 private:
  template <class T>
  void put(const char* name, T value) {
    stack_.back().emplace_back(name, AttrValue(std::move(value)));
  }
  template <class T>
  void put_list(const char* name, const std::vector<T>& values) {
    put(name, AttrList(values.begin(), values.end()));
  }

  std::vector<AttrMap> stack_{1};
  std::vector<std::pair<std::string, AttrList>> lists_;
};

class Reader final : public FieldVisitor {
 public:
  Reader(const AttrMap& map, Place place) : place_(std::move(place)) { frames_.push_back({&map, {}, ""}); }
  bool writing() const override { return false; }
  Status finish() {
    check_unknown();
    return std::move(status_);
  }

 protected:
  void leaf(const char* name, bool& value, bool optional) override { get(name, value, optional, "true or false"); }
  void leaf(const char* name, int64_t& value, bool optional) override { get(name, value, optional, "an integer"); }
  void leaf(const char* name, std::string& value, bool optional) override { get(name, value, optional, "a string"); }
  void leaf(const char* name, double& value, bool optional) override {
    const AttrValue* found = find(name, optional);
    if (found != nullptr && !number(*found, value)) complain(name, "expected a number");
  }
  void leaf(const char* name, std::vector<int64_t>& value, bool optional) override {
    get_list(name, value, optional, "a list of integers");
  }
  void leaf(const char* name, std::vector<std::string>& value, bool optional) override {
    get_list(name, value, optional, "a list of strings");
  }
  void leaf(const char* name, std::vector<double>& value, bool optional) override {
    const AttrValue* found = find(name, optional);
    if (found == nullptr) return;
    const AttrList* list = std::get_if<AttrList>(&found->v);
    std::vector<double> out;
    bool good = list != nullptr;
    for (size_t i = 0; good && i < list->size(); i++)
      good = number((*list)[i], out.emplace_back());
    if (good)
      value = std::move(out);
    else
      complain(name, "expected a list of numbers");
  }
  void choice(const char* name, int& value, std::span<const char* const> names, bool optional) override {
    const AttrValue* found = find(name, optional);
    if (found == nullptr) return;
    const std::string* text = std::get_if<std::string>(&found->v);
    std::string all;
    for (size_t i = 0; i < names.size(); i++) {
      if (text != nullptr && *text == names[i]) {
        value = static_cast<int>(i);
        return;
      }
      all += (i ? ", " : "") + std::string(names[i]);
    }
    complain(name, "expected one of " + all);
  }
  int64_t begin_list(const char* name, int64_t, bool optional) override {
    const AttrValue* found = find(name, optional);
    if (found == nullptr) return -1;
    const AttrList* list = std::get_if<AttrList>(&found->v);
    if (list == nullptr || !std::all_of(list->begin(), list->end(), [](const AttrValue& item) {
          return std::holds_alternative<AttrMap>(item.v);
        })) {
      complain(name, "expected a list of objects");
      return -1;
    }
    lists_.push_back({name, list});
    return static_cast<int64_t>(list->size());
  }
  void begin_item(int64_t index) override {
    const auto& [name, list] = lists_.back();
    frames_.push_back({&std::get<AttrMap>((*list)[static_cast<size_t>(index)].v),
                       {},
                       frames_.back().prefix + name + "[" + std::to_string(index) + "]."});
  }
  void end_item() override {
    check_unknown();
    frames_.pop_back();
  }
  void end_list() override { lists_.pop_back(); }
  void bad_type(const char* name, const std::string& text) override { complain(name, "unknown type '" + text + "'"); }

 private:
  struct Frame {
    const AttrMap* map;
    std::set<std::string> seen;
    std::string prefix;
  };

  const AttrValue* find(const char* name, bool optional) {
    Frame& frame = frames_.back();
    frame.seen.insert(name);
    for (const auto& [key, value] : *frame.map) {
      if (key == name) return &value;
    }
    if (!optional) complain(name, "missing");
    return nullptr;
  }
  template <class T>
  void get(const char* name, T& value, bool optional, const char* expected) {
    const AttrValue* found = find(name, optional);
    if (found == nullptr) return;
    if (const T* v = std::get_if<T>(&found->v))
      value = *v;
    else
      complain(name, std::string("expected ") + expected);
  }
  template <class T>
  void get_list(const char* name, std::vector<T>& value, bool optional, const char* expected) {
    const AttrValue* found = find(name, optional);
    if (found == nullptr) return;
    const AttrList* list = std::get_if<AttrList>(&found->v);
    std::vector<T> out;
    for (size_t i = 0; list != nullptr && i < list->size(); i++) {
      if (const T* v = std::get_if<T>(&(*list)[i].v)) out.push_back(*v);
    }
    if (list != nullptr && out.size() == list->size())
      value = std::move(out);
    else
      complain(name, std::string("expected ") + expected);
  }
  static bool number(const AttrValue& from, double& to) {
    if (const double* d = std::get_if<double>(&from.v))
      to = *d;
    else if (const int64_t* i = std::get_if<int64_t>(&from.v))
      to = static_cast<double>(*i);
    else
      return false;
    return true;
  }
  void check_unknown() {
    const Frame& frame = frames_.back();
    for (const auto& entry : *frame.map) {
      if (frame.seen.count(entry.first)) continue;
      complain(entry.first.c_str(), "unknown field", did_you_mean(entry.first, {frame.seen.begin(), frame.seen.end()}));
    }
  }
  void complain(const char* name, std::string message, std::string remedy = "") {
    Place place = place_;
    place.field = frames_.back().prefix + name;
    status_.merge(Status::user(std::move(place), std::move(message), std::move(remedy)));
  }

  Place place_;
  std::vector<Frame> frames_;
  std::vector<std::pair<std::string, const AttrList*>> lists_;
  Status status_;
};

}  // namespace

void FieldVisitor::set_type(const char* name, const std::string& text, ValueType& value) {
  if (const auto type = parse_value_type(text))
    value = *type;
  else
    bad_type(name, text);
}

AttrMap to_attr_map(const OpAttrs& attrs) {
  Writer writer;
  const auto copy = attrs.clone();  // visit() may write, so it is not const
  copy->visit(writer);
  return writer.take();
}

Status from_attr_map(const AttrMap& map, const Place& place, OpAttrs& attrs) {
  Reader reader(map, place);
  attrs.visit(reader);
  return reader.finish();
}

bool equal(const OpAttrs& a, const OpAttrs& b) { return to_attr_map(a) == to_attr_map(b); }

}  // namespace qlathe
