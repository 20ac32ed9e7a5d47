#include "tests/support/machine.h"

#include <stdlib.h>

#include <vector>

namespace qlathe::testing {
namespace {

/// Boards with 4 MB of code memory at 0 and 16 MB of RAM.
struct Board {
  const char *target, *machine, *ram;
};
/// qemu's only Cortex-M0 has 16 KB of memory: code for it runs on a Cortex-M3.
constexpr Board kBoards[] = {{"cortex-m0", "mps2-an385", "0x21000000"},
                             {"cortex-m4", "mps2-an386", "0x21000000"},
                             {"cortex-m7", "mps2-an500", "0x60000000"}};

constexpr const char* kFreestandingC = " -ffreestanding -nostdlib";
constexpr const char* kFreestandingCpp = " -ffreestanding -nostdlib -fno-exceptions -fno-rtti";

Status missing(const std::string& program) {
  return Status::user({"", "", program}, "is not installed", "./dev setup installs it");
}

}  // namespace

bool on_path(const std::string& program) {
  return system(("command -v " + program + " > /dev/null 2>&1").c_str()) == 0;
}

Result<Machine> machine_for(const Target& target) {
  Machine out;
  const std::string prefix = target.cross_triple.empty() ? "" : target.cross_triple + "-";
  if (!on_path(prefix + "g++")) return missing(prefix + "g++");
  out.gcc = prefix + "gcc";
  out.gxx = prefix + "g++ -std=c++11";
  for (const std::string& flag : target.gcc_flags) {
    out.gcc += " " + flag;
    out.gxx += " " + flag;
  }
  if (prefix.empty()) {
    if (!host_can_run(target)) return Status::unsupported({}, "this machine cannot run " + target.name);
    out.files = "case_io_hosted.cpp";
    return out;
  }
  if (!target.emulator.empty()) {
    if (!on_path(target.emulator)) return missing(target.emulator);
    out.before = target.emulator + (target.emulator == "qemu-aarch64" ? " -cpu max " : " ");
    if (prefix.ends_with("-elf-")) {
      // A processor without an operating system: system calls are the emulator's.
      out.firmware = true;
      out.gcc += kFreestandingC;
      out.gxx += kFreestandingCpp;
      out.link = QLATHE_SOURCE_DIR "/tests/cases/firmware/bare_riscv32.cpp -lgcc";
      return out;
    }
    out.files = "case_io_hosted.cpp";
    out.link = "-static";
    return out;
  }
  for (const Board& board : kBoards) {
    if (target.name != board.target) continue;
    if (!on_path("qemu-system-arm")) return missing("qemu-system-arm");
    const std::string support = QLATHE_SOURCE_DIR "/examples/microcontroller";
    out.firmware = true;
    out.files = "case_io_board.cpp";
    out.gcc += kFreestandingC;
    out.gxx += kFreestandingCpp;
    out.link = std::string("-Wl,--defsym=ram_begin=") + board.ram + " -Wl,--defsym=ram_bytes=0x1000000 -Wl,-T," +
               support + "/mps2.ld -I" + support + " " + support + "/board.cpp -lgcc";
    out.before = std::string("qemu-system-arm -M ") + board.machine +
                 " -nographic -monitor none -serial none -semihosting-config enable=on,target=native -kernel ";
    return out;
  }
  return Status::unsupported({}, "no machine is known that runs " + target.name);
}

}  // namespace qlathe::testing
