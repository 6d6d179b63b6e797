#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"

namespace drystone {

// A `.golden` of this folder; README.md has the format.
struct GoldenFile {
  std::string name, preset, type;
  std::uint64_t seed = 0;
  std::uint32_t crc32 = 0;  // of the model's file
  std::uint32_t vocab = 0;
  std::vector<std::int32_t> prompt, greedy;
  std::vector<std::uint32_t> positions;
  std::vector<float> logits;  // [positions, vocab]
};

inline GoldenFile read_golden(const std::filesystem::path& path) {
  GoldenFile golden{.name = path.stem().string()};
  std::ifstream file(path, std::ios::binary);
  std::string line;
  const auto rest = [](std::istringstream& in, auto& values) {
    for (std::remove_reference_t<decltype(values[0])> value; in >> value;) values.push_back(value);
  };
  while (std::getline(file, line) && line != "logits:") {
    std::istringstream in(line);
    std::string key;
    in >> key;
    if (key == "preset:") in >> golden.preset;
    if (key == "type:") in >> golden.type;
    if (key == "seed:") in >> golden.seed;
    if (key == "crc32:") in >> golden.crc32;
    if (key == "vocab:") in >> golden.vocab;
    if (key == "prompt:") rest(in, golden.prompt);
    if (key == "greedy:") rest(in, golden.greedy);
    if (key == "positions:") rest(in, golden.positions);
  }
  golden.logits.resize(golden.positions.size() * golden.vocab);
  file.read(reinterpret_cast<char*>(golden.logits.data()),
            static_cast<std::streamsize>(golden.logits.size() * sizeof(float)));
  CHECK(file.good() && !golden.logits.empty(), path.string());
  return golden;
}

inline std::vector<GoldenFile> read_goldens(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".golden") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<GoldenFile> goldens;
  for (const auto& path : paths) goldens.push_back(read_golden(path));
  return goldens;
}

}  // namespace drystone
