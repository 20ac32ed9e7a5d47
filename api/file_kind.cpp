#include "api/file_kind.h"

#include <algorithm>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

struct Signature {
  size_t at;
  std::string_view bytes;
  const char* kind;
};

constexpr Signature kSignatures[] = {
    {0, "PK\x03\x04", "an archive (.zip, .npz, or PyTorch's .pt)"},
    {0, "\x93NUMPY", "an array (.npy)"},
    {0, "\x89HDF", "an HDF5 file, as Keras writes them"},
    {0, "\x80\x02", "a Python pickle, as older PyTorch writes them"},
    {0, "GGUF", "a GGUF file"},
    {0, "\x1f\x8b", "compressed by gzip"},
    {0,
     "\x7f"
     "ELF",
     "a program or library"},
};

bool is_text(std::string_view bytes) {
  return std::none_of(bytes.begin(), bytes.end(), [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return code < 9 || (code > 13 && code < 32) || code == 127;
  });
}

}  // namespace

bool begins_graph_text(std::string_view beginning) {
  constexpr std::string_view kWord = "qlathe_graph";
  for (size_t at = 0; (at = beginning.find_first_not_of(" \t\r\n", at)) != std::string_view::npos;) {
    if (beginning[at] != '#') return beginning.substr(at).starts_with(kWord);
    at = std::min(beginning.find('\n', at), beginning.size());
  }
  return false;
}

std::string file_kind(std::string_view beginning) {
  for (const Signature& s : kSignatures) {
    if (beginning.size() >= s.at && beginning.substr(s.at).starts_with(s.bytes)) return s.kind;
  }
  if (!is_text(beginning)) return "binary data of an unknown kind";
  const size_t first = std::min(beginning.find_first_not_of(" \t\r\n"), beginning.size());
  const std::string_view line = beginning.substr(first, beginning.find_first_of("\r\n", first) - first);
  constexpr size_t kShown = 32;
  return "text that begins with " + in_quotes(std::string(line.substr(0, kShown)) + (line.size() > kShown ? "…" : ""));
}

}  // namespace qlathe
