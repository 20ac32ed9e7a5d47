#include <functional>
#include <map>
#include <optional>
#include <set>

#include "frontend/ir/op_registry.h"
#include "frontend/ir/suggest.h"
#include "frontend/ir/text.h"
#include "frontend/ir/text_lexer.h"
#include "frontend/ir/text_values.h"

namespace qlathe {
namespace {

constexpr int kMaxDepth = 16;    // of attribute values
constexpr size_t kMaxRank = 64;  // as in array files
constexpr size_t kMaxInputs = 1 << 16;

/// Recursive descent. A syntax error throws Stop (inside this file only) after noting the problem; other problems are
/// noted and reading goes on.
class Parser {
 public:
  Parser(const std::string& file, std::string_view text, const ArrayLookup& lookup)
      : lexer_(file, text), file_(file), lookup_(lookup) {}

  Result<Graph> run() {
    try {
      advance();
      header();
      while (token_.kind != Token::Kind::kEnd)
        statement();
      resolve();
    } catch (const Stop&) {
    }
    QL_RETURN_IF_ERROR(problems_);
    if (Status status = verify(graph_); !status.ok()) return as_user_error(status);
    return std::move(graph_);
  }

 private:
  struct Stop {};
  using Kind = Token::Kind;

  // --- words ---

  void advance() {
    Result<Token> next = lexer_.next();
    if (!next.ok()) {
      problems_.merge(next.status());
      throw Stop();
    }
    token_ = *std::move(next);
  }

  void note(size_t offset, std::string node, std::string message, std::string remedy = "") {
    problems_.merge(
        Status::user({lexer_.position(offset), std::move(node), ""}, std::move(message), std::move(remedy)));
    if (problems_.full()) throw Stop();
  }

  [[noreturn]] void stop(const std::string& expected) {
    note(token_.offset, "", "expected " + expected + ", found " + token_.shown());
    throw Stop();
  }

  bool accept(char mark) {
    if (!token_.is(mark)) return false;
    advance();
    return true;
  }

  void expect(char mark) {
    if (!accept(mark)) stop(std::string("'") + mark + "'");
  }

  bool accept(std::string_view word) {
    if (!token_.is(word)) return false;
    advance();
    return true;
  }

  void expect(std::string_view word) {
    if (!accept(word)) stop("'" + std::string(word) + "'");
  }

  std::string take(Kind kind, const char* expected) {
    if (token_.kind != kind) stop(expected);
    std::string text = std::move(token_.text);
    advance();
    return text;
  }

  // --- statements ---

  void header() {
    expect("qlathe_graph");
    if (token_.kind != Kind::kInteger || token_.text != "1") stop("the version 1");
    advance();
    graph_.name = take(Kind::kString, "the graph's name as a string");
    if (accept("arrays")) array_file_ = take(Kind::kString, "the name of a file as a string");
  }

  void statement() {
    if (token_.kind == Kind::kTensor) return node();
    if (accept("input")) {
      graph_.inputs.push_back(declaration());
    } else if (accept("const")) {
      const size_t offset = token_.offset;
      const TensorId id = declaration();
      expect('=');
      graph_[id].data = values(graph_[id], offset);
      if (!graph_[id].data) broken_.insert(id);
    } else if (accept("state")) {
      State state;
      state.current = declaration();
      expect("next");
      const size_t at = graph_.states.size();
      later([this, at](TensorId id) { graph_.states[at].next = id; });
      if (accept('=')) state.initial = values(graph_[state.current], token_.offset);
      graph_.states.push_back(std::move(state));
    } else if (accept("undefined")) {
      declaration();
    } else if (accept("output")) {
      later([this](TensorId id) { graph_.outputs.push_back(id); });
    } else if (token_.kind == Kind::kWord && OpRegistry::find(token_.text)) {
      node();  // an op without results
    } else {
      stop("'input', 'const', 'state', 'output' or a tensor");
    }
  }

  /// A reference to a tensor that may stand further below.
  template <class Assign>
  void later(Assign assign) {
    const size_t offset = token_.offset;
    const std::string name = take(Kind::kTensor, "a tensor");
    pending_.push_back({name, offset, std::move(assign)});
  }

  void resolve() {
    for (const Pending& p : pending_) {
      const auto found = names_.find(p.name);
      if (found != names_.end()) {
        p.assign(found->second);
      } else {
        unknown_tensor(p.name, p.offset, "");
      }
    }
  }

