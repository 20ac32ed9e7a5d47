#pragma once

#include <cstdint>
#include <span>

namespace qlathe {

/// Whether an ELF object for x86-64 may hold an instruction of SSE4a (extrq, insertq), which only AMD's processors
/// have. Halide's avx512_zen4 is LLVM's znver4, and LLVM then uses them for some shuffles of bytes and words. Looks for
/// their opcodes in the executable sections, so it may err on the side of yes.
bool may_use_sse4a(std::span<const uint8_t> object);

}  // namespace qlathe
