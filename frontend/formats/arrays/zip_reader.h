#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "frontend/formats/byte_source.h"

namespace qlathe {

struct ZipMember {
  std::string name;
  uint64_t size = 0;       // unpacked, as the archive states it
  uint64_t packed = 0;     // in the archive
  uint64_t index = 0;      // in the central directory
  std::string unreadable;  // encrypted or packed by another method than stored and deflate
};

/// A zip archive over a ByteSource, read through libzip. Not for several threads at once.
class ZipReader {
 public:
  static Result<std::unique_ptr<ZipReader>> open(std::shared_ptr<const ByteSource> source);
  virtual ~ZipReader() = default;
  virtual const std::vector<ZipMember>& members() const = 0;
  /// Reads one member front to back.
  class Stream {
   public:
    virtual ~Stream() = default;
    /// Exactly n bytes, or an error. After the last byte of the member its checksum has been compared.
    virtual Status read(void* to, uint64_t n) = 0;
  };
  virtual Result<std::unique_ptr<Stream>> stream(const ZipMember& member) const = 0;
};

}  // namespace qlathe
