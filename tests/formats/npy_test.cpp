#include <cstring>

#include "frontend/formats/arrays/array_file.h"
#include "tests/formats/array_samples.h"

namespace qlathe {
namespace {

using testing::bytes_of;
using testing::file_bytes;
using testing::TemporaryFolder;

/// An .npy as NumPy writes it, from the text of its header and its data.
std::vector<uint8_t> npy(const std::string& header, const std::string& data, int version = 1) {
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  const size_t length = header.size() + 1;
  out += static_cast<char>(length & 0xFF);
  out += static_cast<char>(length >> 8);
  if (version > 1) out += std::string(2, '\0');
  return bytes_of(out + header + "\n" + data);
}

Result<HostTensor> read_bytes(std::vector<uint8_t> bytes) {
  QL_ASSIGN(auto file, open_arrays(memory_source("x.npy", std::move(bytes))));
  return file->read("x");
}

std::string error_of(std::vector<uint8_t> bytes) {
  auto tensor = read_bytes(std::move(bytes));
  return tensor.ok() ? "no error" : tensor.status().text();
}

TEST(Npy, KeepsValuesOfEveryTypeThatNumpyHas) {
  TemporaryFolder folder;
  for (const auto& [key, tensor] : testing::sample_arrays()) {
    ASSERT_TRUE(write_npy(folder / "x.npy", tensor).ok());
    auto back = open_arrays(folder / "x.npy");
    ASSERT_TRUE(back.ok()) << back.status().text();
    auto read = (*back)->read("x");
    ASSERT_TRUE(read.ok()) << read.status().text();
    auto typed = as_value_type(*read, tensor.type());
    ASSERT_TRUE(typed.ok()) << key << ": " << typed.status().text();
    EXPECT_EQ(*typed, tensor) << key;
  }
}

TEST(Npy, WritesWhatNumpyWrites) {
  // numpy.save of numpy.array([[1, 2], [3, 4]], dtype='<i2'), version 2.4.
  TemporaryFolder folder;
  ASSERT_TRUE(write_npy(folder / "x.npy", HostTensor::of<int16_t>(ValueType::kI16, {2, 2}, {1, 2, 3, 4})).ok());
  const std::string header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 2), }";
  auto expected = npy(header + std::string(117 - header.size(), ' '), std::string("\1\0\2\0\3\0\4\0", 8));
  EXPECT_EQ(file_bytes(folder / "x.npy"), expected);
}

TEST(Npy, ReadsColumnMajorArrays) {
  // Column-major [2, 3]: 0 2 4 / 1 3 5.
  auto t = read_bytes(npy("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3)}", std::string("\0\1\2\3\4\5", 6)));
  ASSERT_TRUE(t.ok()) << t.status().text();
  EXPECT_EQ(*t, HostTensor::of<int8_t>(ValueType::kI8, {2, 3}, {0, 2, 4, 1, 3, 5}));
}

TEST(Npy, ReadsColumnMajorArraysOfRankThree) {
  std::string data;
  for (char i = 0; i < 24; ++i)
    data += i;
  auto t = read_bytes(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4)}", data));
  ASSERT_TRUE(t.ok()) << t.status().text();
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k)
        EXPECT_EQ(t->int_at((i * 3 + j) * 4 + k), i + 2 * j + 6 * k);
    }
  }
}

TEST(Npy, ReadsBigEndianArrays) {
  auto t = read_bytes(
      npy("{'descr': '>i4', 'fortran_order': False, 'shape': (2,)}", std::string("\0\0\1\2\xff\xff\xff\xfe", 8)));
  ASSERT_TRUE(t.ok()) << t.status().text();
  EXPECT_EQ(*t, HostTensor::of<int32_t>(ValueType::kI32, {2}, {258, -2}));
}

TEST(Npy, ReadsVersionsTwoAndThree) {
  for (int version : {2, 3}) {
    auto t = read_bytes(
        npy("{'shape': (), 'descr': '<f4', 'fortran_order': False, }", std::string("\0\0\x20\x40", 4), version));
    ASSERT_TRUE(t.ok()) << t.status().text();
    EXPECT_EQ(*t, HostTensor::scalar(2.5f));
  }
}

