#include "frontend/ir/suggest.h"

#include <gtest/gtest.h>

namespace qlathe {
namespace {

TEST(Suggest, CountsSlipsOfThePen) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("linear", "linear"), 0);
  EXPECT_EQ(edit_distance("linear", "Linear"), 0);
  EXPECT_EQ(edit_distance("lienar", "linear"), 1);
  EXPECT_EQ(edit_distance("linar", "linear"), 1);
  EXPECT_EQ(edit_distance("linnear", "linear"), 1);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance(std::string(1000, 'a'), "b"), 1000);
}

TEST(Suggest, NamesTheNearestOrAllKnown) {
  EXPECT_EQ(did_you_mean("stride", {"shape", "strides"}), "did you mean 'strides'?");
  EXPECT_EQ(did_you_mean("zzz", {"shape", "strides"}), "known are: shape, strides");
  EXPECT_EQ(did_you_mean("zzz", {}), "");
  EXPECT_EQ(nearest("x", {"y"}), "");
}

TEST(Suggest, QuotesForATerminal) {
  EXPECT_EQ(in_quotes("plain é"), "'plain é'");
  EXPECT_EQ(in_quotes("\x1b[2J\xff"), "'\\x1b[2J\\xff'");
  EXPECT_EQ(in_quotes(std::string(500, 'a')).size(), 120 + 2 + std::string("…").size());
}

}  // namespace
}  // namespace qlathe
