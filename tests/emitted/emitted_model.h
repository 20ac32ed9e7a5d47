#pragma once
/// Models as a user writes them, emitted as C++ into a folder of the test.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "codegen/cpp/emit.h"
#include "schedule/target.h"
#include "tests/support/machine.h"

namespace qlathe::testing {

/// A compiler for a target: "g++ -O2 -march=…", cross for targets of another processor family.
struct TargetCompiler {
  std::string name;   ///< "g++" or "clang++"
  std::string words;  ///< the command with its flags for the target, C++11, -O2 and warnings as errors
};
/// Those that this machine has.
std::vector<TargetCompiler> compilers_for(const Target& target);

/// A test with a folder of its own and one model in it.
class EmittedModel : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// The model: its spec, weights for it by name, the shape of its one float input.
  void write_model(const std::string& spec, const std::map<std::string, Shape>& weights, const Shape& input);

  /// Emits it under the rules for the target into folder()/name, with two golden vectors by the reference.
  void emit(const std::string& name, const std::string& rules, const Target& target) {
    emit(name, rules, std::vector{&target});
  }
  /// The same as forms of one program where there are several targets.
  void emit(const std::string& name, const std::string& rules, const std::vector<const Target*>& targets);

  /// Runs a command in the folder; the test fails with its output if it does.
  void run(const std::string& command);

  const std::filesystem::path& folder() const { return folder_; }

  WeightPlacement weights_ = WeightPlacement::kInline;

 private:
  std::filesystem::path folder_;
  Shape input_;
};

}  // namespace qlathe::testing
