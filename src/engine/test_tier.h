#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/scratch_file.h"
#include "compute/device.h"

namespace drystone {

// For tests: a stage that has pages and nothing else.
class TestPages final : public DeviceStage {
 public:
  TestPages(std::uint32_t pages, std::uint32_t page_tokens, Bytes page_bytes)
      : page_tokens_(page_tokens), pages_(pages, std::vector<std::byte>(page_bytes)) {}

  std::vector<std::byte>& page(std::uint32_t page) { return pages_[page]; }

  Result<StepOutput> run(const StepInput&) override { return Error(Errc::unsupported, "no model"); }
  Result<StepOutput> head(const HeadInput&) override {
    return Error(Errc::unsupported, "no model");
  }
  bool kinds_agree() const override { return true; }
  std::uint32_t page_tokens() const override { return page_tokens_; }
  std::uint32_t page_count() const override { return static_cast<std::uint32_t>(pages_.size()); }
  Bytes page_bytes() const override { return pages_[0].size(); }
  void read_page(std::uint32_t page, std::span<std::byte> bytes) const override {
    std::ranges::copy(pages_[page], bytes.begin());
  }
  void write_page(std::uint32_t page, std::span<const std::byte> bytes) override {
    pages_[page].assign(bytes.begin(), bytes.end());
  }
  StageMemory memory() const override { return {}; }

 private:
  std::uint32_t page_tokens_;
  std::vector<std::vector<std::byte>> pages_;
};

// For tests: a disk that does what it is told. Kept by the test, used through TestFile.
struct TestDisk {
  std::mutex mutex;
  std::condition_variable resumed;
  std::vector<std::byte> bytes;
  Bytes bytes_max = ~Bytes{0};  // full beyond
  bool held = false;            // writes wait
  bool broken = false;          // reads fail
  std::uint64_t writes = 0;

  void hold(bool value) {
    {
      const std::lock_guard lock(mutex);
      held = value;
    }
    resumed.notify_all();
  }
  void flip_bit(Bytes at) {
    const std::lock_guard lock(mutex);
    bytes.at(at) ^= std::byte{4};
  }
  Bytes size() {
    const std::lock_guard lock(mutex);
    return bytes.size();
  }
};

class TestFile final : public ScratchFile {
 public:
  explicit TestFile(TestDisk& disk) : disk_(disk) {}

  Result<void> write(Bytes offset, std::span<const std::byte> bytes) override {
    std::unique_lock lock(disk_.mutex);
    disk_.resumed.wait(lock, [&] { return !disk_.held; });
    ++disk_.writes;
    if (offset + bytes.size() > disk_.bytes_max) return Error(Errc::io, "no space left");
    if (disk_.bytes.size() < offset + bytes.size()) disk_.bytes.resize(offset + bytes.size());
    std::ranges::copy(bytes, disk_.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }
  Result<void> read(Bytes offset, std::span<std::byte> bytes) override {
    const std::lock_guard lock(disk_.mutex);
    if (disk_.broken || offset + bytes.size() > disk_.bytes.size())
      return Error(Errc::io, "the file ends there");
    std::memcpy(bytes.data(), disk_.bytes.data() + offset, bytes.size());
    return {};
  }

 private:
  TestDisk& disk_;
};

}  // namespace drystone
