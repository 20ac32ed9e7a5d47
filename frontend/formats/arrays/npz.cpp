// .npz: a zip archive of .npy files.
#include <cstring>
#include <mutex>

#include "frontend/formats/arrays/npy_format.h"
#include "frontend/formats/arrays/zip_reader.h"
#include "frontend/formats/arrays/zip_writer.h"
#include "frontend/formats/atomic_write.h"

namespace qlathe {
namespace {

/// Makes a stream look like the offsets that the .npy reader asks for, which only ever ascend.
NpyFetch ascending(ZipReader::Stream& stream, uint64_t& at) {
  return [&stream, &at](uint64_t offset, void* to, uint64_t n) -> Status {
    if (offset < at) return Status::internal("an .npz member was read backwards");
    char skipped[256];
    while (at < offset) {
      const uint64_t step = std::min<uint64_t>(sizeof skipped, offset - at);
      QL_RETURN_IF_ERROR(stream.read(skipped, step));
      at += step;
    }
    QL_RETURN_IF_ERROR(stream.read(to, n));
    at += n;
    return {};
  };
}

class NpzFile : public ArrayFile {
 public:
  NpzFile(std::string path, std::unique_ptr<ZipReader> zip) : ArrayFile(std::move(path)), zip_(std::move(zip)) {}

  Status init(const ArrayLimits& limits) {
    uint64_t unpacked = 0;
    for (const ZipMember& member : zip_->members()) {
      if (member.name.ends_with("/") && member.size == 0) continue;  // a folder
      const bool is_array = member.name.ends_with(".npy");
      ArrayInfo array;
      NpyHeader header;
      array.name = is_array ? member.name.substr(0, member.name.size() - 4) : member.name;
      array.unreadable = member.unreadable;
      if (array.unreadable.empty() && !is_array) array.unreadable = "is not an .npy array";
      if (array.unreadable.empty() && member.size > limits.max_unpacked_array && member.size != member.packed) {
        array.unreadable = "unpacks to " + std::to_string(member.size) + " bytes; at most " +
                           std::to_string(limits.max_unpacked_array) + " are unpacked";
      }
      if (array.unreadable.empty()) {
        unpacked += member.size;  // each below 1032 times the file's size
        if (unpacked > limits.max_unpacked_file) {
          return Status::user({path(), "", ""},
                              "unpacks to more than " + std::to_string(limits.max_unpacked_file) + " bytes");
        }
        Result<NpyHeader> read = read_header(member);
        if (!read.ok()) return read.status().at({path(), array.name, ""});
        header = *std::move(read);
        array.type = header.array.type;
        array.shape = header.array.shape;
        array.unreadable = header.array.unreadable;
      }
      members_.push_back({member, std::move(header)});
      QL_RETURN_IF_ERROR(add(std::move(array)));
    }
    return {};
  }

 protected:
  Result<HostTensor> read_at(size_t index) const override {
    const std::lock_guard<std::mutex> lock(mutex_);  // libzip keeps one position per archive
    const Member& member = members_[index];
    QL_ASSIGN(auto stream, zip_->stream(member.zip));
    uint64_t at = 0;
    return read_npy_data(member.header, ascending(*stream, at));
  }

 private:
  struct Member {
    ZipMember zip;
    NpyHeader header;
  };

  Result<NpyHeader> read_header(const ZipMember& member) {
    QL_ASSIGN(auto stream, zip_->stream(member));
    uint64_t at = 0;
    return read_npy_header(ascending(*stream, at), member.size);
  }

  std::unique_ptr<ZipReader> zip_;
  std::vector<Member> members_;  // as arrays()
  mutable std::mutex mutex_;
};

}  // namespace

bool sniff_npz(const ByteSource& source) {
  char magic[4];
  return source.size() >= sizeof magic && source.read(0, magic, sizeof magic).ok() &&
         (std::memcmp(magic, "PK\3\4", 4) == 0 || std::memcmp(magic, "PK\5\6", 4) == 0);
}

Result<std::unique_ptr<ArrayFile>> open_npz(std::shared_ptr<const ByteSource> source, const ArrayLimits& limits) {
  const std::string name = source->name();
  QL_ASSIGN(auto zip, ZipReader::open(std::move(source)));
  auto file = std::make_unique<NpzFile>(name, std::move(zip));
  QL_RETURN_IF_ERROR(file->init(limits));
  return std::unique_ptr<ArrayFile>(std::move(file));
}

Status write_npz(const std::string& path, const std::map<std::string, HostTensor>& arrays, NpzOptions options) {
  QL_ASSIGN(AtomicFile file, AtomicFile::create(path));
  ZipWriter zip(file);
  for (const auto& [name, tensor] : arrays) {
    const std::string header = encode_npy_header(tensor);
    const ZipWriter::Piece pieces[] = {{header.data(), header.size()}, {tensor.bytes(), tensor.byte_size()}};
    Status status = zip.add(name + ".npy", pieces, options.deflate);
    if (!status.ok()) return status.at({path, name, ""});
  }
  QL_RETURN_IF_ERROR(zip.finish());
  return file.commit();
}

}  // namespace qlathe
