#include "frontend/formats/arrays/zip_reader.h"

#include <zip.h>

#include <algorithm>
#include <cstring>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

/// A deflated byte stands for at most 1032 unpacked ones (258 bytes for two bits).
constexpr uint64_t kMaxDeflateRatio = 1032;
constexpr uint64_t kMinDirectoryEntry = 46;

uint64_t little_endian(const uint8_t* bytes, int n) {
  uint64_t value = 0;
  for (int i = n; i-- > 0;)
    value = (value << 8) | bytes[i];
  return value;
}

/// libzip 1.7 allocates as many entries as a zip64 end record claims before it looks for them, so a claim that the file
/// is too small for is refused here: every end record that libzip may choose is checked.
Status check_entry_counts(const ByteSource& source) {
  constexpr uint64_t kEndRecord = 22, kLocator = 20, kMaxComment = 0xFFFF;
  const uint64_t tail = std::min(source.size(), kEndRecord + kLocator + kMaxComment);
  std::vector<uint8_t> bytes(tail);
  QL_RETURN_IF_ERROR(source.read(source.size() - tail, bytes.data(), tail));
  for (uint64_t at = 0; at + kLocator <= tail; ++at) {
    if (std::memcmp(bytes.data() + at, "PK\6\7", 4) != 0) continue;
    const uint64_t record = little_endian(bytes.data() + at + 8, 8);
    uint8_t end[56];
    if (record > source.size() || source.size() - record < sizeof end) continue;  // libzip refuses it
    QL_RETURN_IF_ERROR(source.read(record, end, sizeof end));
    const uint64_t entries = std::max(little_endian(end + 24, 8), little_endian(end + 32, 8));
    if (std::memcmp(end, "PK\6\6", 4) == 0 && entries > source.size() / kMinDirectoryEntry) {
      return Status::user({source.name(), "", ""},
                          "is a damaged zip archive: it claims " + std::to_string(entries) + " members");
    }
  }
  return {};
}

/// What libzip calls to read the archive: a position in the ByteSource.
struct SourceState {
  std::shared_ptr<const ByteSource> source;
  uint64_t at = 0;
  zip_error_t error;
};

zip_int64_t source_callback(void* user, void* data, zip_uint64_t n, zip_source_cmd_t command) {
  auto* state = static_cast<SourceState*>(user);
  switch (command) {
    case ZIP_SOURCE_OPEN:
      state->at = 0;
      return 0;
    case ZIP_SOURCE_READ: {
      n = std::min(n, state->source->size() - state->at);
      if (!state->source->read(state->at, data, n).ok()) {
        zip_error_set(&state->error, ZIP_ER_READ, 0);
        return -1;
      }
      state->at += n;
      return static_cast<zip_int64_t>(n);
    }
    case ZIP_SOURCE_SEEK: {
      const zip_int64_t to = zip_source_seek_compute_offset(state->at, state->source->size(), data, n, &state->error);
      if (to < 0) return -1;
      state->at = static_cast<uint64_t>(to);
      return 0;
    }
    case ZIP_SOURCE_TELL:
      return static_cast<zip_int64_t>(state->at);
    case ZIP_SOURCE_STAT: {
      auto* stat = static_cast<zip_stat_t*>(data);
      zip_stat_init(stat);
      stat->size = state->source->size();
      stat->valid = ZIP_STAT_SIZE;
      return sizeof *stat;
    }
    case ZIP_SOURCE_ERROR:
      return zip_error_to_data(&state->error, data, n);
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                            ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL,
                                            ZIP_SOURCE_SUPPORTS, -1);
    case ZIP_SOURCE_CLOSE:
      return 0;
    case ZIP_SOURCE_FREE:
      zip_error_fini(&state->error);
      delete state;
      return 0;
    default:
      zip_error_set(&state->error, ZIP_ER_OPNOTSUPP, 0);
      return -1;
  }
}

class LibzipStream : public ZipReader::Stream {
 public:
  LibzipStream(zip_file_t* file, std::string archive, uint64_t size)
      : file_(file), archive_(std::move(archive)), left_(size) {}
  ~LibzipStream() override { zip_fclose(file_); }
  LibzipStream(const LibzipStream&) = delete;
  LibzipStream& operator=(const LibzipStream&) = delete;

