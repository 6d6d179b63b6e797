#include "engine/page_tier.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace drystone {
namespace {

// Slots begin where blocks of the disk do.
constexpr Bytes kSlotAlignment = 4 * kKiB;
constexpr Bytes kQueuePagesMin = 2, kQueuePagesMax = 256;

Bytes slot_bytes_of(const DeviceStage& stage) {
  return (stage.page_bytes() + kSlotAlignment - 1) / kSlotAlignment * kSlotAlignment;
}

std::uint64_t checksum_of(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace

Result<std::unique_ptr<PageTier>> PageTier::create(DeviceStage& stage,
                                                   std::unique_ptr<ScratchFile> file,
                                                   Bytes bytes_max) {
  const Bytes slots = bytes_max / slot_bytes_of(stage);
  if (slots == 0)
    return Error(Errc::limit,
                 fmt::format("{} on disk hold none of this model's pages: each is {}",
                             format_bytes(bytes_max), format_bytes(slot_bytes_of(stage))));
  constexpr Bytes kSlotsMax = std::numeric_limits<std::uint32_t>::max() - 1;
  return std::unique_ptr<PageTier>(
      new PageTier(stage, std::move(file), static_cast<std::uint32_t>(std::min(slots, kSlotsMax))));
}

PageTier::PageTier(DeviceStage& stage, std::unique_ptr<ScratchFile> file, std::uint32_t slots)
    : stage_(stage),
      file_(std::move(file)),
      slot_bytes_(slot_bytes_of(stage)),
      slots_(slots),
      index_(slots),
      order_(slots),
      read_buffer_(stage.page_bytes()) {
  counts_.slots = slots;
  counts_.page_bytes = stage.page_bytes();
  for (std::uint32_t slot = slots; slot-- > 0;) free_slots_.push_back(slot);
  const Bytes buffers = std::clamp(kQueueBytes / slot_bytes_, kQueuePagesMin, kQueuePagesMax);
  buffers_.resize(buffers);
  for (auto& buffer : buffers_) {
    buffer.resize(stage.page_bytes());
    free_buffers_.push_back(static_cast<std::uint32_t>(free_buffers_.size()));
  }
  writer_ = std::jthread([this](const std::stop_token& stop) { write_pages(stop); });
}

PageTier::~PageTier() = default;  // the thread, declared last, ends first

std::optional<PrefixId> PageTier::find(const PageKey& key) const {
  const auto slot = index_.find(key);
  if (!slot) return std::nullopt;
  return index_.prefix(*slot);
}

bool PageTier::store(PrefixId prefix, const PageKey& key, std::uint32_t page) {
  settle();
  if (const auto held = slot_of_.find(prefix); held != slot_of_.end()) {
    order_.remove(held->second);
    order_.push_back(held->second);
    return true;
  }
  const std::uint32_t slot = free_buffers_.empty() ? kNone : slot_to_fill();
  if (slot == kNone) {
    ++counts_.dropped;
    return false;
  }
  const std::uint32_t buffer = free_buffers_.back();
  free_buffers_.pop_back();
  stage_.read_page(page, buffers_[buffer]);
  slots_[slot].buffer = buffer;
  index_.add(slot, prefix, key);
  slot_of_.emplace(prefix, slot);
  order_.push_back(slot);
  counts_.slots_in_use = order_.size();
  {
    const std::lock_guard lock(mutex_);
    queue_.emplace_back(slot, buffer);
  }
  wake_writer_.notify_one();
  return true;
}

// A free one, or that of the page not wanted for longest; never one that is being written.
std::uint32_t PageTier::slot_to_fill() {
  if (free_slots_.empty()) {
    std::uint32_t oldest = order_.front();
    while (oldest != kNone && slots_[oldest].buffer != kNone) oldest = order_.after(oldest);
    if (oldest == kNone) return kNone;
    forget(oldest);
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

std::optional<PrefixId> PageTier::restore(const PageKey& key, std::uint32_t page) {
  settle();
  const auto slot = index_.find(key);
  if (!slot) return std::nullopt;
  if (const std::uint32_t buffer = slots_[*slot].buffer; buffer != kNone) {
    stage_.write_page(page, buffers_[buffer]);
  } else if (read(*slot)) {
    stage_.write_page(page, read_buffer_);
  } else {
    ++counts_.failed;
    forget(*slot);
    return std::nullopt;
  }
  order_.remove(*slot);
  order_.push_back(*slot);
  ++counts_.restored;
  return index_.prefix(*slot);
}

bool PageTier::read(std::uint32_t slot) {
  return file_->read(offset(slot), read_buffer_).has_value() &&
         checksum_of(read_buffer_) == slots_[slot].checksum;
}

void PageTier::forget(std::uint32_t slot) {
  slot_of_.erase(index_.prefix(slot));
  index_.remove(slot);
  order_.remove(slot);
  free_slots_.push_back(slot);
  counts_.slots_in_use = order_.size();
}

// Takes note of what the writing thread has done.
void PageTier::settle() {
  std::vector<Written> written;
  {
    const std::lock_guard lock(mutex_);
    written.swap(written_);
  }
  for (const Written& one : written) {
    free_buffers_.push_back(std::exchange(slots_[one.slot].buffer, kNone));
    slots_[one.slot].checksum = one.checksum;
    ++(one.well ? counts_.stored : counts_.failed);
    if (!one.well) forget(one.slot);
  }
}

bool PageTier::has_room() {
  settle();
  return !free_buffers_.empty();
}

bool PageTier::wait_for_room(std::chrono::milliseconds limit) {
  if (has_room()) return true;
  {
    std::unique_lock lock(mutex_);
    wrote_.wait_for(lock, limit, [&] { return !written_.empty(); });
  }
  return has_room();
}

void PageTier::flush() {
  for (settle(); free_buffers_.size() < buffers_.size(); settle()) {
    std::unique_lock lock(mutex_);
    wrote_.wait(lock, [&] { return !written_.empty(); });
  }
}

void PageTier::write_pages(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_writer_.wait(lock, stop, [&] { return !queue_.empty(); }), !stop.stop_requested()) {
    const auto [slot, buffer] = queue_.front();
    queue_.pop_front();
    lock.unlock();
    const std::span<const std::byte> bytes = buffers_[buffer];
    const std::uint64_t checksum = checksum_of(bytes);
    const bool well = file_->write(offset(slot), bytes).has_value();
    lock.lock();
    written_.push_back({slot, well, checksum});
    wrote_.notify_all();
  }
}

}  // namespace drystone
