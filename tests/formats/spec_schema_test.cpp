// The schema says what the reader reads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include "frontend/formats/json_reader.h"
#include "frontend/formats/spec/spec.h"
#include "frontend/ir/value_type.h"
#include "tests/formats/array_samples.h"

namespace qlathe {
namespace {

const std::string kSchema = QLATHE_SOURCE_DIR "/frontend/formats/spec/schema/qlathe-spec.schema.json";

using Names = std::set<std::string>;

Names strings(const JsonValue& list) {
  Names out;
  for (const JsonValue& item : *list.array())
    out.insert(*item.string());
  return out;
}

Names keys(const JsonValue& object) {
  Names out;
  for (const JsonValue::Member& member : *object.object())
    out.insert(member.key);
  return out;
}

class SpecSchema : public ::testing::Test {
 protected:
  void SetUp() override {
    auto document = read_json_file(kSchema);
    ASSERT_TRUE(document.ok()) << document.status().text();
    schema_ = *std::move(document);
    defs_ = schema_.root.find("$defs");
    ASSERT_NE(defs_, nullptr);
  }
  JsonDocument schema_;
  const JsonValue* defs_ = nullptr;
};

TEST_F(SpecSchema, HasEveryOpWithTheFieldsThatTheReaderReads) {
  const auto names = spec_op_names();
  const JsonValue* common = defs_->find("node")->find("properties");
  EXPECT_EQ(strings(*common->find("op")->find("enum")), Names(names.begin(), names.end()));
  for (const std::string& op : names) {
    const JsonValue* def = defs_->find("op_" + op);
    ASSERT_NE(def, nullptr) << op;
    EXPECT_FALSE(*def->find("additionalProperties")->boolean()) << op;
    Names expected = keys(*common);
    const auto fields = spec_op_fields(op);
    expected.insert(fields.begin(), fields.end());
    EXPECT_EQ(keys(*def->find("properties")), expected) << op;
  }
}

TEST_F(SpecSchema, HasEveryValueType) {
  Names expected;
  for (const ValueTypeInfo& row : value_types())
    expected.insert(row.name);
  EXPECT_EQ(strings(*defs_->find("value_type")->find("enum")), expected);
}

TEST_F(SpecSchema, HasEveryFieldOfASpec) {
  // An unknown field makes the reader list those it knows.
  auto document = parse_json("s.json", R"({"qlathe_spec": 1, "zzzzzzzzzzzzzzzz": 1, "inputs": [], "nodes": []})");
  ASSERT_TRUE(document.ok());
  const std::string error = read_spec_document(*std::move(document)).status().text();
  const size_t at = error.find("known are: ");
  ASSERT_NE(at, std::string::npos) << error;
  std::string list = error.substr(at + 11);
  list = list.substr(0, list.find('\n'));
  Names known;
  for (size_t i = 0; i < list.size();) {
    const size_t comma = std::min(list.find(", ", i), list.size());
    known.insert(list.substr(i, comma - i));
    i = comma + 2;
  }
  EXPECT_EQ(keys(*schema_.root.find("properties")), known);
}

/// The examples of docs/spec.md: every block between ```json and ```.
std::vector<std::string> documented_specs() {
  std::ifstream in(QLATHE_SOURCE_DIR "/docs/spec.md");
  std::vector<std::string> out;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line == "```json") {
      inside = true;
      out.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      out.back() += line + "\n";
    }
  }
  return out;
}

TEST_F(SpecSchema, AcceptsTheDocumentedExamplesAndRefusesMistakes) {
  if (std::system("python3 -c 'import jsonschema' 2>/dev/null") != 0) {
    GTEST_SKIP() << "python3 has no jsonschema: the schema itself is not run here";
  }
  testing::TemporaryFolder folder;
  const auto accepts = [&](const std::string& spec) {
    std::ofstream(folder / "spec.json") << spec;
    const std::string command =
        "python3 -c 'import json, sys, jsonschema; jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))"
        ".validate(json.load(open(sys.argv[2])))' " +
        kSchema + " " + (folder / "spec.json") + " 2>/dev/null";
    return std::system(command.c_str()) == 0;
  };
  const auto specs = documented_specs();
  ASSERT_GE(specs.size(), 2u);
  for (const std::string& spec : specs)
    EXPECT_TRUE(accepts(spec)) << spec;
  const std::string head = R"({"qlathe_spec": 1, "inputs": [{"name": "x", "shape": [1, 2]}], "nodes": [)";
  EXPECT_TRUE(accepts(head + R"({"op": "softmax", "axis": -1}]})"));
  EXPECT_FALSE(accepts(head + R"({"op": "softmax", "axes": -1}]})"));
  EXPECT_FALSE(accepts(head + R"({"op": "sofmax"}]})"));
  EXPECT_FALSE(accepts(head + R"({"op": "max_pool"}]})"));
  EXPECT_FALSE(accepts(head + R"({"op": "relu"}], "output": "x"})"));
}

}  // namespace
}  // namespace qlathe
