#include "frontend/formats/spec/spec.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "frontend/formats/arrays/array_file.h"
#include "frontend/formats/spec/builder.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

/// Names are looked up in a list, so that more nodes would take minutes; the largest known networks have some
/// thousands.
constexpr size_t kMaxNodes = 20000;

/// Arrays of several files; a name may stand in one of them only.
class FileWeights : public WeightSource {
 public:
  Status add(const std::string& path) {
    QL_ASSIGN(std::unique_ptr<ArrayFile> file, open_arrays(path));
    Status problems;
    for (const ArrayInfo& array : file->arrays()) {
      const auto [entry, added] = where_.emplace(array.name, file.get());
      if (!added) {
        problems.merge(Status::user({path, array.name, ""}, "stands in " + in_quotes(entry->second->path()) + " too"));
      }
    }
    files_.push_back(std::move(file));
    return problems;
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> out;
    for (const auto& entry : where_)
      out.push_back(entry.first);
    return out;
  }
  bool has(const std::string& name) const override { return where_.contains(name); }
  Result<HostTensor> read(const std::string& name) const override { return where_.at(name)->read(name); }

 private:
  std::vector<std::unique_ptr<ArrayFile>> files_;
  std::map<std::string, const ArrayFile*> where_;
};

/// Reads the model object: inputs, nodes in order, outputs.
class ModelReader {
 public:
  ModelReader(std::shared_ptr<const JsonDocument> document, const JsonValue& value, const WeightSource& weights,
              const SpecSurroundings& surroundings, Status& problems)
      : document_(document),
        surroundings_(surroundings),
        problems_(problems),
        model_(*document, value, "", problems),
        builder_(*document, weights, problems) {
    out_.document = std::move(document);
  }

  Result<SpecModel> run(bool whole_file) {
    if (whole_file) {
      if (model_.required_integer("qlathe_spec") != 1 && model_.has("qlathe_spec")) {
        model_.problem("qlathe_spec", "only version 1 is known");
      }
      model_.ignore("weights");
      model_.ignore("$schema");
    }
    builder_.graph.name = model_.string("name").value_or("model");
    model_.string("description");
    const bool allow_unused = model_.boolean("allow_unused_weights").value_or(false);
    out_.rules = model_.find("rules");
    read_types();
    read_inputs();
    const JsonValue::Array* nodes = model_.required_array("nodes");
    if (nodes && nodes->empty()) model_.problem("nodes", "there is none");
    if (nodes && nodes->size() > kMaxNodes) {
      model_.problem("nodes", "more than " + std::to_string(kMaxNodes) + " nodes");
      nodes = nullptr;
    }
    if (nodes) {
      count_uses(*nodes);
      for (const JsonValue& node : *nodes)
        read_node(node);
    }
    read_outputs();
    model_.finish();
    if (problems_.ok() && !allow_unused && !surroundings_.allow_unused_weights) check_unused();
    QL_RETURN_IF_ERROR(problems_);
    out_.graph = std::move(builder_.graph);
    QL_RETURN_IF_ERROR(verify(out_.graph));
    return std::move(out_);
  }

 private:
  /// "types": {"fc/kernel.qvalue": "int4"}
  void read_types() {
    const JsonValue* types = model_.find("types");
    if (!types) return;
    JsonObject object(*document_, *types, "", problems_);
    if (!types->object()) return;
    for (const JsonValue::Member& member : *types->object()) {
      const auto type = read_type(object, member.key);
      if (type) builder_.array_types[member.key] = *type;
      if (!builder_.weights.has(member.key)) {
        object.problem(member.key, "the weights have no array of this name",
                       did_you_mean(member.key, builder_.weights.names()));
      }
    }
  }