TEST(Npy, TakesTheVoidOfTwoBytesAsBfloat16) {
  for (const char* descr : {"<V2", "|V2", "bfloat16"}) {
    auto t = read_bytes(npy(std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': (1,)}",
                            std::string("\x80\x3f", 2)));
    ASSERT_TRUE(t.ok()) << t.status().text();
    EXPECT_EQ(*t, HostTensor::of<uint16_t>(ValueType::kBF16, {1}, {0x3f80}));
  }
}

TEST(Npy, SaysWhatIsWrongWithAHeader) {
  const struct {
    const char* header;
    const char* error;
  } cases[] = {
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}",
       "x.npy: has 4 bytes of data where shape 2x2 of float32 needs 16"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
       "x.npy: shape 4611686018427387904x4 has more than 2^40 elements"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
       "x.npy: header: has a shape with an entry that is not a size"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
       "x.npy: header: has a shape with an entry that is not a size"},
      {"{'descr': '<f4', 'fortran_order': False}", "x.npy: header: lacks the key 'shape'"},
      {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
       "x.npy: header: has neither True nor False for 'fortran_order'"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
       "x.npy: header: has the unknown key 'more'"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
       "x.npy: header: has the key 'descr' twice"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "x.npy: header: goes on after its end"},
      {"'<f4'", "x.npy: header: lacks '{' at byte 0"},
      {"{'descr': '<f4", "x.npy: header: has a string without end"},
      {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}",
       "x.npy: x: has the type '<c8', which is not supported"},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
       "x.npy: x: holds Python objects; save it as a plain numeric array"},
      {"{'descr': [('a', '<f4'), ('b', '<i4')], 'fortran_order': False, 'shape': (1,)}",
       "x.npy: x: has a structured type; save each field as an array of its own"},
      {"{'descr': '|V1', 'fortran_order': False, 'shape': (4,)}",
       "x.npy: x: has the type '|V1', which is not supported: NumPy writes every 8-bit type of ml_dtypes so; save it "
       "as "
       "uint8 codes or in a .safetensors file"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(error_of(npy(c.header, "1234")), c.error);
}

TEST(Npy, RefusesAVersionItDoesNotKnow) {
  EXPECT_EQ(error_of(npy("{}", "", 4)), "x.npy: has the .npy version 4.0; known are 1.0, 2.0 and 3.0");
}

TEST(Npy, RefusesEveryTruncation) {
  const auto whole = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "123456789abc");
  ASSERT_TRUE(read_bytes(whole).ok());
  for (size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(read_bytes({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)}).ok()) << n << " bytes";
  }
}

TEST(ArrayFile, NamesWhatAFileIsNot) {
  EXPECT_EQ(error_of({}), "x.npy: is empty");
  EXPECT_EQ(error_of(bytes_of("hello, world")), "x.npy: is neither .npy, .npz nor .safetensors by its content");
  EXPECT_EQ(open_arrays("/nonexistent/x.npy").status().text(), "/nonexistent/x.npy: there is no such file");
  EXPECT_EQ(open_arrays("/tmp").status().text(), "/tmp: is a directory, not a file");
  EXPECT_EQ(open_arrays("/dev/zero").status().text(), "/dev/zero: is not a regular file");
}

TEST(ArrayFile, ChecksTheRangeOfATypeThatIsStoredWider) {
  const auto bytes = HostTensor::of<int8_t>(ValueType::kI8, {3}, {-8, 7, 8});
  EXPECT_EQ(as_value_type(bytes, ValueType::kI4).status().text(), "element 2 is 8, outside the range -8..7 of int4");
  EXPECT_EQ(as_value_type(bytes, ValueType::kU4).status().text(), "holds int8, which cannot be taken as uint4");
  auto codes = as_value_type(HostTensor::of<uint8_t>(ValueType::kU8, {2}, {0, 15}), ValueType::kNF4);
  ASSERT_TRUE(codes.ok()) << codes.status().text();
  EXPECT_EQ(*codes, HostTensor::of<uint8_t>(ValueType::kNF4, {2}, {0, 15}));
}

}  // namespace
}  // namespace qlathe
