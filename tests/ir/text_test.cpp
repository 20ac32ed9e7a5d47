#include "frontend/ir/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "frontend/ir/op_registry.h"

namespace qlathe {
namespace {

enum class Flavour { kPlain, kFancy };
[[maybe_unused]] std::span<const char* const> enum_names(Flavour) {
  static constexpr const char* kNames[] = {"plain", "fancy"};
  return kNames;
}

struct Item {
  int64_t size = 0;
  double scale = 1;
  void visit(FieldVisitor& v) {
    v.field("size", size);
    v.field("scale", scale, 1.0);
  }
};

/// One field of every kind that an attribute struct can have.
struct SampleAttrs : Attrs<SampleAttrs> {
  std::vector<int64_t> shape;
  bool flag = false;
  double number = 0;
  std::string text;
  Flavour flavour = Flavour::kPlain;
  ValueType type = ValueType::kF32;
  std::vector<Item> items;
  void visit(FieldVisitor& v) override {
    v.optional_list("shape", shape);
    v.field("flag", flag, false);
    v.field("number", number, 0.0);
    v.field("text", text, "");
    v.field("flavour", flavour, Flavour::kPlain);
    v.field("type", type, ValueType::kF32);
    v.optional_list("items", items);
  }
};

/// sample(x, y?): x's shape with the type of the attribute. sample_pair(x): two copies of x.
const OpRegistry::Add add_sample({.name = "sample",
                                  .summary = "for these tests",
                                  .operands = {"x", "y"},
                                  .required = 1,
                                  .make_attrs = [] { return std::make_shared<SampleAttrs>(); },
                                  .infer = [](const InferContext& c) -> Result<std::vector<TensorType>> {
                                    return std::vector<TensorType>{{c.node.as<SampleAttrs>().type, c.in(0).shape}};
                                  },
                                  .evaluate = nullptr});
const OpRegistry::Add add_pair({.name = "sample_pair",
                                .summary = "for these tests",
                                .operands = {"x"},
                                .required = 1,
                                .make_attrs = [] { return std::make_shared<SampleAttrs>(); },
                                .infer = [](const InferContext& c) -> Result<std::vector<TensorType>> {
                                  return std::vector<TensorType>{c.in(0), c.in(0)};
                                },
                                .evaluate = nullptr});

ArrayLookup arrays_of(const GraphText& text) {
  return [&text](const std::string&, const std::string& name, const TensorType&) -> Result<HostTensor> {
    const auto found = text.arrays.find(name);
    if (found == text.arrays.end()) return Status::user({}, "no array " + name);
    return *found->second;
  };
}

Result<Graph> parse(const std::string& text) {
  return parse_graph("g.qlir", text,
                     [](const std::string&, const std::string&, const TensorType&) -> Result<HostTensor> {
                       return Status::user({}, "has no file");
                     });
}

std::string error_of(const std::string& body) {
  auto graph = parse("qlathe_graph 1 \"g\"\n" + body);
  return graph.ok() ? "no error" : graph.status().text();
}

void expect_round_trip(const Graph& graph) {
  const GraphText once = print_graph(graph);
  auto back = parse_graph("g.qlir", once.text, arrays_of(once));
  ASSERT_TRUE(back.ok()) << back.status().text() << "\n" << once.text;
  const GraphText twice = print_graph(*back);
  EXPECT_EQ(twice.text, once.text);
  ASSERT_EQ(twice.arrays.size(), once.arrays.size());
  for (const auto& [name, data] : once.arrays)
    EXPECT_EQ(*twice.arrays.at(name), *data) << name;
}

HostTensor every_byte(ValueType type, int64_t n) {
  HostTensor t(type, {n});
  for (size_t i = 0; i < t.byte_size(); ++i)
    t.bytes()[i] = static_cast<uint8_t>(29 * i + 7);
  if (info(type).bits < 8 || type == ValueType::kI8) {
    const int64_t low = info(type).min, span = int64_t{1} << info(type).bits;
    for (int64_t i = 0; i < n; ++i)
      t.set_int(i, low + i % span);
  }
  return t;
}

TEST(GraphText, ReadsAsAPersonWritesIt) {
  Graph g;
  g.name = "tiny";
  const TensorId x = g.add_input("x", {ValueType::kF32, {2, 3}});
  const TensorId w = g.add_constant("fc/kernel", HostTensor::of<int8_t>(ValueType::kI4, {3}, {-8, 0, 7}));
  auto attrs = std::make_shared<SampleAttrs>();
  attrs->number = 0.1;
  attrs->text = "a \"b\"";
  attrs->items = {{1, 1.0}};
  auto y = g.add("sample", {x, w}, attrs, {"y", "fc", "dot_general", "mlp.json:3:5"});
  ASSERT_TRUE(y.ok()) << y.status().text();
  g.outputs = {*y};
  EXPECT_EQ(print_graph(g).text,
            "qlathe_graph 1 \"tiny\"\n"
            "input %x: float32[2, 3]\n"
            "const %fc/kernel: int4[3] = [-8, 0, 7]\n"
            "%y: float32[2, 3] = sample(%x, %fc/kernel) {number = 0.1, text = \"a \\\"b\\\"\", items = [{size = 1}]}"
            " from(module=\"fc\", rule_op=\"dot_general\", place=\"mlp.json:3:5\")\n"
            "output %y\n");
  expect_round_trip(g);
}

TEST(GraphText, BreaksLongAttributesIntoLines) {
  Graph g;
  const TensorId x = g.add_input("x", {ValueType::kF32, {2}});
  auto attrs = std::make_shared<SampleAttrs>();
  attrs->flag = true;
  for (int i = 0; i < 4; ++i)
    attrs->items.push_back({1000000 + i, 1.0 / (3 + i)});
  g.outputs = {*g.add("sample", {x}, attrs, {"y", "", "", ""})};
  EXPECT_EQ(print_graph(g).text,
            "qlathe_graph 1 \"\"\n"
            "input %x: float32[2]\n"
            "%y: float32[2] = sample(%x) {\n"
            "  flag = true,\n"
            "  items = [\n"
            "    {size = 1000000, scale = 0.3333333333333333},\n"
            "    {size = 1000001, scale = 0.25},\n"
            "    {size = 1000002, scale = 0.2},\n"
            "    {size = 1000003, scale = 0.16666666666666666},\n"
            "  ],\n"
            "}\n"
            "output %y\n");
  expect_round_trip(g);
}

TEST(GraphText, KeepsEveryTypeInlineAndBesideTheText) {
  Graph g;
  for (const ValueTypeInfo& row : value_types()) {
    g.add_constant(std::string("small.") + row.name, every_byte(row.type, 16));
    g.add_constant(std::string("large.") + row.name, every_byte(row.type, 17));
  }
  const GraphText text = print_graph(g);
  EXPECT_EQ(text.arrays.size(), value_types().size());
  expect_round_trip(g);
  auto back = parse_graph("g", text.text, arrays_of(text));
  ASSERT_TRUE(back.ok()) << back.status().text();
  for (const Tensor& t : g.tensors)
    EXPECT_EQ(*(*back)[back->find(t.name)].data, *t.data) << t.name;
}

TEST(GraphText, KeepsEveryBitOfFloats) {
  const float inf = std::numeric_limits<float>::infinity();
  Graph g;
  const HostTensor values = HostTensor::of<float>(
      ValueType::kF32, {9}, {0.0f, -0.0f, 1.0f / 3, 1e-45f, 3.4e38f, inf, -inf, std::nanf(""), -std::nanf("3")});
  g.add_constant("c", values);
  const double tiny = std::numeric_limits<double>::denorm_min();
  g.add_constant("d", HostTensor::of<double>(ValueType::kF64, {3}, {0.1, tiny, -std::nan("")}));
  const GraphText text = print_graph(g);
  auto back = parse_graph("g", text.text, arrays_of(text));
  ASSERT_TRUE(back.ok()) << back.status().text() << text.text;
  EXPECT_EQ(*back->tensors[0].data, values) << text.text;
  EXPECT_EQ(*back->tensors[1].data, *g.tensors[1].data) << text.text;
}

TEST(GraphText, KeepsStatesQuantizationResultsAndOrigins) {
  Graph g;
  g.name = "all \"of\" it\n";
  const TensorId x = g.add_input("x:0", {ValueType::kU8, {2, 4}});
  const TensorId scale = g.add_constant("scale", HostTensor::of<float>(ValueType::kF32, {1, 4}, {1, 2, 3, 4}));
  const TensorId zero = g.add_constant("zero", HostTensor(ValueType::kU8, {1, 4}));
  const TensorId state = g.add_tensor("state", {ValueType::kF32, {2}});
  g[x].quantization = Quantization{scale, zero, {2, 1}};
  auto pair = g.add_node("sample_pair", {state}, std::make_shared<SampleAttrs>(), {"", "", "", ""});
  ASSERT_TRUE(pair.ok()) << pair.status().text();
  auto attrs = std::make_shared<SampleAttrs>();
  attrs->shape = {1, -1};
  attrs->number = -std::numeric_limits<double>::infinity();
  attrs->flavour = Flavour::kFancy;
  attrs->type = ValueType::kI32;
  auto y = g.add("sample", {x, kNone}, attrs, {"other name", "m", "", ""});
  ASSERT_TRUE(y.ok()) << y.status().text();
  g.states = {{state, (*pair)[1], std::make_shared<HostTensor>(HostTensor::of<float>(ValueType::kF32, {2}, {1, 2}))}};
  g.outputs = {*y, (*pair)[0]};
  expect_round_trip(g);
  auto back = parse(print_graph(g).text);
  ASSERT_TRUE(back.ok()) << back.status().text();
  EXPECT_EQ(back->name, g.name);
  EXPECT_EQ(back->nodes[1].origin.name, "other name");
  EXPECT_EQ(back->nodes[1].inputs.size(), 2u);
  EXPECT_EQ(back->nodes[1].as<SampleAttrs>().shape, attrs->shape);
  EXPECT_EQ(back->nodes[1].as<SampleAttrs>().number, attrs->number);
}

TEST(GraphText, InfersTypesThatAreLeftOut) {
  auto g = parse(
      "# by hand\nqlathe_graph 1 \"g\"\ninput %x: int8[2]\n%y = sample(%x) {type = \"int32\"} # comment\noutput %y");
  ASSERT_TRUE(g.ok()) << g.status().text();
  EXPECT_EQ((*g)[g->outputs[0]].type, (TensorType{ValueType::kI32, {2}}));
}

TEST(GraphText, SaysWhereAndWhatWasExpected) {
  const struct {
    const char* body;
    const char* error;
  } cases[] = {
      {"input x", "g.qlir:2:7: expected a tensor, found 'x'"},
      {"inptu %x: int8[]", "g.qlir:2:1: expected 'input', 'const', 'state', 'output' or a tensor, found 'inptu'"},
      {"input %x: int8[2", "g.qlir:2:17: expected ',' or ']', found the end of the text"},
      {"input %x: int8[-2]", "g.qlir:2:11: shape -2 has a negative extent"},
      {"input %x: int8[99999999999999999999]",
       "g.qlir:2:16: expected an integer of 64 bits, found '99999999999999999999'"},
      {"input %x: int8[1099511627776, 2]", "g.qlir:2:11: shape 1099511627776x2 has more than 2^40 elements"},
      {"input %x: in8[2]", "g.qlir:2:11: there is no type 'in8'; did you mean 'int8'?"},
      {"input %\"x: int8[2]\n", "g.qlir:2:8: a string without its closing quote"},
      {"input %x: int8[2] $", "g.qlir:2:19: unexpected character '$'"},
      {"const %c: int8[2] = [1, 300]", "g.qlir:2:25: c: '300' is no value of int8"},
      {"const %c: int8[2] = [1, 2, 3]", "g.qlir:2:7: c: has 3 values where its shape 2 needs 2"},
      {"const %c: float32[] = 0xffffffffff", "g.qlir:2:23: c: '0xffffffffff' is no value of float32"},
      {"const %c: float32[9] = array", "g.qlir:2:7: c: has no file"},
      {"output %y", "g.qlir:2:8: there is no tensor '%y'"},
      {"input %x: int8[1]\ninput %x: int8[1]", "g.qlir:3:7: the tensor '%x' stands here again"},
      {"input %value: int8[1]\n%y = sample(%valu)",
       "g.qlir:3:13: y: there is no tensor '%valu'; did you mean '%value'?"},
      {"input %x: int8[1]\n%y = smaple(%x)", "g.qlir:3:6: there is no op 'smaple'; did you mean 'sample'?"},
      {"input %x: int8[1]\n%y = sample(%x) {flag = 3}", "g.qlir:3:17: y: flag: expected true or false"},
      {"input %x: int8[1]\n%y = sample(%x) {flga = true}", "g.qlir:3:17: y: flga: unknown field; did you mean 'flag'?"},
      {"input %x: int8[1]\n%y = sample(%x) {flag = true, flag = true}",
       "g.qlir:3:31: the attribute 'flag' stands here again"},
      {"input %x: int8[1]\n%y: int8[1] = sample(%x)",
       "g.qlir:3:1: y: sample gives float32 of shape 1, not int8 of shape 1"},
      {"input %x: int8[1]\n%y = sample_pair(%x)", "g.qlir:3:1: y: sample_pair has 2 results, not 1"},
      {"input %x: int8[1]\n%y = sample(none)", "g.qlir:3:1: y: inputs: operand 'x' of sample is missing"},
      {"input %x: int8[1]\n%y = sample(%x, %x, %x)", "g.qlir:3:1: y: inputs: sample takes 2 operands, not 3"},
      {"%y: float32[1] = sample(%y)", "g.qlir: graph 'g', node 'y': input 'y' is used before it is computed"},
      {"input %x: int8[4] quantized(scale=%s, tile=[3])\nconst %s: float32[] = 1.0",
       "g.qlir: graph 'g': tile of 'x' does not divide dimension 0"},
      {"input %x: int8[4] quantized(scale=%s)",
       "g.qlir:2:37: expected 'scale' and 'tile' in a quantization, found ')'"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(error_of(c.body), c.error) << c.body;
}

TEST(GraphText, ReportsAllProblemsAtOnce) {
  EXPECT_EQ(error_of("input %x: int8[1]\n%a = smple(%x)\n%b = sample(%a)\n%c = sample(%x) {flagg = 1}\noutput %d"),
            "g.qlir:3:6: there is no op 'smple'; did you mean 'sample'?\n"
            "g.qlir:5:17: c: flagg: unknown field; did you mean 'flag'?\n"
            "g.qlir:6:8: there is no tensor '%d'");
}

TEST(GraphText, BoundsTheDepthOfAttributes) {
  const std::string deep = "input %x: int8[1]\n%y = sample(%x) {shape = " + std::string(100000, '[');
  EXPECT_EQ(error_of(deep), "g.qlir:3:41: expected attributes nested less deeply, found '['");
}

TEST(GraphText, SurvivesEveryTruncationAndEveryChangedByte) {
  Graph g;
  const TensorId x = g.add_input("x", {ValueType::kF32, {2, 3}});
  g[x].quantization = Quantization{g.add_constant("s", HostTensor::scalar(0.5f)), kNone, {2, 3}};
  auto attrs = std::make_shared<SampleAttrs>();
  attrs->items = {{1, 2.5}};
  g.outputs = {*g.add("sample", {x}, attrs, {"y", "m", "", ""})};
  const std::string whole = print_graph(g).text;
  ASSERT_TRUE(parse(whole).ok());
  for (size_t n = 0; n < whole.size(); ++n) {
    (void)parse(whole.substr(0, n));
    for (char c : {'\0', '"', '[', '9', '-', '%', '\xff'}) {
      std::string damaged = whole;
      damaged[n] = c;
      auto graph = parse(damaged);
      if (graph.ok()) expect_round_trip(*graph);
    }
  }
}

}  // namespace
}  // namespace qlathe