  std::optional<ValueType> read_type(JsonObject& object, const std::string& key) {
    const auto text = object.string(key);
    if (!text) return std::nullopt;
    const auto type = parse_value_type(*text);
    if (!type) {
      std::vector<std::string> known;
      for (const ValueTypeInfo& row : value_types())
        known.push_back(row.name);
      object.problem(key, "there is no type " + in_quotes(*text), did_you_mean(*text, known));
    }
    return type;
  }

  void read_inputs() {
    const JsonValue::Array* inputs = model_.required_array("inputs");
    if (!inputs) return;
    for (const JsonValue& entry : *inputs) {
      if (entry.string()) {
        const auto known = surroundings_.input_types.find(*entry.string());
        if (known == surroundings_.input_types.end()) {
          model_.problem_at(entry, "inputs", "the input " + in_quotes(*entry.string()) + " has no shape",
                            "write {\"name\": \"" + *entry.string() + "\", \"shape\": [8, 16]}");
          define(*entry.string(), kNone, entry);
        } else {
          add_input(*entry.string(), known->second, entry);
        }
        continue;
      }
      JsonObject input(*document_, entry, "", problems_);
      if (!entry.object()) continue;
      const std::string name = input.required_string("name");
      input.set_node(name);
      TensorType type;
      type.shape = input.required_integers("shape", 1);
      if (input.has("type")) {
        type.type = read_type(input, "type").value_or(ValueType::kF32);
      } else {
        input.find("type");
      }
      if (Status status = check_shape(type.shape); !status.ok())
        input.problem("shape", status.diagnostics()[0].message);
      if (type.type == ValueType::kF64) input.problem("type", "float64 is not computed with", "use float32");
      input.finish();
      if (input.ok()) {
        add_input(name, type, entry);
      } else {
        define(name, kNone, entry);
      }
    }
    if (inputs->empty()) model_.problem("inputs", "there is none");
    if (inputs->size() > 1) last_.clear();  // the first node has to say which one it reads
  }

  void add_input(const std::string& name, const TensorType& type, const JsonValue& at) {
    if (!define(name, kNone, at)) return;
    const TensorId id = builder_.new_tensor(name, type);
    builder_.graph.inputs.push_back(id);
    builder_.values[name] = id;
  }

  /// Makes a name known; kNone for what has a problem of its own.
  bool define(const std::string& name, TensorId id, const JsonValue& at) {
    last_ = name;
    if (builder_.values.emplace(name, id).second) return true;
    model_.problem_at(at, "", "the name " + in_quotes(name) + " is used twice", "give every input and node its own id");
    return false;
  }

  /// Names of a node's inputs: a list, one string, or nothing for the node before.
  static void for_each_name(const JsonValue* inputs, const std::function<void(const std::string&)>& use) {
    if (inputs && inputs->string()) use(*inputs->string());
    if (!inputs || !inputs->array()) return;
    for (const JsonValue& item : *inputs->array()) {
      if (item.string()) use(*item.string());
    }
  }

  static std::string id_of(const JsonValue& node, size_t index) {
    const JsonValue *id = node.find("id"), *op = node.find("op");
    if (id && id->string()) return *id->string();
    return (op && op->string() ? *op->string() : "node") + std::to_string(index);
  }

  void count_uses(const JsonValue::Array& nodes) {
    const auto use = [this](const std::string& name) { ++builder_.uses[name]; };
    for (size_t i = 0; i < nodes.size(); ++i) {
      const JsonValue* inputs = nodes[i].find("inputs");
      for_each_name(inputs, use);
      if ((!inputs || inputs->is_null()) && i > 0) use(id_of(nodes[i - 1], i - 1));
    }
    for_each_name(model_.find("outputs"), use);
  }