  Status read(void* to, uint64_t n) override {
    auto* out = static_cast<char*>(to);
    while (n > 0) {
      const zip_int64_t got = zip_fread(file_, out, std::min<uint64_t>(n, uint64_t{1} << 30));
      if (got < 0) return failure(zip_file_strerror(file_));
      if (got == 0) return failure("its data ends too early");
      out += got;
      n -= static_cast<uint64_t>(got);
      left_ -= std::min(left_, static_cast<uint64_t>(got));
    }
    if (left_ > 0) return {};
    // The checksum is compared when the end is read.
    char beyond;
    const zip_int64_t rest = zip_fread(file_, &beyond, 1);
    if (rest < 0) return failure(zip_file_strerror(file_));
    if (rest > 0) return failure("its data is longer than stated");
    return {};
  }

 private:
  Status failure(const std::string& why) const { return Status::user({archive_, "", ""}, "is damaged: " + why); }

  zip_file_t* file_;
  std::string archive_;
  uint64_t left_;
};

class LibzipReader : public ZipReader {
 public:
  LibzipReader(zip_t* archive, std::string name, uint64_t archive_bytes)
      : archive_(archive), name_(std::move(name)), archive_bytes_(archive_bytes) {}
  ~LibzipReader() override { zip_discard(archive_); }
  LibzipReader(const LibzipReader&) = delete;
  LibzipReader& operator=(const LibzipReader&) = delete;

  const std::vector<ZipMember>& members() const override { return members_; }

  Status list() {
    const zip_int64_t count = zip_get_num_entries(archive_, 0);
    for (zip_int64_t i = 0; i < count; ++i) {
      zip_stat_t stat;
      const auto index = static_cast<zip_uint64_t>(i);
      if (zip_stat_index(archive_, index, ZIP_FL_ENC_RAW, &stat) != 0) {
        return Status::user({name_, "", ""}, std::string("is a damaged zip archive: ") + zip_strerror(archive_));
      }
      ZipMember member{stat.name ? stat.name : "", stat.size, stat.comp_size, index, ""};
      if (stat.encryption_method != ZIP_EM_NONE) {
        member.unreadable = "is encrypted";
      } else if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
        member.unreadable =
            "is packed by zip method " + std::to_string(stat.comp_method) + "; known are stored and deflate";
      } else if (stat.comp_size > archive_bytes_) {
        member.unreadable = "states more packed bytes than the archive has";
      } else if (stat.comp_method == ZIP_CM_STORE ? stat.size != stat.comp_size
                                                  : stat.size / kMaxDeflateRatio > stat.comp_size) {
        member.unreadable = "states " + std::to_string(stat.size) + " bytes, which its " +
                            std::to_string(stat.comp_size) + " packed bytes cannot hold";
      }
      members_.push_back(std::move(member));
    }
    return {};
  }

  Result<std::unique_ptr<Stream>> stream(const ZipMember& member) const override {
    zip_file_t* file = zip_fopen_index(archive_, member.index, 0);
    if (!file) return Status::user({name_, "", ""}, std::string("is damaged: ") + zip_strerror(archive_));
    return std::unique_ptr<Stream>(std::make_unique<LibzipStream>(file, name_, member.size));
  }

 private:
  zip_t* archive_;
  std::string name_;
  uint64_t archive_bytes_;
  std::vector<ZipMember> members_;
};

}  // namespace

Result<std::unique_ptr<ZipReader>> ZipReader::open(std::shared_ptr<const ByteSource> source) {
  QL_RETURN_IF_ERROR(check_entry_counts(*source));
  const std::string name = source->name();
  const uint64_t archive_bytes = source->size();
  auto* state = new SourceState{std::move(source), 0, {}};
  zip_error_init(&state->error);
  zip_error_t error;
  zip_error_init(&error);
  const auto failure = [&] {
    const std::string why = zip_error_strerror(&error);
    zip_error_fini(&error);
    return Status::user({name, "", ""}, "is a damaged zip archive: " + why);
  };
  zip_source_t* zip_source = zip_source_function_create(source_callback, state, &error);
  if (!zip_source) {
    delete state;
    return failure();
  }
  zip_t* archive = zip_open_from_source(zip_source, ZIP_RDONLY, &error);
  if (!archive) {
    const Status status = failure();
    zip_source_free(zip_source);  // frees the state
    return status;
  }
  zip_error_fini(&error);
  auto reader = std::make_unique<LibzipReader>(archive, name, archive_bytes);
  QL_RETURN_IF_ERROR(reader->list());
  return std::unique_ptr<ZipReader>(std::move(reader));
}

}  // namespace qlathe
