#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "frontend/ir/result.h"

namespace qlathe {

/// The signs of the bytes that the dot instruction multiplies: first operand (activations) times second (weights).
enum class DotSigns { kNoDot, kU8S8, kEqual, kAny };

/// The inner product instruction of a target: m x n results at a time, k bytes reduced into each (VNNI and sdot 1x1x4 a
/// lane, smmla 2x2x8).
struct DotForm {
  std::string name;  ///< mnemonic, or "scalar"
  int m = 1, n = 1, k = 1;
  DotSigns signs = DotSigns::kNoDot;
};

/// A target as data. One file a target in schedule/targets/.
struct Target {
  std::string name;       ///< "x86-64-avx512vnni"
  std::string summary;    ///< one line for `qlathe targets`
  std::string halide;     ///< Halide target string for lowering and objects, e.g. "x86-64-linux-avx512_zen4"
  bool object = false;    ///< Halide's object path reaches the promised instructions
  bool cpp = true;        ///< the C++ path does
  bool vectorize = true;  ///< false: scalar loops for plain ISO C++11 (generic, microcontrollers)
  int vector_bits = 0;    ///< of the widest register, 0 for scalar targets
  int registers = 0;      ///< vector registers
  DotForm dot;
  int max_accumulators = 0;                         ///< vectors in flight in a register tile
  std::vector<std::string> gcc_flags, clang_flags;  ///< to compile the emitted C++
  std::string cross_triple;                         ///< GNU triple of the cross compiler, empty for the host's family
  std::string emulator;                             ///< user-mode emulator that runs the result, empty for native
  std::vector<std::string> promised;                ///< mnemonics that an int8 contraction must contain
  std::vector<std::string> cpu_flags;               ///< /proc/cpuinfo flags that a host needs to run it

  int lanes(int bits) const { return vector_bits >= bits ? vector_bits / bits : 1; }
};

class TargetRegistry {
 public:
  static const Target* find(const std::string& name);
  /// The named target, "host" for host_target(); else a user error that lists the known ones.
  static Result<const Target*> get(const std::string& name);
  static std::vector<const Target*> all();  ///< sorted by name

  struct Add {
    explicit Add(Target target);
  };
};

/// The best target of this machine that objects (and so the JIT) can reach.
const Target& host_target();
/// Whether this machine's processor can run code for the target.
bool host_can_run(const Target& target);

}  // namespace qlathe
