#include "tests/support/golden_case.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace qlathe::testing {

namespace fs = std::filesystem;

fs::path shared_folder() {
  const char* given = std::getenv("QLATHE_SHARED");
  const fs::path folder = given ? fs::path(given) : fs::path(QLATHE_SOURCE_DIR).parent_path() / "shared";
  return fs::is_directory(folder) ? folder : fs::path();
}

GoldenCase GoldenCase::open(const fs::path& folder) {
  std::ifstream in(folder / "case.json");
  if (!in) throw std::runtime_error("no case.json in " + folder.string());
  return {folder, nlohmann::ordered_json::parse(in)};
}

HostTensor GoldenCase::array(const std::string& key) const {
  const auto& entry = json.at("arrays").at(key);
  const auto type = parse_value_type(entry.at("dtype").get<std::string>());
  if (!type) throw std::runtime_error("type of " + key);
  HostTensor tensor = read_npy(folder / entry.at("file").get<std::string>(), *type);
  if (tensor.shape() != entry.at("shape").get<Shape>()) throw std::runtime_error("shape of " + key);
  return tensor;
}

std::vector<fs::path> case_folders(const fs::path& root) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (fs::exists(entry.path() / "case.json")) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

HostTensor read_npy(const fs::path& file, ValueType type) {
  std::ifstream in(file, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto fail = [&](const char* why) { throw std::runtime_error(file.string() + ": " + why); };
  if (!in.is_open()) fail("there is no such file");
  if (text.size() < 10 || text.compare(0, 6, "\x93NUMPY") != 0 || text[6] != 1) fail("not a version 1 .npy file");
  const size_t header = static_cast<uint8_t>(text[8]) + 256u * static_cast<uint8_t>(text[9]);
  if (text.size() < 10 + header) fail("truncated");
  const std::string about = text.substr(10, header);
  if (about.find("'fortran_order': False") == std::string::npos) fail("Fortran order");
  const size_t open = about.find('(', about.find("'shape'"));
  const size_t close = about.find(')', open);
  if (close == std::string::npos) fail("no shape");
  Shape shape;
  for (size_t at = open + 1; at < close;) {
    const size_t comma = std::min(about.find(',', at), close);
    const std::string extent = about.substr(at, comma - at);
    if (extent.find_first_of("0123456789") != std::string::npos) shape.push_back(std::stoll(extent));
    at = comma + 1;
  }
  HostTensor tensor(type, shape);
  if (text.size() != 10 + header + tensor.byte_size()) fail("size does not match the type");
  std::memcpy(tensor.bytes(), text.data() + 10 + header, tensor.byte_size());
  return tensor;
}

}  // namespace qlathe::testing