  void unknown_tensor(const std::string& name, size_t offset, const std::string& node) {
    const std::string near = nearest_name(name);
    note(offset, node, "there is no tensor " + in_quotes("%" + name),
         near.empty() ? "" : "did you mean " + in_quotes("%" + near) + "?");
  }

  std::string nearest_name(const std::string& name) {
    constexpr size_t kMaxCompared = 2000;
    std::vector<std::string> known;
    for (const auto& entry : names_) {
      if (known.size() < kMaxCompared) known.push_back(entry.first);
    }
    return nearest(name, known);
  }

  TensorId new_tensor(const std::string& name, size_t offset) {
    const TensorId id{static_cast<int32_t>(graph_.tensors.size())};
    if (!names_.emplace(name, id).second) {
      note(offset, "", "the tensor " + in_quotes("%" + name) + " stands here again");
      throw Stop();  // or one array could be loaded any number of times
    }
    graph_.tensors.push_back({name, {}, std::nullopt, nullptr});
    return id;
  }

  // --- tensors ---

  /// %name: type[extents] quantized(…)
  TensorId declaration() {
    const size_t offset = token_.offset;
    const TensorId id = new_tensor(take(Kind::kTensor, "a tensor"), offset);
    expect(':');
    graph_[id].type = type();
    quantization(id);
    return id;
  }

  TensorType type() {
    const size_t offset = token_.offset;
    const std::string word = take(Kind::kWord, "a type such as float32[8, 16]");
    TensorType out;
    if (const auto parsed = parse_value_type(word)) {
      out.type = *parsed;
    } else {
      std::vector<std::string> known;
      for (const ValueTypeInfo& row : value_types())
        known.push_back(row.name);
      note(offset, "", "there is no type " + in_quotes(word), did_you_mean(word, known));
    }
    out.shape = extents(kMaxRank);
    if (Status status = check_shape(out.shape); !status.ok()) {
      note(offset, "", status.diagnostics()[0].message);
      throw Stop();  // sizes may be computed from here on
    }
    return out;
  }

  Shape extents(size_t max) {
    Shape out;
    expect('[');
    while (!accept(']')) {
      if (out.size() == max) stop("at most " + std::to_string(max) + " extents");
      out.push_back(integer());
      if (!accept(',') && !token_.is(']')) stop("',' or ']'");
    }
    return out;
  }

  int64_t integer() {
    const Token number = token_;
    take(Kind::kInteger, "an integer");
    HostTensor holder(ValueType::kI64, {});
    if (number.hexadecimal || !set_element(holder, 0, {number.text, false})) {
      note(number.offset, "", "expected an integer of 64 bits, found " + number.shown());
      throw Stop();
    }
    return holder.int_at(0);
  }

  void quantization(TensorId id) {
    if (!accept("quantized")) return;
    graph_[id].quantization.emplace();
    expect('(');
    bool scale = false, tile = false;
    do {
      if (accept("scale")) {
        expect('=');
        later([this, id](TensorId to) { graph_[id].quantization->scale = to; });
        scale = true;
      } else if (accept("zero_point")) {
        expect('=');
        later([this, id](TensorId to) { graph_[id].quantization->zero_point = to; });
      } else if (accept("tile")) {
        expect('=');
        graph_[id].quantization->tile = extents(kMaxRank);
        tile = true;
      } else {
        stop("'scale', 'zero_point' or 'tile'");
      }
    } while (accept(','));
    if (!scale || !tile) stop("'scale' and 'tile' in a quantization");
    expect(')');
  }

