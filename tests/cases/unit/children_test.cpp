#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "tests/cases/result.h"

namespace qlathe::cases {
namespace {

using ::testing::HasSubstr;

std::vector<ChildOutcome> run(const std::vector<std::function<std::string()>>& work, double limit_s,
                              int64_t megabytes = 0) {
  std::vector<ChildOutcome> out;
  run_in_children(
      work.size(), 2, {limit_s, megabytes}, [&](size_t i) { return work[i](); },
      [&](size_t i, const ChildOutcome& outcome) {
        EXPECT_EQ(i, out.size()) << "out of order";
        out.push_back(outcome);
      });
  return out;
}

TEST(Children, CrashAndHangEndOneCaseAndNotTheRun) {
  const auto outcomes = run({[] { return std::string("first"); },
                             []() -> std::string {
                               raise(SIGSEGV);
                               return "";
                             },
                             [] {
                               sleep(60);
                               return std::string("late");
                             },
                             []() -> std::string { _exit(3); }, [] { return std::string(1 << 20, 'x'); }},
                            2);
  ASSERT_EQ(outcomes.size(), 5u);
  EXPECT_EQ(outcomes[0].output + outcomes[0].death, "first");
  EXPECT_THAT(outcomes[1].death, HasSubstr("killed by signal 11"));
  EXPECT_THAT(outcomes[2].death, HasSubstr("no result within 2 s"));
  EXPECT_THAT(outcomes[3].death, HasSubstr("exit code 3"));
  EXPECT_EQ(outcomes[4].output.size(), size_t{1} << 20) << "more than a pipe holds";
}

TEST(Children, MemoryIsBounded) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve more memory than a limit can leave";
#endif
  const auto outcomes = run({[]() -> std::string {
                              try {
                                const std::vector<char> large(size_t{2} << 30, 'x');
                                return std::string(1, large[12345]);
                              } catch (const std::bad_alloc&) {
                                return "refused";
                              }
                            }},
                            60, 1024);
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].output, "refused");
}

TEST(Totals, CasesWithoutSuchAPathAreNotCounted) {
  Totals totals;
  for (const Outcome outcome :
       {Outcome::kPass, Outcome::kPass, Outcome::kDiffers, Outcome::kUnsupported, Outcome::kNotApplicable})
    totals.add(outcome);
  EXPECT_EQ(totals.line(), "passed 2 of 4, failed 1, unsupported 1");
}

TEST(Results, SurviveThePipe) {
  CaseResult result;
  result.name = "a/b";
  result.outcome = Outcome::kUnsupported;
  result.reason = "why";
  result.findings.compared = 3;
  result.findings.differences.push_back({"x", "", 1, 2, "[1]", 0.1, std::numeric_limits<double>::infinity()});
  EXPECT_EQ(CaseResult::from_json(nlohmann::ordered_json::parse(result.to_json().dump())).line(true),
            result.line(true));
}

}  // namespace
}  // namespace qlathe::cases
