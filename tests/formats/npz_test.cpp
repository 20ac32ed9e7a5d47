#include <zlib.h>

#include <cstring>

#include "frontend/formats/arrays/array_file.h"
#include "tests/formats/array_samples.h"

namespace qlathe {
namespace {

using testing::bytes_of;
using testing::file_bytes;
using testing::sample_arrays;
using testing::TemporaryFolder;

std::string le(uint64_t v, int n) {
  std::string out;
  for (int i = 0; i < n; ++i)
    out += static_cast<char>((v >> (8 * i)) & 0xFF);
  return out;
}

/// A zip of one member whose stated sizes, method and flags a test may forge.
struct ForgedZip {
  std::string name = "a.npy";
  std::string packed;
  uint32_t size = 0;
  int method = 0;
  int flags = 0;
  uint32_t crc = 0;

  std::vector<uint8_t> bytes() const {
    const std::string common = le(20, 2) + le(flags, 2) + le(method, 2) + le(0, 4) + le(crc, 4) + le(packed.size(), 4) +
                               le(size, 4) + le(name.size(), 2) + le(0, 2);
    const std::string local = le(0x04034b50, 4) + common + name + packed;
    const std::string central =
        le(0x02014b50, 4) + le(20, 2) + common + le(0, 2) + le(0, 2) + le(0, 2) + le(0, 4) + le(0, 4) + name;
    const std::string end =
        le(0x06054b50, 4) + le(0, 4) + le(1, 2) + le(1, 2) + le(central.size(), 4) + le(local.size(), 4) + le(0, 2);
    return bytes_of(local + central + end);
  }
};

std::string npy_text(const std::string& shape, const std::string& data) {
  const std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + "}\n";
  return std::string("\x93NUMPY\1\0", 8) + le(header.size(), 2) + header + data;
}

std::string deflated(const std::string& text) {
  z_stream s = {};
  EXPECT_EQ(deflateInit2(&s, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(compressBound(text.size()) + 64, '\0');
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  s.avail_in = static_cast<uInt>(text.size());
  s.next_out = reinterpret_cast<Bytef*>(out.data());
  s.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&s, Z_FINISH), Z_STREAM_END);
  out.resize(s.total_out);
  deflateEnd(&s);
  return out;
}

uint32_t crc_of(const std::string& text) {
  return static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

/// The first problem of opening the archive and reading all of it.
std::string error_of(std::vector<uint8_t> bytes, const ArrayLimits& limits = {}) {
  auto file = open_arrays(memory_source("w.npz", std::move(bytes)), limits);
  if (!file.ok()) return file.status().text();
  for (const ArrayInfo& array : (*file)->arrays()) {
    if (auto t = (*file)->read(array.name); !t.ok()) return t.status().text();
  }
  return "no error";
}

TEST(Npz, KeepsValuesStoredAndDeflated) {
  TemporaryFolder folder;
  for (bool deflate : {false, true}) {
    ASSERT_TRUE(write_npz(folder / "w.npz", sample_arrays(), {deflate}).ok());
    auto file = open_arrays(folder / "w.npz");
    ASSERT_TRUE(file.ok()) << file.status().text();
    EXPECT_EQ((*file)->arrays().size(), sample_arrays().size());
    for (const auto& [name, tensor] : sample_arrays()) {
      auto read = (*file)->read(name);
      ASSERT_TRUE(read.ok()) << read.status().text();
      auto typed = as_value_type(*std::move(read), tensor.type());
      ASSERT_TRUE(typed.ok()) << typed.status().text();
      EXPECT_EQ(*typed, tensor) << name;
    }
  }
}

TEST(Npz, WritesTheSameBytesTwice) {
  TemporaryFolder folder;
  for (bool deflate : {false, true}) {
    ASSERT_TRUE(write_npz(folder / "a.npz", sample_arrays(), {deflate}).ok());
    ASSERT_TRUE(write_npz(folder / "b.npz", sample_arrays(), {deflate}).ok());
    EXPECT_EQ(file_bytes(folder / "a.npz"), file_bytes(folder / "b.npz"));
  }
}

TEST(Npz, DeflatesArraysOfSeveralChunks) {
  TemporaryFolder folder;
  HostTensor big(ValueType::kI32, {3 << 20});
  for (int64_t i = 0; i < big.size(); ++i)
    big.set_int(i, i * i % 977);
  ASSERT_TRUE(write_npz(folder / "w.npz", {{"big", big}}, {true}).ok());
  EXPECT_LT(std::filesystem::file_size(folder / "w.npz"), big.byte_size() / 2);
  auto all = read_all_arrays(folder / "w.npz");
  ASSERT_TRUE(all.ok()) << all.status().text();
  EXPECT_EQ(all->at("big"), big);
}

TEST(Npz, SuggestsTheArrayThatWasMeant) {
  TemporaryFolder folder;
  ASSERT_TRUE(write_npz(folder / "w.npz", {{"fc1/kernel", HostTensor::scalar(1)}}).ok());
  EXPECT_EQ((*open_arrays(folder / "w.npz"))->read("fc1/kernl").status().text(),
            (folder / "w.npz") + ": has no array 'fc1/kernl'; did you mean 'fc1/kernel'?");
}

TEST(Npz, RefusesASizeThatThePackedBytesCannotHold) {
  ForgedZip zip;
  zip.packed = deflated(npy_text("(4,)", "abcd"));
  zip.method = 8;
  zip.size = 0xF0000000;
  EXPECT_EQ(error_of(zip.bytes()), "w.npz: a: states 4026531840 bytes, which its " + std::to_string(zip.packed.size()) +
                                       " packed bytes cannot hold");
}

TEST(Npz, RefusesABombAboveTheLimit) {
  const std::string text = npy_text("(4000000,)", std::string(4000000, '\0'));
  ForgedZip zip;
  zip.packed = deflated(text);
  zip.method = 8;
  zip.size = static_cast<uint32_t>(text.size());
  zip.crc = crc_of(text);
  EXPECT_EQ(error_of(zip.bytes()), "no error");
  EXPECT_EQ(error_of(zip.bytes(), {.max_unpacked_array = 1000000}),
            "w.npz: a: unpacks to " + std::to_string(text.size()) + " bytes; at most 1000000 are unpacked");
  EXPECT_EQ(error_of(zip.bytes(), {.max_unpacked_file = 1000000}), "w.npz: unpacks to more than 1000000 bytes");
}

TEST(Npz, ComparesTheChecksum) {
  const std::string text = npy_text("(4,)", "abcd");
  for (bool deflate : {false, true}) {
    ForgedZip zip;
    zip.packed = deflate ? deflated(text) : text;
    zip.method = deflate ? 8 : 0;
    zip.size = static_cast<uint32_t>(text.size());
    zip.crc = crc_of(text);
    EXPECT_EQ(error_of(zip.bytes()), "no error");
    zip.crc ^= 1;
    EXPECT_EQ(error_of(zip.bytes()), "w.npz: a: is damaged: CRC error");
  }
}

TEST(Npz, RefusesMembersItCannotUnpack) {
  const std::string text = npy_text("(4,)", "abcd");
  ForgedZip zip;
  zip.packed = text;
  zip.size = static_cast<uint32_t>(text.size());
  zip.method = 12;
  EXPECT_EQ(error_of(zip.bytes()), "w.npz: a: is packed by zip method 12; known are stored and deflate");
  zip.method = 0;
  zip.flags = 1;
  EXPECT_EQ(error_of(zip.bytes()), "w.npz: a: is encrypted");
  zip.flags = 0;
  zip.name = "readme.txt";
  EXPECT_EQ(error_of(zip.bytes()), "w.npz: readme.txt: is not an .npy array");
}

TEST(Npz, RefusesAClaimOfMoreMembersThanTheArchiveCanHold) {
  std::string record = le(0x06064b50, 4) + le(44, 8) + le(45, 2) + le(45, 2) + le(0, 8) + le(uint64_t{1} << 36, 8) +
                       le(uint64_t{1} << 36, 8) + le(0, 8) + le(4, 8);
  const std::string text = "PK\3\4" + record + le(0x07064b50, 4) + le(0, 4) + le(4, 8) + le(1, 4) + le(0x06054b50, 4) +
                           le(0, 4) + le(0xFFFF, 2) + le(0xFFFF, 2) + le(0xFFFFFFFF, 4) + le(0xFFFFFFFF, 4) + le(0, 2);
  EXPECT_EQ(error_of(bytes_of(text)), "w.npz: is a damaged zip archive: it claims 68719476736 members");
}

TEST(Npz, RefusesTwoArraysOfOneName) {
  // Two directory entries for the same member.
  ForgedZip zip;
  zip.packed = npy_text("(1,)", "a");
  zip.size = static_cast<uint32_t>(zip.packed.size());
  zip.crc = crc_of(zip.packed);
  auto once = zip.bytes();
  const size_t end = once.size() - 22;
  const size_t central = 30 + zip.name.size() + zip.packed.size();
  std::string text(once.begin(), once.begin() + static_cast<std::ptrdiff_t>(end));
  text +=
      std::string(once.begin() + static_cast<std::ptrdiff_t>(central), once.begin() + static_cast<std::ptrdiff_t>(end));
  text += le(0x06054b50, 4) + le(0, 4) + le(2, 2) + le(2, 2) + le(2 * (end - central), 4) + le(central, 4) + le(0, 2);
  EXPECT_EQ(error_of(bytes_of(text)), "w.npz: holds two arrays of the name 'a'");
}

TEST(Npz, SurvivesEveryTruncationAndEveryFlippedByte) {
  TemporaryFolder folder;
  for (bool deflate : {false, true}) {
    ASSERT_TRUE(
        write_npz(folder / "w.npz", {{"a", HostTensor::scalar(1)}, {"b", HostTensor::scalar(2)}}, {deflate}).ok());
    const auto whole = file_bytes(folder / "w.npz");
    ASSERT_EQ(error_of(whole), "no error");
    for (size_t n = 0; n < whole.size(); ++n) {
      EXPECT_NE(error_of({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)}), "no error") << n << " bytes";
      for (uint8_t flip : {0x01, 0x80, 0xFF}) {
        auto damaged = whole;
        damaged[n] ^= flip;
        error_of(damaged);  // an error or a value: some bytes (dates, versions) carry no meaning
      }
    }
  }
}

}  // namespace
}  // namespace qlathe
