// Runs a fuzz target without libFuzzer, so that ./dev test exercises it with any compiler: every file of a corpus
// folder, then mutations of them from a fixed seed until the time is over.
//
// Usage: TARGET CORPUS_DIR SECONDS
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;
constexpr size_t kMaxInput = 1 << 16;

std::vector<Bytes> read_corpus(const std::filesystem::path& dir) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Bytes> corpus;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return corpus;
}

// The damages that readers meet: flipped bits, extreme bytes, truncation, removed, repeated and foreign pieces.
Bytes mutate(const std::vector<Bytes>& corpus, std::mt19937& random) {
  auto below = [&](size_t n) { return n == 0 ? size_t{0} : size_t{random() % n}; };
  Bytes bytes = corpus[below(corpus.size())];
  for (size_t steps = 1 + below(6); steps > 0; --steps) {
    const size_t at = below(bytes.size());
    const auto here = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end_of_piece = here + static_cast<std::ptrdiff_t>(std::min(bytes.size() - at, 1 + below(32)));
    static constexpr uint8_t kExtremes[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '"', '{', '[', '-', '9'};
    switch (random() % 6) {
      case 0:
        if (!bytes.empty()) bytes[at] ^= static_cast<uint8_t>(1u << (random() % 8));
        break;
      case 1:
        if (!bytes.empty()) bytes[at] = kExtremes[random() % std::size(kExtremes)];
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.erase(here, end_of_piece);
        break;
      case 4: {
        const Bytes piece(here, end_of_piece);
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), piece.begin(), piece.end());
        break;
      }
      case 5: {
        const Bytes& other = corpus[below(corpus.size())];
        bytes.resize(at);
        bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(below(other.size())), other.end());
        break;
      }
    }
  }
  if (bytes.size() > kMaxInput) bytes.resize(kMaxInput);
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || !std::filesystem::is_directory(argv[1])) {
    std::fprintf(stderr, "usage: %s CORPUS_DIR SECONDS\n", argc > 0 ? argv[0] : "target");
    return 2;
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(argv[2]));
  const std::vector<Bytes> corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no files in the corpus folder %s\n", argv[0], argv[1]);
    return 2;
  }
  for (const Bytes& input : corpus)
    LLVMFuzzerTestOneInput(input.data(), input.size());
  std::mt19937 random(1);
  size_t runs = 0;
  // A crash is repeated by running again: the sequence of inputs is the same each time.
  for (; std::chrono::steady_clock::now() < end; ++runs) {
    const Bytes input = mutate(corpus, random);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%zu corpus files and %zu mutations\n", corpus.size(), runs);
  return 0;
}