  /// One number, a list of them in row-major order, or the word `array`.
  std::shared_ptr<const HostTensor> values(const Tensor& tensor, size_t offset) {
    if (accept("array")) {
      Result<HostTensor> data = lookup_(array_file_, tensor.name, tensor.type);
      if (!data.ok()) {
        problems_.merge(data.status().at({lexer_.position(offset), tensor.name, ""}));
        return nullptr;
      }
      if (data->type() != tensor.type.type || data->shape() != tensor.type.shape) {
        note(offset, tensor.name,
             "stands in its file as " + std::string(name(data->type())) + " of shape " + to_string(data->shape()) +
                 ", here as " + name(tensor.type.type) + " of shape " + to_string(tensor.type.shape));
        return nullptr;
      }
      return std::make_shared<const HostTensor>(*std::move(data));
    }
    std::vector<Token> numbers;
    if (!token_.is('[')) {
      numbers.push_back(number());
    } else {
      advance();
      while (!accept(']')) {
        numbers.push_back(number());
        if (!accept(',') && !token_.is(']')) stop("',' or ']'");
      }
    }
    const int64_t count = element_count(tensor.type.shape);
    if (static_cast<int64_t>(numbers.size()) != count) {
      note(offset, tensor.name,
           "has " + std::to_string(numbers.size()) + " values where its shape " + to_string(tensor.type.shape) +
               " needs " + std::to_string(count));
      return nullptr;
    }
    auto out = std::make_shared<HostTensor>(tensor.type.type, tensor.type.shape);
    for (int64_t i = 0; i < count; ++i) {
      const Token& n = numbers[static_cast<size_t>(i)];
      if (!set_element(*out, i, {n.text, n.hexadecimal})) {
        note(n.offset, tensor.name, n.shown() + " is no value of " + name(tensor.type.type));
      }
    }
    return out;
  }

  Token number() {
    Token out = token_;
    if (out.kind == Kind::kWord && (out.text == "inf" || out.text == "nan")) out.kind = Kind::kFloat;
    if (out.kind != Kind::kInteger && out.kind != Kind::kFloat) stop("a number");
    advance();
    return out;
  }

  // --- nodes ---

  struct Definition {
    std::string name;
    size_t offset;
    std::optional<TensorId> declared;  // with its type; without one the type is inferred
  };

  /// %a: type, %b = op(%x, none, %y) {attribute = value, …} from(name="…", module="…", rule_op="…", place="…")
  void node() {
    std::vector<Definition> results;
    const size_t begin = token_.offset;
    if (token_.kind == Kind::kTensor) {
      do {
        results.push_back(result());
      } while (accept(','));
      expect('=');
    }
    const size_t op_offset = token_.offset;
    Node node;
    node.op = take(Kind::kWord, "the name of an op");
    const OpDef* def = OpRegistry::find(node.op);
    if (!def) note(op_offset, "", "there is no op " + in_quotes(node.op), did_you_mean(node.op, OpRegistry::names()));
    const std::string shown_name = results.empty() ? node.op : results[0].name;
    bool good = def != nullptr;
    expect('(');
    while (!accept(')')) {
      if (node.inputs.size() == kMaxInputs) stop("fewer inputs");
      good &= input(node, shown_name);
      if (!accept(',') && !token_.is(')')) stop("',' or ')'");
    }
    const size_t attrs_offset = token_.offset;
    const AttrMap attrs = token_.is('{') ? attributes(0) : AttrMap{};
    node.origin.name = results.empty() ? "" : results[0].name;
    if (accept("from")) origin(node.origin);
    if (good) {
      auto made = def->make_attrs();
      const Place place{lexer_.position(attrs_offset), shown_name, ""};
      if (Status status = from_attr_map(attrs, place, *made); !status.ok()) {
        problems_.merge(status);
        good = false;
      }
      node.attrs = std::move(made);
    }
    if (good) {
      infer(node, results, begin);
    } else {
      // Named all the same, so that nodes below do not complain about them.
      for (const Definition& r : results)
        broken_.insert(r.declared ? *r.declared : new_tensor(r.name, r.offset));
    }
  }

  Definition result() {
    Definition out{"", token_.offset, std::nullopt};
    if (token_.kind != Kind::kTensor) stop("a tensor");
    out.name = token_.text;
    advance();
    if (!accept(':')) return out;
    out.declared = new_tensor(out.name, out.offset);
    graph_[*out.declared].type = type();
    quantization(*out.declared);
    return out;
  }

  /// False where the tensor cannot be used: unknown, or the result of a node with a problem of its own.
  bool input(Node& node, const std::string& shown_name) {
    if (accept("none")) {
      node.inputs.push_back(kNone);
      return true;
    }
    const size_t offset = token_.offset;
    const std::string name = take(Kind::kTensor, "a tensor or 'none'");
    const auto found = names_.find(name);
    if (found == names_.end()) {
      unknown_tensor(name, offset, shown_name);
      return false;
    }
    node.inputs.push_back(found->second);
    return !broken_.contains(found->second);
  }