  void read_node(const JsonValue& value) {
    JsonObject fields(*document_, value, "nodes[" + std::to_string(index_) + "]", problems_);
    if (!value.object()) {
      ++index_;
      return;
    }
    SpecNode node(builder_, fields);
    node.id = fields.string("id").value_or(id_of(value, index_));
    fields.set_node(node.id);
    ++index_;
    node.op = fields.required_string("op");
    const SpecOp* op = SpecOps::find(node.op);
    if (!op && !node.op.empty()) {
      fields.problem("op", "there is no op " + in_quotes(node.op), did_you_mean(node.op, SpecOps::names()));
    }
    const auto module = fields.string("module");
    node.module = module ? *module : op && op->has_weights ? node.id : "";
    node.outputs = fields.strings("outputs").value_or(std::vector<std::string>{});
    if (const JsonValue* rule = fields.find("quantization")) {
      out_.layer_rules.push_back({node.id, node.module, rule});
    }
    const bool inputs_known = read_node_inputs(node, value);
    if (op && inputs_known && fields.ok()) {
      const auto count = static_cast<int>(node.inputs.size());
      if (count < op->min_inputs || count > op->max_inputs) {
        std::string expected = std::to_string(op->min_inputs);
        if (op->max_inputs > 1000) {
          expected += " or more";
        } else if (op->max_inputs != op->min_inputs) {
          expected += " to " + std::to_string(op->max_inputs);
        }
        fields.problem("inputs", node.op + " takes " + expected + ", not " + std::to_string(count));
      } else {
        op->read(node);
        fields.finish();
      }
    } else if (op) {
      check_fields(value, fields, *op);
    }
    define_results(node, value);
  }

  /// For a node that cannot be read further: unknown fields all the same.
  void check_fields(const JsonValue&, JsonObject& fields, const SpecOp& op) {
    for (const std::string& key : op.fields)
      fields.ignore(key);
    fields.finish();
  }

  /// False where an input is unknown or comes from a node that has a problem of its own.
  bool read_node_inputs(SpecNode& node, const JsonValue& value) {
    const JsonValue* inputs = node.fields.find("inputs");
    if (!inputs) {
      if (last_.empty()) {
        node.problem("inputs",
                     "is missing; only a node after another, or the first one after a single input, may leave it out");
        return false;
      }
      return add_operand(node, last_, value);
    }
    if (inputs->string()) return add_operand(node, *inputs->string(), *inputs);
    if (!inputs->array()) {
      node.problem("inputs", std::string("expected a list of names, found ") + inputs->kind());
      return false;
    }
    bool known = true;
    for (const JsonValue& item : *inputs->array()) {
      if (item.string()) {
        known &= add_operand(node, *item.string(), item);
      } else if (item.number()) {
        node.inputs.push_back(node.constant(".constant", HostTensor::scalar(static_cast<float>(*item.number()))));
        node.names.push_back("");
      } else {
        node.fields.problem_at(item, "inputs", std::string("expected a name or a number, found ") + item.kind());
        known = false;
      }
    }
    return known;
  }

  bool add_operand(SpecNode& node, const std::string& name, const JsonValue& at) {
    const auto found = builder_.values.find(name);
    TensorId id = found == builder_.values.end() ? kNone : found->second;
    if (found == builder_.values.end()) {
      if (!builder_.weights.has(name)) {
        std::vector<std::string> known;
        for (const auto& entry : builder_.values) {
          if (known.size() < 1000) known.push_back(entry.first);
        }
        const std::string near = nearest(name, known);
        node.fields.problem_at(at, "inputs", "there is no input, earlier node or array " + in_quotes(name),
                               near.empty() ? "" : "did you mean " + in_quotes(near) + "?");
        return false;
      }
      const auto constant = builder_.constant(name, document_->place(at, node.id, "inputs"));
      if (!constant) return false;
      id = *constant;
    }
    node.inputs.push_back(id);
    node.names.push_back(name);
    return id.valid();
  }

