// Single-array .npy files.
#include <cstring>

#include "frontend/formats/arrays/npy_format.h"
#include "frontend/formats/atomic_write.h"

namespace qlathe {
namespace {

std::string stem(const std::string& path) {
  std::string base = path.substr(path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1);
  return base.ends_with(".npy") ? base.substr(0, base.size() - 4) : base;
}

class NpyFile : public ArrayFile {
 public:
  NpyFile(std::shared_ptr<const ByteSource> source, NpyHeader header)
      : ArrayFile(source->name()), source_(std::move(source)), header_(std::move(header)) {}
  Status init() {
    ArrayInfo array = header_.array;
    array.name = stem(path());
    return add(std::move(array));
  }

 protected:
  Result<HostTensor> read_at(size_t) const override {
    return read_npy_data(header_, [&](uint64_t at, void* to, uint64_t n) { return source_->read(at, to, n); });
  }

 private:
  std::shared_ptr<const ByteSource> source_;
  NpyHeader header_;
};

}  // namespace

bool sniff_npy(const ByteSource& source) {
  char magic[6];
  return source.size() >= sizeof magic && source.read(0, magic, sizeof magic).ok() &&
         std::memcmp(magic, "\x93NUMPY", sizeof magic) == 0;
}

Result<std::unique_ptr<ArrayFile>> open_npy(std::shared_ptr<const ByteSource> source, const ArrayLimits&) {
  auto header =
      read_npy_header([&](uint64_t at, void* to, uint64_t n) { return source->read(at, to, n); }, source->size());
  if (!header.ok()) return header.status().at({source->name(), "", ""});
  auto file = std::make_unique<NpyFile>(std::move(source), *std::move(header));
  QL_RETURN_IF_ERROR(file->init());
  return std::unique_ptr<ArrayFile>(std::move(file));
}

Status write_npy(const std::string& path, const HostTensor& tensor) {
  QL_ASSIGN(AtomicFile file, AtomicFile::create(path));
  QL_RETURN_IF_ERROR(file.write(encode_npy_header(tensor)));
  QL_RETURN_IF_ERROR(file.write(tensor.bytes(), tensor.byte_size()));
  return file.commit();
}

}  // namespace qlathe
