#include "frontend/formats/arrays/zip_writer.h"

#include <zlib.h>

#include <algorithm>
#include <functional>

namespace qlathe {
namespace {

// Records of the zip format, APPNOTE.TXT 4.3.

constexpr uint32_t k32 = 0xFFFFFFFF;
constexpr uint16_t kDosEpoch = (1 << 5) | 1;  // 1 January 1980, the earliest date there is
constexpr size_t kChunk = size_t{1} << 20;

class Record {
 public:
  Record& u16(uint64_t v) { return put(v, 2); }
  Record& u32(uint64_t v) { return put(v, 4); }
  Record& u64(uint64_t v) { return put(v, 8); }
  Record& text(const std::string& v) {
    bytes_ += v;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Record& put(uint64_t v, int n) {
    for (int i = 0; i < n; ++i)
      bytes_ += static_cast<char>((v >> (8 * i)) & 0xFF);
    return *this;
  }
  std::string bytes_;
};

uint64_t clamp32(uint64_t v) { return std::min<uint64_t>(v, k32); }

/// Runs the pieces through deflate twice: sizes stand before the data, and the second run gives the same bytes as the
/// first.
class Deflater {
 public:
  ~Deflater() { deflateEnd(&stream_); }
  bool run(std::span<const ZipWriter::Piece> pieces, const std::function<Status(const void*, size_t)>& sink,
           Status& status) {
    if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      status = Status::user({}, "cannot be packed: no memory");
      return false;
    }
    std::string out(kChunk, '\0');
    for (size_t p = 0; p <= pieces.size(); ++p) {
      const auto* bytes = p < pieces.size() ? static_cast<const Bytef*>(pieces[p].bytes) : nullptr;
      uint64_t left = p < pieces.size() ? pieces[p].size : 0;
      const bool last = p == pieces.size();
      do {
        stream_.next_in = const_cast<Bytef*>(bytes);
        stream_.avail_in = static_cast<uInt>(std::min<uint64_t>(left, kChunk));
        if (bytes) bytes += stream_.avail_in;
        left -= stream_.avail_in;
        do {
          stream_.next_out = reinterpret_cast<Bytef*>(out.data());
          stream_.avail_out = static_cast<uInt>(out.size());
          deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
          status = sink(out.data(), out.size() - stream_.avail_out);
          if (!status.ok()) return false;
        } while (stream_.avail_out == 0);
      } while (left > 0);
    }
    return true;
  }

 private:
  z_stream stream_ = {};
};

/// The extra field of zip64: the 8-byte values whose 4-byte fields are all ones.
std::string zip64_extra(std::initializer_list<uint64_t> values) {
  if (values.size() == 0) return "";
  Record r;
  r.u16(1).u16(8 * values.size());
  for (uint64_t v : values)
    r.u64(v);
  return r.bytes();
}

}  // namespace

Status ZipWriter::add(const std::string& name, std::span<const Piece> pieces, bool deflate) {
  if (name.size() > 0xFFFF) return Status::user({}, "has a name of more than 65535 bytes");
  Entry entry{name, 0, 0, file_.size(), 0, deflate};
  uLong crc = crc32(0, nullptr, 0);
  for (const Piece& piece : pieces) {
    entry.size += piece.size;
    if (piece.size == 0) continue;  // a null pointer would reset the checksum
    crc = crc32_z(crc, static_cast<const Bytef*>(piece.bytes), piece.size);
  }
  entry.crc = static_cast<uint32_t>(crc);
  entry.packed = entry.size;
  Status status;
  if (deflate) {
    entry.packed = 0;
    const auto count = [&](const void*, size_t n) {
      entry.packed += n;
      return Status();
    };
    if (!Deflater().run(pieces, count, status)) return status;
  }
  const bool wide = std::max(entry.size, entry.packed) >= k32;
  const std::string extra = wide ? zip64_extra({entry.size, entry.packed}) : "";
  Record header;
  header.u32(0x04034b50).u16(wide ? 45 : 20).u16(0x0800).u16(deflate ? 8 : 0).u16(0).u16(kDosEpoch).u32(entry.crc);
  header.u32(wide ? k32 : entry.packed).u32(wide ? k32 : entry.size).u16(name.size()).u16(extra.size());
  QL_RETURN_IF_ERROR(file_.write(header.text(name).text(extra).bytes()));
  if (deflate) {
    if (!Deflater().run(
            pieces, [&](const void* bytes, size_t n) { return file_.write(bytes, n); }, status))
      return status;
  } else {
    for (const Piece& piece : pieces)
      QL_RETURN_IF_ERROR(file_.write(piece.bytes, piece.size));
  }
  entries_.push_back(std::move(entry));
  return {};
}

Status ZipWriter::finish() {
  const uint64_t start = file_.size();
  for (const Entry& e : entries_) {
    const bool wide = std::max({e.size, e.packed, e.offset}) >= k32;
    const std::string extra = wide ? zip64_extra({e.size, e.packed, e.offset}) : "";
    Record r;
    r.u32(0x02014b50).u16(45).u16(wide ? 45 : 20).u16(0x0800).u16(e.deflated ? 8 : 0).u16(0).u16(kDosEpoch).u32(e.crc);
    r.u32(wide ? k32 : e.packed).u32(wide ? k32 : e.size).u16(e.name.size()).u16(extra.size());
    r.u16(0).u16(0).u16(0).u32(0).u32(wide ? k32 : e.offset);  // comment, disk, attributes, offset
    QL_RETURN_IF_ERROR(file_.write(r.text(e.name).text(extra).bytes()));
  }
  const uint64_t end = file_.size(), count = entries_.size();
  Record r;
  if (count > 0xFFFE || end >= k32) {
    r.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0).u64(count).u64(count).u64(end - start).u64(start);
    r.u32(0x07064b50).u32(0).u64(end).u32(1);
  }
  r.u32(0x06054b50).u16(0).u16(0).u16(std::min<uint64_t>(count, 0xFFFF)).u16(std::min<uint64_t>(count, 0xFFFF));
  r.u32(clamp32(end - start)).u32(clamp32(start)).u16(0);
  return file_.write(r.bytes());
}

}  // namespace qlathe
