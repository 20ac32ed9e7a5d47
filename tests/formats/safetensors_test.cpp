#include "frontend/formats/arrays/array_file.h"
#include "tests/formats/array_samples.h"

namespace qlathe {
namespace {

using testing::bytes_of;
using testing::file_bytes;
using testing::sample_arrays;
using testing::TemporaryFolder;

std::vector<uint8_t> forged(const std::string& header, const std::string& data) {
  std::string out;
  for (int i = 0; i < 8; ++i)
    out += static_cast<char>((header.size() >> (8 * i)) & 0xFF);
  return bytes_of(out + header + data);
}

std::string error_of(std::vector<uint8_t> bytes) {
  auto file = open_arrays(memory_source("w", std::move(bytes)));
  if (!file.ok()) return file.status().text();
  for (const ArrayInfo& array : (*file)->arrays()) {
    if (auto t = (*file)->read(array.name); !t.ok()) return t.status().text();
  }
  return "no error";
}

TEST(Safetensors, KeepsValuesAndTypes) {
  TemporaryFolder folder;
  ASSERT_TRUE(write_safetensors(folder / "w", sample_arrays()).ok());
  auto all = read_all_arrays(folder / "w");
  ASSERT_TRUE(all.ok()) << all.status().text();
  ASSERT_EQ(all->size(), sample_arrays().size());
  for (const auto& [name, tensor] : sample_arrays())
    EXPECT_EQ(all->at(name), tensor) << name;
}

TEST(Safetensors, UnpacksFloat4LowHalfFirst) {
  auto file =
      open_arrays(memory_source("w", forged(R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}})", "\x21\x43")));
  ASSERT_TRUE(file.ok()) << file.status().text();
  EXPECT_EQ(*(*file)->read("a"), HostTensor::of<uint8_t>(ValueType::kF4E2M1, {4}, {1, 2, 3, 4}));
}

TEST(Safetensors, SaysWhatIsWrong) {
  const struct {
    const char* header;
    const char* error;
  } cases[] = {
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})",
       "w (header):1:48: a: data_offsets: holds 8 bytes where shape 1 of F32 needs 4"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
       "w (header):1:48: a: data_offsets: does not lie within the file's 8 bytes of data"},
      {R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[9,4]}})",
       "w (header):1:48: a: data_offsets: does not lie within the file's 8 bytes of data"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})",
       "w (header):1:29: a: shape: shape 4294967296x4294967296 has more than 2^40 elements"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})",
       "w (header):1:30: a: shape[0]: expected an integer of at least 0, found -1"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
       "w: b: data_offsets: overlaps another tensor"},
      {R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "w: b: data_offsets: leaves a hole before it"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "w: has 4 bytes after its last tensor"},
      {R"({"a":{"dtype":"F32","shape":[2]}})", "w (header):1:6: a: data_offsets: is missing"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"ofset":1}})",
       "w (header):1:54: a: unknown field 'ofset'; known are: dtype, shape, data_offsets"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
       "w (header):1:55: the key 'a' stands twice in one object; keep one of them"},
      {R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})", "w: a: has the type 'C64', which is not supported"},
      {R"({"a":1})", "w (header):1:6: a: expected an object, found an integer"},
      {R"({"a")",
       "w (header):1:5: not JSON: syntax error while parsing object separator - unexpected end of input; expected ':'"},
      {R"({"__metadata__":{"qlathe.type:a":"int32"},"a":{"dtype":"I8","shape":[8],"data_offsets":[0,8]}})",
       "w (header):1:34: a: __metadata__: names no type that int8 can hold"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(error_of(forged(c.header, "12345678")), c.error);
}

TEST(Safetensors, BoundsTheHeaderByTheFileAndByALimit) {
  auto bytes = forged("{}", "");
  bytes[0] = 3;
  EXPECT_EQ(error_of(bytes), "w: ends inside its header");
  bytes[4] = 1;
  EXPECT_EQ(error_of(bytes), "w: states a header of 4294967299 bytes; at most 16777216 are read");
}

TEST(Safetensors, ChecksTheRangeOfANotedType) {
  EXPECT_EQ(
      error_of(forged(
          R"({"__metadata__":{"qlathe.type:a":"int4"},"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})", "x")),
      "w: a: element 0 is 120, outside the range -8..7 of int4");
}

TEST(Safetensors, SurvivesEveryTruncationAndEveryFlippedByte) {
  TemporaryFolder folder;
  ASSERT_TRUE(
      write_safetensors(folder / "w", {{"a", HostTensor::scalar(1)}, {"b", testing::sample_tensor(ValueType::kI4)}})
          .ok());
  const auto whole = file_bytes(folder / "w");
  ASSERT_EQ(error_of(whole), "no error");
  for (size_t n = 0; n < whole.size(); ++n) {
    EXPECT_NE(error_of({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)}), "no error") << n << " bytes";
    for (uint8_t flip : {0x01, 0x80, 0xFF}) {
      auto damaged = whole;
      damaged[n] ^= flip;
      error_of(damaged);
    }
  }
}

}  // namespace
}  // namespace qlathe
