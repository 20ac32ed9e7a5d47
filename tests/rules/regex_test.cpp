#include "frontend/rules/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace qlathe {
namespace {

using ::testing::HasSubstr;

bool full_match(std::string_view pattern, std::string_view subject) {
  const auto regex = Regex::compile(pattern);
  EXPECT_TRUE(regex.ok()) << regex.status().text();
  if (!regex.ok()) return false;
  const auto matched = regex->full_match(subject);
  EXPECT_TRUE(matched.ok()) << matched.status().text();
  return matched.ok() && *matched;
}

std::string problem(std::string_view pattern) {
  const auto regex = Regex::compile(pattern);
  return regex.ok() ? "" : regex.status().text();
}

TEST(Regex, TheWholePathMustMatch) {
  EXPECT_TRUE(full_match("linear1", "linear1"));
  EXPECT_FALSE(full_match("linear", "linear1"));
  EXPECT_FALSE(full_match("inear1", "linear1"));
  EXPECT_TRUE(full_match(".*", ""));
  EXPECT_TRUE(full_match("", ""));
  EXPECT_FALSE(full_match("", "a"));
}

TEST(Regex, AlternativesBacktrackToReachTheEnd) {
  EXPECT_TRUE(full_match("a|ab", "ab"));
  EXPECT_TRUE(full_match("(?:fc|fc1)(?:/k)?", "fc1/k"));
  EXPECT_TRUE(full_match("a*?", "aaa"));
}

TEST(Regex, LookaheadsAndLookbehindsWork) {
  EXPECT_TRUE(full_match("(?!.*head).*", "encoder/fc1"));
  EXPECT_FALSE(full_match("(?!.*head).*", "decoder/head"));
  EXPECT_TRUE(full_match("block(?=/).*", "block/0"));
  EXPECT_TRUE(full_match(".*(?<!1)", "fc2"));
  EXPECT_FALSE(full_match(".*(?<!1)", "fc1"));
}

TEST(Regex, PythonsOwnFormsMeanTheSame) {
  EXPECT_TRUE(full_match("(?P<n>ab)/(?P=n)", "ab/ab"));
  EXPECT_FALSE(full_match("(?P<n>a.)/(?P=n)", "ab/ac"));
  EXPECT_TRUE(full_match("fc\\Z", "fc"));
  EXPECT_TRUE(full_match("\\Afc$", "fc"));
  EXPECT_TRUE(full_match("a{,2}b", "b"));
  EXPECT_TRUE(full_match("a{,2}b", "aab"));
  EXPECT_FALSE(full_match("a{,2}b", "aaab"));
  EXPECT_TRUE(full_match("a{x", "a{x"));
  EXPECT_TRUE(full_match("\\x41\\u0042\\U00000043", "ABC"));
  EXPECT_TRUE(full_match("\\101\\0", std::string_view("A\0", 2)));
  EXPECT_TRUE(full_match("(a)(b)\\2\\1", "abba"));
  EXPECT_TRUE(full_match("[[:a]+", "[a:"));
  EXPECT_TRUE(full_match("[]x]+", "]x"));
  EXPECT_TRUE(full_match("[^]x]", "a"));
  EXPECT_TRUE(full_match("(?i)FC\\d+", "fc12"));
  EXPECT_TRUE(full_match("(?x) f c  # comment\n 1", "fc1"));
  EXPECT_TRUE(full_match("(?#note)fc", "fc"));
  EXPECT_TRUE(full_match("(?i:A)b", "ab"));
  EXPECT_FALSE(full_match("(?i:A)b", "aB"));
  EXPECT_TRUE(full_match("(a)?(?(1)b|c)", "ab"));
  EXPECT_TRUE(full_match("(?P<g>a)?(?(g)b|c)", "c"));
  EXPECT_TRUE(full_match("(?>a+)b", "aab"));
  EXPECT_FALSE(full_match("a++a", "aaa"));
}

TEST(Regex, CharactersAreUnicodeUnlessTheFlagSaysAscii) {
  EXPECT_TRUE(full_match("\\w+", "h\u00e9"));
  EXPECT_TRUE(full_match("h.", "h\u00e9"));
  EXPECT_FALSE(full_match("(?a)\\w+", "h\u00e9"));
  EXPECT_TRUE(full_match("(?a)\\w+", "he"));
}

TEST(Regex, WhatPythonRefusesIsRefused) {
  EXPECT_THAT(problem("("), HasSubstr("'(' is no regular expression: missing closing parenthesis at position 1"));
  EXPECT_THAT(problem("a)"), HasSubstr("position 1"));
  EXPECT_THAT(problem("*a"), HasSubstr("position"));
  EXPECT_THAT(problem("[a"), HasSubstr("unterminated character set at position 0"));
  EXPECT_THAT(problem("\\z"), HasSubstr("bad escape \\z"));
  EXPECT_THAT(problem("\\K"), HasSubstr("bad escape"));
  EXPECT_THAT(problem("a\\"), HasSubstr("a backslash at the end"));
  EXPECT_THAT(problem("(?<n>a)"), HasSubstr("name a group with (?P<name>...)"));
  EXPECT_THAT(problem("(?R)"), HasSubstr("unknown extension (?R"));
  EXPECT_THAT(problem("(?1)"), HasSubstr("unknown extension (?1"));
  EXPECT_THAT(problem("(?P>n)"), HasSubstr("unknown extension (?P"));
  EXPECT_THAT(problem("(?|a|b)"), HasSubstr("unknown extension (?|"));
  EXPECT_THAT(problem("(*FAIL)"), HasSubstr("nothing to repeat"));
  EXPECT_THAT(problem("(?C1)a"), HasSubstr("unknown extension (?C"));
  EXPECT_THAT(problem("a(?i)b"), HasSubstr("global flags not at the start"));
  EXPECT_THAT(problem("(?"), HasSubstr("unknown extension"));
  EXPECT_THAT(problem("a\\1"), HasSubstr("position"));
  EXPECT_THAT(problem("\\x4"), HasSubstr("incomplete escape"));
  EXPECT_THAT(problem("(?<=a+)b"), HasSubstr("lookbehind"));
  EXPECT_THAT(problem(std::string(20000, 'a')), HasSubstr("20000 bytes"));
  EXPECT_THAT(problem(std::string(5000, '(')), HasSubstr("nested"));
}

TEST(Regex, ACatastrophicPatternIsAnErrorAndNoHang) {
  const auto regex = Regex::compile("(a+)+$");
  ASSERT_TRUE(regex.ok());
  const auto before = std::chrono::steady_clock::now();
  const auto matched = regex->full_match(std::string(64, 'a') + "!");
  EXPECT_THAT(matched.status().text(), HasSubstr("takes too many steps; write the pattern without nested repetitions"));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

TEST(Regex, HugeRepetitionsAreRefusedByTheirSize) { EXPECT_NE(problem("(((a{500}){500}){500}){500}"), ""); }

TEST(Regex, SubjectsThatAreNotUtf8AreAnError) { EXPECT_FALSE(Regex::compile(".*")->full_match("\xff").ok()); }

}  // namespace
}  // namespace qlathe
