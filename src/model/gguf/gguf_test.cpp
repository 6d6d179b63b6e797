#include "model/gguf/gguf.h"

#include <gtest/gtest.h>
#include <sys/file.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "model/gguf/gguf_writer.h"
#include "model/gguf/header.h"

namespace drystone {
namespace {

using Type = GgufValueType;

// The bytes of a file, field by field, so that a test can put a wrong one anywhere.
struct FileBytes {
  std::string text;

  template <typename T>
  FileBytes& put(T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  FileBytes& string(std::string_view value) {
    put<std::uint64_t>(value.size());
    text += value;
    return *this;
  }
  FileBytes& start(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
    text += "GGUF";
    return put(version).put(tensors).put(keys);
  }
  FileBytes& key(std::string_view name, Type type) { return string(name).put(type); }
  FileBytes& u32(std::string_view name, std::uint32_t value) {
    return key(name, Type::u32).put(value);
  }
  FileBytes& tensor(std::string_view name, std::vector<std::uint64_t> dims, std::uint32_t type,
                    std::uint64_t offset) {
    string(name).put(static_cast<std::uint32_t>(dims.size()));
    for (const auto dim : dims) put(dim);
    return put(type).put(offset);
  }
  FileBytes& data(std::size_t bytes) {
    text.resize((text.size() + 31) / 32 * 32 + bytes);
    return *this;
  }

  Result<GgufFile> parse() const {
    return GgufFile::parse(std::as_bytes(std::span(text)), "x.gguf");
  }
  std::string message() const {
    auto file = parse();
    return file ? "no error"
                : std::string(to_string(file.error().code())) + " " + file.error().message();
  }
};

struct TemporaryFolder {
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gguf-test-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string file(std::string_view name) const { return (path / name).string(); }
  std::filesystem::path path;
};

void save(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string open_message(const std::string& path) {
  auto file = GgufFile::open(path);
  return file ? "no error"
              : std::string(to_string(file.error().code())) + " " + file.error().message();
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

GgufTensorToWrite tensor_of(std::string name, DType type, std::vector<std::uint64_t> dims,
                            std::string bytes) {
  return {std::move(name), type, std::move(dims),
          [bytes](const auto& sink) { return sink(std::as_bytes(std::span(bytes))); }};
}

// Everything that synth and quantize write must come back as it was.
TEST(Gguf, WhatIsWrittenIsReadBack) {
  TemporaryFolder folder;
  Metadata metadata;
  metadata.set("general.architecture", std::string("llama"));
  metadata.set("a.count", std::int64_t{4000000000});
  metadata.set("a.big", std::int64_t{1} << 40);
  metadata.set("a.negative", std::int64_t{-7});
  metadata.set("a.eps", 0.5);
  metadata.set("a.flag", true);
  metadata.set("a.tokens", MetadataArray(std::vector<std::string>{"a", "", "\xff\n"}));
  metadata.set("a.kinds", MetadataArray(std::vector<std::int64_t>{1, -2, 3}));
  metadata.set("a.wide", MetadataArray(std::vector<std::int64_t>{std::int64_t{1} << 50}));
  metadata.set("a.scores", MetadataArray(std::vector<double>{-1.5, 0}));
  metadata.set("a.flags", MetadataArray(std::vector<bool>{true, false, true}));
  metadata.set("a.none", MetadataArray(std::vector<std::int64_t>{}));
  const std::string first(18 * 2 * 3, 'q'), second(5 * 4, 'f');
  const GgufTensorToWrite tensors[] = {tensor_of("w", DType::q4_0, {64, 3}, first),
                                       tensor_of("v", DType::f32, {5}, second)};

  ASSERT_TRUE(write_gguf(folder.file("m.gguf"), metadata, tensors));
  auto file = GgufFile::open(folder.file("m.gguf"));

  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->metadata().all(), metadata.all());
  ASSERT_EQ(file->tensors().size(), 2u);
  const GgufTensor* w = file->find("w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->type, DType::q4_0);
  EXPECT_EQ(w->n_dims, 2u);
  EXPECT_EQ(w->dims[0], 64u);
  EXPECT_EQ(w->dims[1], 3u);
  EXPECT_EQ(w->dims[2], 1u);
  EXPECT_EQ(w->offset % 32, 0u);
  const auto text = [&](const GgufTensor* tensor) {
    const auto bytes = file->data(*tensor);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  EXPECT_EQ(text(w), first);
  EXPECT_EQ(text(file->find("v")), second);
  EXPECT_EQ(file->find("x"), nullptr);
  EXPECT_EQ(file->file_bytes(), std::filesystem::file_size(folder.file("m.gguf")));
  file->drop(file->data(*w));
  EXPECT_EQ(text(w), first) << "dropped bytes stay readable";
}

// A copy must not claim the alignment or the split of the file that it was made from.
TEST(Gguf, WriterLeavesOutTheOldContainer) {
  TemporaryFolder folder;
  Metadata metadata;
  metadata.set("general.alignment", std::int64_t{4096});
  metadata.set("split.count", std::int64_t{3});
  ASSERT_TRUE(write_gguf(folder.file("m.gguf"), metadata, {}));
  auto file = GgufFile::open(folder.file("m.gguf"));
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_TRUE(file->metadata().all().empty());
}

// An hour of quantizing must not destroy the only copy when the disk fills up.
TEST(Gguf, FailedWriteLeavesTheOldFile) {
  TemporaryFolder folder;
  save(folder.file("m.gguf"), "old");
  const GgufTensorToWrite tensors[] = {{"w", DType::f32, {1}, [](const auto&) -> Result<void> {
                                          return Error(Errc::io, "no more");
                                        }}};
  const auto written = write_gguf(folder.file("m.gguf"), {}, tensors);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message(), "no more");
  EXPECT_EQ(std::filesystem::file_size(folder.file("m.gguf")), 3u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path), {}), 1);
  EXPECT_HAS(write_gguf(folder.file("no/m.gguf"), {}, {}).error().message(), "cannot create");
}

TEST(Gguf, WhatAKilledWriterLeftIsNoObstacleAnothersWorkIs) {
  TemporaryFolder folder;
  const std::filesystem::path left = folder.file("left.gguf.partial");
  std::ofstream(left) << std::string(1000, 'x');
  EXPECT_TRUE(write_gguf(folder.file("left.gguf"), {}, {}));
  EXPECT_TRUE(GgufFile::open(folder.file("left.gguf")));
  EXPECT_FALSE(std::filesystem::exists(left));
  std::FILE* other = std::fopen(left.c_str(), "w");
  ASSERT_EQ(flock(fileno(other), LOCK_EX), 0);
  EXPECT_HAS(write_gguf(folder.file("left.gguf"), {}, {}).error().message(), "another program");
  EXPECT_TRUE(std::filesystem::exists(left));
  std::fclose(other);
  EXPECT_HAS(write_gguf("/dev/null", {}, {}).error().message(), "not a regular file");
}

// Readers ask for one width whatever the file used.
TEST(Gguf, IntegersOfEveryWidthWiden) {
  FileBytes bytes;
  bytes.start(0, 9);
  bytes.key("u8", Type::u8).put<std::uint8_t>(200).key("i8", Type::i8).put<std::int8_t>(-2);
  bytes.key("u16", Type::u16)
      .put<std::uint16_t>(60000)
      .key("i16", Type::i16)
      .put<std::int16_t>(-300);
  bytes.key("u32", Type::u32).put(4000000000u).key("i32", Type::i32).put(-70000);
  bytes.key("u64", Type::u64).put<std::uint64_t>(1).key("i64", Type::i64).put<std::int64_t>(-1);
  bytes.key("f64", Type::f64).put(0.25);
  auto file = bytes.parse();
  ASSERT_TRUE(file) << file.error().message();
  const Metadata& m = file->metadata();
  EXPECT_EQ(*m.required_u32("u8"), 200u);
  EXPECT_EQ(std::get<std::int64_t>(*m.find("i8")), -2);
  EXPECT_EQ(*m.required_u32("u16"), 60000u);
  EXPECT_EQ(std::get<std::int64_t>(*m.find("i16")), -300);
  EXPECT_EQ(*m.required_u32("u32"), 4000000000u);
  EXPECT_EQ(std::get<std::int64_t>(*m.find("i32")), -70000);
  EXPECT_EQ(*m.required_f32("u64"), 1.0f);
  EXPECT_EQ(*m.required_f32("f64"), 0.25f);
  EXPECT_EQ(m.u32("i64").error().message(), "'i64' is -1, expected 0 to 4294967295");
  EXPECT_EQ(m.u32("f64").error().message(), "'f64' is a float, expected an integer");
  EXPECT_TRUE(m.required_u32("none").is(Errc::not_found));
  EXPECT_FALSE(m.u32("none")->has_value());
  EXPECT_EQ(m.strings("u8"), nullptr);
}

FileBytes one_tensor(std::vector<std::uint64_t> dims, std::uint32_t type,
                     std::uint64_t offset = 0) {
  return FileBytes().start(1, 0).tensor("w", std::move(dims), type, offset).data(4096);
}

// A hostile or damaged file is refused with the field's name, before its numbers are used.
TEST(GgufHostile, StartOfFile) {
  EXPECT_HAS(FileBytes().message(), "x.gguf: the magic takes 4 bytes");
  FileBytes other;
  other.text = "PK\x03\x04 not a model";
  EXPECT_HAS(other.message(), "corrupt x.gguf: the magic is 'PK\\x03\\x04', expected \"GGUF\"");
  EXPECT_HAS(FileBytes().start(0, 0, 2).message(),
             "unsupported x.gguf: the version is 2, expected 3");
  EXPECT_HAS(FileBytes().start(0, 0, 0x03000000).message(), "the file is big-endian");
  EXPECT_HAS(FileBytes().start(~0ull, 0).message(),
             "the tensor count is 18446744073709551615, expected at most 0");
  EXPECT_HAS(FileBytes().start(0, 1ull << 60).data(100).message(),
             "the key count is 1152921504606846976, expected at");
}

TEST(GgufHostile, Keys) {
  EXPECT_HAS(FileBytes().start(0, 1).put<std::uint64_t>(1 << 20).data(64).message(),
             "the length of the name of key 1 of 1 is 1048576, expected at most 65535");
  EXPECT_HAS(FileBytes().start(0, 1).string("").data(64).message(),
             "the name of key 1 of 1 is empty");
  EXPECT_HAS(FileBytes().start(0, 2).u32("k", 1).u32("k", 2).message(), "the key 'k' stands twice");
  EXPECT_HAS(FileBytes().start(0, 1).key("k", Type(13)).data(64).message(),
             "the type of 'k' is 13, expected 0 to 12");
  EXPECT_HAS(FileBytes().start(0, 1).key("k", Type::string).put(~0ull).data(64).message(),
             "'k' takes 18446744073709551615 bytes");
  EXPECT_HAS(
      FileBytes().start(0, 1).key("flag", Type::boolean).put<std::uint8_t>(2).data(64).message(),
      "a bool of 'flag' is 2, expected 0 or 1");
  EXPECT_HAS(FileBytes().start(0, 1).key("long.key", Type::u64).put(1).message(),
             "'long.key' takes 8 bytes at offset");
}

TEST(GgufHostile, Arrays) {
  const auto array = [](Type type, std::uint64_t count) {
    return FileBytes().start(0, 1).key("a", Type::array).put(type).put(count).data(64);
  };
  EXPECT_HAS(array(Type::array, 1).message(), "unsupported x.gguf: 'a' is an array of arrays");
  EXPECT_HAS(array(Type(99), 1).message(), "the element type of 'a' is 99, expected 0 to 12");
  EXPECT_HAS(array(Type::u8, 1ull << 62).message(),
             "the element count of 'a' is 4611686018427387904, expected at most");
  EXPECT_HAS(array(Type::string, 1ull << 61).message(),
             "the element count of 'a' is 2305843009213693952");
  FileBytes strings;
  strings.start(0, 1)
      .key("a", Type::array)
      .put(Type::string)
      .put<std::uint64_t>(2)
      .string("x")
      .put<std::uint64_t>(900);
  EXPECT_HAS(strings.message(), "element 1 of 'a' takes 900 bytes");
}

TEST(GgufHostile, Alignment) {
  for (const std::uint32_t alignment : {0u, 1u, 4u, 24u})
    EXPECT_HAS(FileBytes().start(0, 1).u32("general.alignment", alignment).message(),
               fmt::format("'general.alignment' is {}, expected a power of two", alignment));
  EXPECT_HAS(FileBytes().start(0, 1).key("general.alignment", Type::string).string("32").message(),
             "'general.alignment' is a string, expected an integer");
  EXPECT_EQ(FileBytes().start(0, 1).u32("general.alignment", 1u << 31).message(), "no error");
}

TEST(GgufHostile, Shapes) {
  EXPECT_HAS(one_tensor({}, 0).message(),
             "the number of dimensions of tensor 'w' is 0, expected 1 to 4");
  EXPECT_HAS(one_tensor({1, 1, 1, 1, 1}, 0).message(),
             "the number of dimensions of tensor 'w' is 5");
  EXPECT_HAS(one_tensor({4, 0}, 0).message(),
             "the shape of tensor 'w' is [4, 0], expected no dimension of 0");
  EXPECT_HAS(
      one_tensor({33, 2}, 2).message(),
      "the shape of tensor 'w' is [33, 2], expected rows of a multiple of 32, the block of q4_0");
  EXPECT_HAS(one_tensor({1ull << 32, 1ull << 32, 2}, 0).message(),
             "expected fewer than 2^63 elements");
  EXPECT_HAS(one_tensor({1ull << 62}, 0).message(), "expected fewer than 2^63 elements");
  EXPECT_HAS(one_tensor({1ull << 40}, 0).message(),
             "the data of tensor 'w' is 4398046511104 bytes at offset");
}

TEST(GgufHostile, TypesAreRefusedByName) {
  EXPECT_HAS(one_tensor({32}, 31).message(),
             "unsupported x.gguf: tensor 'w': type 31 was removed from the format");
  EXPECT_HAS(one_tensor({32}, 144).message(), "type 144 is an extension of ik_llama.cpp");
  EXPECT_HAS(one_tensor({32}, 77).message(), "type 77 is unknown");
}

TEST(GgufHostile, Offsets) {
  EXPECT_HAS(one_tensor({4}, 0, 8).message(),
             "the offset of tensor 'w' is 8, expected a multiple of the alignment 32");
  EXPECT_HAS(one_tensor({4}, 0, ~31ull).message(), "the data of tensor 'w'");
  EXPECT_HAS(one_tensor({4}, 0, 4096).message(), "but the file ends at");
  EXPECT_EQ(one_tensor({4}, 0, 4064).message(), "no error");
  FileBytes overlap;
  overlap.start(2, 0).tensor("late", {16}, 0, 32).tensor("early", {9}, 0, 0).data(4096);
  EXPECT_HAS(overlap.message(), "the data of tensor 'late'");
  EXPECT_HAS(overlap.message(), "overlaps that of 'early'");
  FileBytes twice;
  twice.start(2, 0).tensor("w", {8}, 0, 0).tensor("w", {8}, 0, 32).data(4096);
  EXPECT_HAS(twice.message(), "the tensor 'w' stands twice");
}

// Whatever a download lost, the answer is an error: never a crash, never a file that seems whole.
TEST(GgufHostile, EveryTruncationIsRefused) {
  FileBytes whole;
  whole.start(1, 2)
      .u32("general.alignment", 32)
      .key("a", Type::array)
      .put(Type::string)
      .put<std::uint64_t>(2);
  whole.string("ab").string("cd").tensor("w", {32, 2}, 8, 0).data(68);
  ASSERT_EQ(whole.message(), "no error");
  for (std::size_t size = 0; size < whole.text.size(); ++size) {
    FileBytes part;
    part.text = whole.text.substr(0, size);
    EXPECT_FALSE(part.parse()) << size;
  }
}

// Terminal escapes in a name must not reach the terminal.
TEST(GgufHostile, NamesInMessagesAreEscapedAndShort) {
  const std::string name = "\x1b[31m" + std::string(500, 'n');
  const std::string message = FileBytes().start(0, 1).key(name, Type(77)).data(64).message();
  EXPECT_HAS(message, "'\\x1b[31mnnn");
  EXPECT_LT(message.size(), 200u);
}

TEST(Gguf, OpenNamesWhatIsWrong) {
  TemporaryFolder folder;
  EXPECT_HAS(open_message(folder.file("none.gguf")),
             "not_found " + folder.file("none.gguf") + ": cannot open");
  EXPECT_HAS(open_message(folder.path.string()), "is a directory, expected a file");
  save(folder.file("empty.gguf"), "");
  EXPECT_HAS(open_message(folder.file("empty.gguf")), "the magic takes 4 bytes at offset 0");
}

// One part of a split model: `tensors` names of f32 [8].
std::string part_bytes(std::uint16_t number, std::uint16_t count, std::int32_t total,
                       std::vector<std::string> tensors) {
  FileBytes bytes;
  bytes.start(tensors.size(), number == 0 ? 4 : 3);
  if (number == 0) bytes.key("general.architecture", Type::string).string("llama");
  bytes.key("split.no", Type::u16).put(number).key("split.count", Type::u16).put(count);
  bytes.key("split.tensors.count", Type::i32).put(total);
  for (std::size_t i = 0; i < tensors.size(); ++i) bytes.tensor(tensors[i], {8}, 0, 32 * i);
  bytes.data(32 * tensors.size());
  bytes.text.back() = static_cast<char>('0' + number);
  return bytes.text;
}

// People name whichever part their shell completes.
TEST(GgufSplit, AnyPartOpensTheWholeModel) {
  TemporaryFolder folder;
  save(folder.file("m-00001-of-00002.gguf"), part_bytes(0, 2, 3, {"a", "b"}));
  save(folder.file("m-00002-of-00002.gguf"), part_bytes(1, 2, 3, {"c"}));
  for (const char* name : {"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"}) {
    auto file = GgufFile::open(folder.file(name));
    ASSERT_TRUE(file) << file.error().message();
    EXPECT_EQ(file->tensors().size(), 3u);
    EXPECT_EQ(*file->metadata().required_string("general.architecture"), "llama");
    ASSERT_NE(file->find("c"), nullptr);
    EXPECT_EQ(file->find("c")->part, 1u);
    EXPECT_EQ(static_cast<char>(file->data(*file->find("c")).back()), '1');
    EXPECT_EQ(static_cast<char>(file->data(*file->find("b")).back()), '0');
  }
}

TEST(GgufSplit, WrongSetsAreRefused) {
  TemporaryFolder folder;
  const std::string one = folder.file("m-00001-of-00002.gguf"),
                    two = folder.file("m-00002-of-00002.gguf");
  save(one, part_bytes(0, 2, 3, {"a", "b"}));
  EXPECT_HAS(open_message(one), "not_found part 2 of 2: " + two);
  save(two, part_bytes(0, 2, 3, {"c"}));
  EXPECT_HAS(open_message(one), two + ": 'split.no' is 0, expected 1");
  save(two, part_bytes(1, 3, 3, {"c"}));
  EXPECT_HAS(open_message(one), "'split.count' is 3, expected 2");
  save(two, part_bytes(1, 2, 3, {"a"}));
  EXPECT_HAS(open_message(one), "the tensor 'a' stands in two parts");
  save(two, part_bytes(1, 2, 3, {"c", "d"}));
  EXPECT_HAS(open_message(one), "'split.tensors.count' is 3, but the 2 parts hold 4 tensors");
  save(two, FileBytes().start(0, 0).text);
  EXPECT_HAS(open_message(one), "'split.count' is missing, expected 2");
  save(folder.file("renamed.gguf"), part_bytes(0, 2, 3, {"a", "b"}));
  EXPECT_HAS(open_message(folder.file("renamed.gguf")),
             "'split.count' is 2, expected 1: the parts of a split model");
}

// Real files: opening a 130k vocabulary must feel instant. The bound leaves room for debug builds
// and sanitizers.
TEST(GgufReal, VocabulariesAndModelsOpen) {
  const std::filesystem::path shared = DRYSTONE_SHARED_DIR;
  if (!std::filesystem::exists(shared / "data/vocab"))
    GTEST_SKIP() << "needs the model data in ../shared/data";
  int files = 0;
  for (const char* folder : {"data/vocab", "data/models"})
    for (const auto& entry : std::filesystem::directory_iterator(shared / folder)) {
      if (entry.path().extension() != ".gguf") continue;
      const auto start = std::chrono::steady_clock::now();
      auto file = GgufFile::open(entry.path());
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      ASSERT_TRUE(file) << file.error().message();
      const auto* tokens = file->metadata().strings("tokenizer.ggml.tokens");
      ASSERT_NE(tokens, nullptr) << entry.path();
      EXPECT_GT(tokens->size(), 500u);
      EXPECT_LT(seconds.count(), 2) << entry.path();
      RecordProperty(entry.path().stem(),
                     fmt::format("{} tokens in {:.1f} ms", tokens->size(), seconds.count() * 1e3));
      ++files;
    }
  EXPECT_GE(files, 6);
}

}  // namespace
}  // namespace drystone
