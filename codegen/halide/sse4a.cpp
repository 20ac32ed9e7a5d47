#include "codegen/halide/sse4a.h"

#include <elf.h>

#include <cstring>

namespace qlathe {
namespace {

template <class T>
bool read(std::span<const uint8_t> bytes, size_t offset, T& out) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return false;
  std::memcpy(&out, bytes.data() + offset, sizeof(T));
  return true;
}

// F2 or 66, an optional REX prefix, 0F, then 78 (with two immediates) or 79.
bool has_opcode(std::span<const uint8_t> code) {
  for (size_t i = 0; i + 2 < code.size(); i++) {
    if (code[i] != 0xf2 && code[i] != 0x66) continue;
    const size_t at = i + ((code[i + 1] & 0xf0) == 0x40 ? 2 : 1);
    if (at + 1 < code.size() && code[at] == 0x0f && (code[at + 1] == 0x78 || code[at + 1] == 0x79)) return true;
  }
  return false;
}

}  // namespace

bool may_use_sse4a(std::span<const uint8_t> object) {
  Elf64_Ehdr header;
  if (!read(object, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (header.e_machine != EM_X86_64) return false;
  for (size_t i = 0; i < header.e_shnum; i++) {
    Elf64_Shdr section;
    if (!read(object, header.e_shoff + i * sizeof section, section)) return false;
    if (section.sh_type != SHT_PROGBITS || (section.sh_flags & SHF_EXECINSTR) == 0) continue;
    if (section.sh_offset > object.size() || section.sh_size > object.size() - section.sh_offset) return false;
    if (has_opcode(object.subspan(section.sh_offset, section.sh_size))) return true;
  }
  return false;
}

}  // namespace qlathe
