#include "model/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "model/gguf/gguf.h"

namespace drystone {
namespace {

using Ids = std::vector<TokenId>;

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> read_texts(const std::filesystem::path& path) {
  const std::string all = read_text(path), mark = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  std::size_t at = 0;
  for (std::size_t end; (end = all.find(mark, at)) != std::string::npos; at = end + mark.size()) {
    texts.push_back(all.substr(at, end - at));
  }
  if (at < all.size()) texts.push_back(all.substr(at));
  return texts;
}

std::vector<Ids> read_ids(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::vector<Ids> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream numbers(line);
    lines.emplace_back(std::istream_iterator<TokenId>(numbers), std::istream_iterator<TokenId>());
  }
  return lines;
}

const std::filesystem::path kVocab = std::filesystem::path(DRYSTONE_SHARED_DIR) / "data/vocab";

// Real vocabularies under any pre-tokenizer; each file is read once.
class RealVocabularies {
 public:
  std::unique_ptr<Tokenizer> load(const std::string& name, const std::string& pre = "") {
    Metadata& metadata = files_.contains(name) ? files_[name] : files_[name] = read(name);
    if (!pre.empty()) metadata.set("tokenizer.ggml.pre", pre);
    auto tokenizer = Tokenizer::load(metadata);
    EXPECT_TRUE(tokenizer) << tokenizer.error().message();
    return std::move(*tokenizer);
  }

 private:
  static Metadata read(const std::string& name) {
    const auto file = GgufFile::open(kVocab / (name + ".gguf"));
    EXPECT_TRUE(file) << file.error().message();
    return file->metadata();
  }
  std::map<std::string, Metadata> files_;
};

#define NEED_REAL_VOCABULARIES() \
  if (!std::filesystem::exists(kVocab)) GTEST_SKIP() << "needs the vocabularies of " << kVocab

void expect_same_ids(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                     const std::vector<Ids>& want, const std::string& what) {
  ASSERT_EQ(texts.size(), want.size()) << what;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Ids ids = tokenizer.encode(texts[i], {});
    EXPECT_EQ(ids, want[i]) << what << ", text " << i << ": " << texts[i];
    EXPECT_EQ(tokenizer.decode(ids, /*special=*/true), texts[i]) << what << ", text " << i;
  }
}

// A model sees other words than it was trained with if one id differs: each real vocabulary must
// agree with its dump.
TEST(Tokenizer, AgreesWithTheDumpsOfRealVocabularies) {
  NEED_REAL_VOCABULARIES();
  RealVocabularies vocabularies;
  for (const char* name : {"deepseek-llm", "gpt-2", "llama-spm", "starcoder"}) {
    const std::string file = std::string("ggml-vocab-") + name;
    const auto texts = read_texts(kVocab / (file + ".gguf.inp"));
    ASSERT_GT(texts.size(), 40u);
    expect_same_ids(*vocabularies.load(file), texts, read_ids(kVocab / (file + ".gguf.out")), name);
  }
}

// One vocabulary under every pre-tokenizer shows where each of them cuts.
TEST(Tokenizer, AgreesWithTheDumpOfEachPreTokenizer) {
  NEED_REAL_VOCABULARIES();
  const auto texts = read_texts(kVocab / "texts.inp");
  RealVocabularies vocabularies;
  std::size_t pre_tokenizers = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kVocab)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("llama3-merges.") || !name.ends_with(".out")) continue;
    const std::string pre = name.substr(14, name.size() - 18);
    expect_same_ids(*vocabularies.load("llama3-merges", pre), texts, read_ids(entry.path()), pre);
    ++pre_tokenizers;
  }
  EXPECT_GE(pre_tokenizers, 15u);
}

// Our own nasty texts: emoji, CRLF, digits of other scripts, combining marks, Unicode spaces,
// capitals in contractions. tests/golden/tokenizer/README.md has the commands that made the ids.
TEST(Tokenizer, AgreesWithTheReferenceOnNastyTexts) {
  NEED_REAL_VOCABULARIES();
  const std::filesystem::path golden =
      std::filesystem::path(DRYSTONE_SOURCE_DIR) / "tests/golden/tokenizer";
  const auto texts = read_texts(golden / "nasty.txt");
  ASSERT_GT(texts.size(), 30u);
  RealVocabularies vocabularies;
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden)) {
    if (entry.path().extension() != ".ids") continue;
    const std::string name = entry.path().stem();  // VOCABULARY or VOCABULARY.PRE
    const std::size_t dot = name.find('.');
    const auto tokenizer = vocabularies.load(name.substr(0, dot),
                                             dot == std::string::npos ? "" : name.substr(dot + 1));
    expect_same_ids(*tokenizer, texts, read_ids(entry.path()), name);
    ++files;
  }
  EXPECT_GE(files, 20u);
}

}  // namespace
}  // namespace drystone