  void define_results(SpecNode& node, const JsonValue& value) {
    std::vector<std::string> names = node.outputs;
    const size_t count = node.results.size();
    if (names.empty() && count <= 1) names = {node.id};
    if (names.empty()) {
      for (size_t i = 0; i < count; ++i)
        names.push_back(node.id + "." + std::to_string(i));
    }
    if (count > 0 && names.size() != count) {
      node.problem("outputs",
                   node.op + " has " + std::to_string(count) + " results, not " + std::to_string(names.size()));
    }
    for (size_t i = 0; i < names.size(); ++i) {
      const bool there = i < count && node.results[i].has_value();
      define(names[i], there ? *node.results[i] : kNone, value);
    }
    last_ = names.front();
  }

  void read_outputs() {
    const JsonValue* outputs = model_.find("outputs");
    if (!outputs) {
      if (const auto last = builder_.values.find(last_); last != builder_.values.end() && last->second.valid()) {
        builder_.graph.outputs.push_back(last->second);
      }
      return;
    }
    if (!outputs->string() && !model_.strings("outputs")) return;
    if (outputs->array() && outputs->array()->empty()) model_.problem("outputs", "there is none");
    for_each_name(outputs, [&](const std::string& name) {
      const auto found = builder_.values.find(name);
      if (found == builder_.values.end()) {
        std::vector<std::string> known;
        for (const auto& entry : builder_.values)
          known.push_back(entry.first);
        model_.problem("outputs", "there is no node " + in_quotes(name), did_you_mean(name, known));
      } else if (found->second.valid()) {
        builder_.graph.outputs.push_back(found->second);
      }
    });
  }

  void check_unused() {
    for (const std::string& name : builder_.weights.names()) {
      if (builder_.is_used(name)) continue;
      model_.problem("weights", "no node uses the array " + in_quotes(name),
                     "name it in a node, remove it, or set \"allow_unused_weights\": true");
    }
  }

  std::shared_ptr<const JsonDocument> document_;
  const SpecSurroundings& surroundings_;
  Status& problems_;
  JsonObject model_;
  SpecBuilder builder_;
  SpecModel out_;
  std::string last_;  // what a node without inputs reads
  size_t index_ = 0;
};

std::vector<std::string> weight_files(JsonObject& spec) {
  const JsonValue* weights = spec.find("weights");
  if (!weights) return {};
  if (weights->string()) return {*weights->string()};
  return spec.strings("weights").value_or(std::vector<std::string>{});
}

}  // namespace

std::vector<std::string> MemoryWeights::names() const {
  std::vector<std::string> out;
  for (const auto& entry : arrays_)
    out.push_back(entry.first);
  return out;
}

Result<HostTensor> MemoryWeights::read(const std::string& name) const {
  const auto found = arrays_.find(name);
  if (found == arrays_.end()) return Status::user({}, "there is no array " + in_quotes(name));
  return found->second;
}

Result<SpecModel> read_spec_model(std::shared_ptr<const JsonDocument> document, const JsonValue& model,
                                  const WeightSource& weights, const SpecSurroundings& surroundings) {
  Status problems;
  return ModelReader(std::move(document), model, weights, surroundings, problems).run(false);
}

Result<SpecModel> read_spec_document(JsonDocument given) {
  auto document = std::make_shared<const JsonDocument>(std::move(given));
  Status problems;
  FileWeights weights;
  JsonObject spec(*document, document->root, "", problems);
  for (const std::string& file : weight_files(spec)) {
    const std::filesystem::path beside = std::filesystem::path(document->file).parent_path() / file;
    problems.merge(weights.add(beside.string()));
  }
  // Without the weights every node would complain.
  QL_RETURN_IF_ERROR(problems);
  return ModelReader(document, document->root, weights, {}, problems).run(true);
}

Result<SpecModel> read_spec(const std::string& path) {
  QL_ASSIGN(JsonDocument document, read_json_file(path));
  return read_spec_document(std::move(document));
}

std::vector<std::string> spec_op_names() { return SpecOps::names(); }

std::vector<std::string> spec_op_fields(const std::string& op) {
  const SpecOp* found = SpecOps::find(op);
  std::vector<std::string> out = found ? found->fields : std::vector<std::string>{};
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace qlathe
