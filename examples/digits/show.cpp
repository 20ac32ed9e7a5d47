// What the demo prints at its end: some digits with what each variant makes of them, and the table.
//
//   show IMAGES.npy LABELS.npy FOLDER VARIANT...
//
// Reads FOLDER/VARIANT/{reference.npy,jit.npy,object.bin,cpp.bin} and the lines of {cpp,object}.txt ("min median
// weights arena") and jit.txt ("min"). Exit status 1 where the scores of two paths differ in a bit.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace {

const size_t kPixels = 64, kClasses = 10, kShown = 10;

std::string read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (bytes.compare(0, 6, "\x93NUMPY") != 0) return bytes;
  // Version 1 has a header length of two bytes; numpy and qlathe write no other for arrays like these.
  const size_t header = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  return bytes.substr(std::min(bytes.size(), 10 + header));
}

std::vector<float> as_floats(const std::string& bytes) {
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
  return out;
}

size_t best(const float* scores) { return static_cast<size_t>(std::max_element(scores, scores + kClasses) - scores); }

/// Colours on a terminal only.
bool colours() {
  static const bool terminal = isatty(STDOUT_FILENO) != 0;
  return terminal;
}
const char* colour(const char* code) { return colours() ? code : ""; }

/// Two rows of pixels a line: the upper one as the foreground of a half block, the lower one as its background.
std::string two_rows(const float* image, size_t y) {
  std::string out;
  for (size_t x = 0; x < 8 && !colours(); x++) {
    static const char* const kShades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
    out += kShades[static_cast<size_t>((image[y * 8 + x] + image[y * 8 + 8 + x]) * 2.499f)];
  }
  for (size_t x = 0; x < 8 && colours(); x++) {
    const auto grey = [&](size_t row) { return 232 + std::min(23, static_cast<int>(image[row * 8 + x] * 23.99f)); };
    char text[64];
    std::snprintf(text, sizeof text, "\033[38;5;%d;48;5;%dm▀▀", grey(y), grey(y + 1));
    out += text;
  }
  return out + colour("\033[0m");
}

struct Variant {
  std::string name;
  std::vector<float> scores;
  double accuracy = 0, jit_us = 0, object_us = 0, cpp_us = 0;
  long weights = 0, arena = 0;
  std::string differs;  // empty: all paths agree
};

Variant read_variant(const std::string& folder, const std::string& name, const std::string& labels) {
  Variant v;
  v.name = name;
  const std::string at = folder + "/" + name + "/";
  const std::string reference = read_bytes(at + "reference.npy");
  v.scores = as_floats(reference);
  for (const char* path : {"jit.npy", "object.bin", "cpp.bin"}) {
    if (read_bytes(at + path) != reference) v.differs += std::string(v.differs.empty() ? "" : ", ") + path;
  }
  if (v.scores.size() != labels.size() * kClasses) v.differs = "reference.npy is incomplete";
  size_t right = 0;
  for (size_t i = 0; i < labels.size() && (i + 1) * kClasses <= v.scores.size(); i++)
    right += best(&v.scores[i * kClasses]) == static_cast<unsigned char>(labels[i]);
  v.accuracy = 100.0 * static_cast<double>(right) / static_cast<double>(labels.size());
  double median = 0;
  std::istringstream(read_bytes(at + "cpp.txt")) >> v.cpp_us >> median >> v.weights >> v.arena;
  std::istringstream(read_bytes(at + "object.txt")) >> v.object_us;
  std::istringstream(read_bytes(at + "jit.txt")) >> v.jit_us;
  return v;
}

/// Digits to show: the first of each kind that all read rightly, then those on which some variant errs.
std::vector<size_t> choose(const std::vector<Variant>& variants, const std::string& labels) {
  std::vector<size_t> hard, easy;
  std::string seen;
  for (size_t i = 0; i < labels.size(); i++) {
    const bool wrong = std::any_of(variants.begin(), variants.end(), [&](const Variant& v) {
      return best(&v.scores[i * kClasses]) != static_cast<unsigned char>(labels[i]);
    });
    if (wrong) {
      hard.push_back(i);
    } else if (seen.find(labels[i]) == std::string::npos) {
      easy.push_back(i);
      seen += labels[i];
    }
  }
  hard.resize(std::min<size_t>(hard.size(), 3));
  easy.resize(std::min(easy.size(), kShown - hard.size()));
  easy.insert(easy.end(), hard.begin(), hard.end());
  return easy;
}

void show_digits(const std::vector<float>& images, const std::string& labels, const std::vector<Variant>& variants) {
  const std::vector<size_t> shown = choose(variants, labels);
  std::printf("\nSome of the %zu held-out digits, and what each variant reads:\n\n", labels.size());
  const size_t per_line = 5;
  for (size_t first = 0; first < shown.size(); first += per_line) {
    const size_t last = std::min(first + per_line, shown.size());
    for (size_t y = 0; y < 8; y += 2) {
      std::printf("                 ");
      for (size_t i = first; i < last; i++)
        std::printf("%s   ", two_rows(&images[shown[i] * kPixels], y).c_str());
      std::printf("\n");
    }
    std::printf("  %-15s", "truth");
    for (size_t i = first; i < last; i++)
      std::printf("%8d           ", labels[shown[i]]);
    std::printf("\n");
    for (const Variant& v : variants) {
      std::printf("  %-15s", v.name.c_str());
      for (size_t i = first; i < last; i++) {
        const size_t said = best(&v.scores[shown[i] * kClasses]);
        const bool right = said == static_cast<unsigned char>(labels[shown[i]]);
        std::printf("%s%8zu %s%s         ", colour(right ? "\033[32m" : "\033[1;31m"), said, right ? "✓" : "✗",
                    colour("\033[0m"));
      }
      std::printf("\n");
    }
    std::printf("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: %s IMAGES.npy LABELS.npy FOLDER VARIANT...\n", argv[0]);
    return 2;
  }
  const std::vector<float> images = as_floats(read_bytes(argv[1]));
  const std::string labels = read_bytes(argv[2]);
  std::vector<Variant> variants;
  bool good = !labels.empty() && images.size() == labels.size() * kPixels;
  for (int i = 4; i < argc; i++) {
    variants.push_back(read_variant(argv[3], argv[i], labels));
    good = good && variants.back().scores.size() == labels.size() * kClasses;
  }
  if (!good) {
    std::fprintf(stderr, "images, labels and scores do not fit together\n");
    return 1;
  }
  show_digits(images, labels, variants);
  std::printf("  variant        accuracy    weights      arena        JIT     object        C++   all paths\n");
  std::printf("                                bytes      bytes         us         us         us\n");
  std::printf("  ──────────────────────────────────────────────────────────────────────────────────────────\n");
  bool equal = true;
  for (const Variant& v : variants) {
    std::printf("  %-13s %7.2f %% %10ld %10ld %10.2f %10.2f %10.2f   %s\n", v.name.c_str(), v.accuracy, v.weights,
                v.arena, v.jit_us, v.object_us, v.cpp_us,
                ((v.differs.empty() ? colour("\033[32m") : colour("\033[1;31m")) +
                 (v.differs.empty() ? std::string("✓ bit for bit") : "✗ differ: " + v.differs) + colour("\033[0m"))
                    .c_str());
    equal = equal && v.differs.empty();
  }
  std::printf(
      "\n  Paths: the reference executor, the JIT, the static library, the C++ sources by g++. Times: best run of one "
      "image.\n");
  return equal ? 0 : 1;
}
