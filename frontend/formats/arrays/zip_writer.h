#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "frontend/formats/atomic_write.h"

namespace qlathe {

/// Writes a zip archive front to back: no time stamps, so that equal contents give equal bytes. Sizes of 4 GiB and more
/// and more than 65535 members use the zip64 fields, and nothing else does.
class ZipWriter {
 public:
  struct Piece {
    const void* bytes;
    uint64_t size;
  };

  explicit ZipWriter(AtomicFile& file) : file_(file) {}
  /// One member made of `pieces`, deflated or stored.
  Status add(const std::string& name, std::span<const Piece> pieces, bool deflate);
  /// The directory and the end record.
  Status finish();

 private:
  struct Entry {
    std::string name;
    uint64_t size, packed, offset;
    uint32_t crc;
    bool deflated;
  };

  AtomicFile& file_;
  std::vector<Entry> entries_;
};

}  // namespace qlathe