  void infer(Node& node, const std::vector<Definition>& results, size_t begin) {
    const std::string shown_name = results.empty() ? node.op : results[0].name;
    Result<std::vector<TensorType>> types = infer_types(graph_, node);
    if (!types.ok()) {
      types.status().at({lexer_.position(begin), shown_name, ""});
      problems_.merge(types.status());
    } else if (types->size() != results.size()) {
      note(begin, shown_name,
           node.op + " has " + std::to_string(types->size()) + " results, not " + std::to_string(results.size()));
    }
    const bool good = types.ok() && types->size() == results.size();
    for (size_t i = 0; i < results.size(); ++i) {
      const Definition& r = results[i];
      const TensorId id = r.declared ? *r.declared : new_tensor(r.name, r.offset);
      node.outputs.push_back(id);
      if (!good) {
        broken_.insert(id);
      } else if (!r.declared) {
        graph_[id].type = (*types)[i];
      } else if (!(graph_[id].type == (*types)[i])) {
        const TensorType& got = (*types)[i];
        note(r.offset, r.name,
             node.op + " gives " + name(got.type) + " of shape " + to_string(got.shape) + ", not " +
                 name(graph_[id].type.type) + " of shape " + to_string(graph_[id].shape()));
      }
    }
    graph_.nodes.push_back(std::move(node));
  }

  void origin(Origin& out) {
    expect('(');
    do {
      std::string* field = token_.is("name")      ? &out.name
                           : token_.is("module")  ? &out.module_path
                           : token_.is("rule_op") ? &out.rule_op
                           : token_.is("place")   ? &out.place
                                                  : nullptr;
      if (!field) stop("'name', 'module', 'rule_op' or 'place'");
      advance();
      expect('=');
      *field = take(Kind::kString, "a string");
    } while (accept(','));
    expect(')');
  }

  AttrMap attributes(int depth) {
    if (depth == kMaxDepth) stop("attributes nested less deeply");
    AttrMap out;
    std::map<std::string, bool> seen;
    expect('{');
    while (!accept('}')) {
      const size_t offset = token_.offset;
      const std::string key = take(Kind::kWord, "the name of an attribute or '}'");
      if (!seen.emplace(key, true).second) note(offset, "", "the attribute " + in_quotes(key) + " stands here again");
      expect('=');
      out.emplace_back(key, value(depth + 1));
      if (!accept(',') && !token_.is('}')) stop("',' or '}'");
    }
    return out;
  }

  AttrValue value(int depth) {
    if (depth >= kMaxDepth) stop("attributes nested less deeply");
    if (accept("true")) return true;
    if (accept("false")) return false;
    if (token_.is('{')) return attributes(depth);
    if (token_.kind == Kind::kString) return take(Kind::kString, "");
    if (accept('[')) {
      AttrList list;
      while (!accept(']')) {
        list.push_back(value(depth + 1));
        if (!accept(',') && !token_.is(']')) stop("',' or ']'");
      }
      return list;
    }
    if (token_.kind == Kind::kInteger) return integer();
    if (token_.kind != Kind::kFloat && !token_.is("inf") && !token_.is("nan")) stop("the value of an attribute");
    const Token n = number();
    HostTensor holder(ValueType::kF64, {});
    if (!set_element(holder, 0, {n.text, false})) note(n.offset, "", n.shown() + " is no number of 64 bits");
    return holder.as<double>()[0];
  }

  Status as_user_error(const Status& status) const {
    Status out;
    for (Diagnostic d : status.diagnostics()) {
      d.kind = Diagnostic::Kind::kUser;
      d.remedy.clear();
      out.add(std::move(d));
    }
    return out.at({file_, "", ""});
  }

  struct Pending {
    std::string name;
    size_t offset;
    std::function<void(TensorId)> assign;
  };

  Lexer lexer_;
  std::string file_;
  const ArrayLookup& lookup_;
  Token token_;
  Graph graph_;
  std::string array_file_;
  std::map<std::string, TensorId> names_;
  std::set<TensorId> broken_;  // have a problem of their own: nodes that read them are not checked further
  std::vector<Pending> pending_;
  Status problems_;
};

}  // namespace

Result<Graph> parse_graph(const std::string& file, std::string_view text, const ArrayLookup& lookup) {
  return Parser(file, text, lookup).run();
}

}  // namespace qlathe
