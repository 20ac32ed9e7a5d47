#include "frontend/formats/json_reader.h"

#include <gtest/gtest.h>

namespace qlathe {
namespace {

std::string error_of(const std::string& text, const JsonLimits& limits = {}) {
  auto document = parse_json("f.json", text, limits);
  return document.ok() ? "no error" : document.status().text();
}

TEST(Json, KeepsIntegersAndNumbersApart) {
  auto d = parse_json("f.json", R"([1, 1.0, -2, 1e3, 18446744073709551615, true, null, "a\u00e9\n"])");
  ASSERT_TRUE(d.ok()) << d.status().text();
  const auto& list = *d->root.array();
  EXPECT_EQ(*list[0].integer(), 1);
  EXPECT_EQ(list[1].integer(), nullptr);
  EXPECT_EQ(*list[1].number(), 1.0);
  EXPECT_EQ(*list[2].integer(), -2);
  EXPECT_EQ(*list[3].number(), 1000.0);
  EXPECT_EQ(*list[4].number(), 18446744073709551615.0);
  EXPECT_EQ(list[4].integer(), nullptr);
  EXPECT_TRUE(*list[5].boolean());
  EXPECT_TRUE(list[6].is_null());
  EXPECT_EQ(*list[7].string(), "a\u00e9\n");
}

TEST(Json, KnowsWhereEveryValueStands) {
  auto d = parse_json("f.json", "{\n  \"a\" : 12,\n  \"b\\\"\\\\\":[ \"\u00e9\\\"\", -1.5e3 ,true,false,null,{},7]}");
  ASSERT_TRUE(d.ok()) << d.status().text();
  const auto& object = *d->root.object();
  EXPECT_EQ(d->position(object[0].value.offset()), "f.json:2:9");
  EXPECT_EQ(d->position(object[1].key_offset), "f.json:3:3");
  const auto& list = *object[1].value.array();
  const char* columns[] = {"13", "20", "28", "33", "39", "44", "47"};
  for (size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(d->position(list[i].offset()), std::string("f.json:3:") + columns[i]) << i;
  }
}

TEST(Json, SaysWhereAndWhatIsWrong) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"",
       "f.json:1:1: not JSON: syntax error while parsing value - unexpected end of input; expected '[', '{', or a "
       "literal"},
      {"[1,\n 2,\n]", "f.json:2:3: a comma before a closing bracket is not JSON; remove the comma"},
      {"{\"a\": NaN}", "f.json:1:7: NaN is not a number in JSON; write a finite number"},
      {"[1, -Infinity]", "f.json:1:5: -Infinity is not a number in JSON; write a finite number"},
      {"[Infinity]", "f.json:1:2: Infinity is not a number in JSON; write a finite number"},
      {"[1e999]", "f.json:1:2: the number is too large"},
      {"{\"a\": 1, \"b\": {\"c\": 1,\n\"c\": 2}}",
       "f.json:2:1: the key 'c' stands twice in one object; keep one of them"},
      {"{\"a\" 1}",
       "f.json:1:6: not JSON: syntax error while parsing object separator - unexpected number literal; expected ':'"},
      {"[1] 2",
       "f.json:1:5: not JSON: syntax error while parsing value - unexpected number literal; expected end of input"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(error_of(c.text), c.error) << c.text;
}

TEST(Json, RefusesBadUtf8) {
  EXPECT_NE(error_of("[\"\xff\"]").find("f.json:1:3: not JSON"), std::string::npos) << error_of("[\"\xff\"]");
}

TEST(Json, BoundsDepthValuesAndSize) {
  EXPECT_EQ(error_of(std::string(100000, '[')), "f.json:1:65: nested deeper than 64 levels");
  EXPECT_EQ(error_of("[1,2,3]", {.max_values = 3}), "f.json:1:6: more than 3 values");
  EXPECT_EQ(error_of("[1,2,3]", {.max_bytes = 3}), "f.json: is larger than a JSON file may be (3 bytes)");
}

TEST(JsonObject, ReportsEveryProblemWithItsPlace) {
  auto d = parse_json("f.json", R"({"name": 3, "pading": "SAME", "strides": [1, "2"], "groups": 0, "scale": 1})");
  ASSERT_TRUE(d.ok());
  Status problems;
  JsonObject o(*d, d->root, "conv1", problems);
  EXPECT_EQ(o.required_string("name"), "");
  EXPECT_EQ(o.string("padding"), std::nullopt);
  EXPECT_EQ(o.integers("strides"), std::nullopt);
  EXPECT_EQ(o.integer("groups", 1), std::nullopt);
  EXPECT_EQ(o.number("scale"), 1.0);
  EXPECT_EQ(o.required_integer("features"), 0);
  o.finish();
  EXPECT_EQ(problems.text(),
            "f.json:1:10: conv1: name: expected a string, found 3\n"
            "f.json:1:46: conv1: strides[1]: expected an integer, found a string\n"
            "f.json:1:62: conv1: groups: expected an integer of at least 1, found 0\n"
            "f.json:1:1: conv1: features: is missing\n"
            "f.json:1:13: conv1: unknown field 'pading'; did you mean 'padding'?");
}

TEST(JsonObject, TakesNullAsAbsent) {
  auto d = parse_json("f.json", R"({"a": null})");
  ASSERT_TRUE(d.ok());
  Status problems;
  JsonObject o(*d, d->root, "", problems);
  EXPECT_EQ(o.string("a"), std::nullopt);
  EXPECT_FALSE(o.has("a"));
  o.finish();
  EXPECT_TRUE(problems.ok()) << problems.text();
}

}  // namespace
}  // namespace qlathe
