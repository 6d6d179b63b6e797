#include "cluster/plan/ledger.h"

#include <fmt/format.h>

namespace drystone {
namespace {

std::string list_of(const std::map<std::string, Ledger::Entry>& entries,
                    const std::string& without) {
  constexpr std::size_t kListed = 8;
  std::string list;
  std::size_t count = 0;
  for (const auto& [instance, entry] : entries) {
    if (instance == without || ++count > kListed) continue;
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", instance, format_bytes(entry.bytes));
  }
  if (count > kListed) list += fmt::format(" and {} more", count - kListed);
  return list.empty() ? list : fmt::format(" ({})", list);
}

}  // namespace

Ledger::Ledger(std::string node, Bytes capacity) : node_(std::move(node)), capacity_(capacity) {}

Result<void> Ledger::reserve(const std::string& instance, const Epoch& epoch, Bytes bytes) {
  const auto own = entries_.find(instance);
  if (own != entries_.end() && own->second.epoch > epoch)
    return Error(Errc::unavailable,
                 fmt::format("{}: epoch {} has its memory on {}; epoch {} is over", instance,
                             own->second.epoch.number, node_, epoch.number));
  const Bytes others = reserved() - (own == entries_.end() ? 0 : own->second.bytes);
  const Bytes left = capacity_ > others ? capacity_ - others : 0;
  if (bytes > left)
    return Error(Errc::out_of_memory,
                 fmt::format("cannot reserve memory for {} on {}: needs {}, free {} of {}{}. What "
                             "is loaded is unaffected",
                             instance, node_, format_bytes(bytes), format_bytes(left),
                             format_bytes(capacity_), list_of(entries_, instance)));
  entries_[instance] = {epoch, bytes};
  return {};
}

bool Ledger::keep(const std::string& instance, const Epoch& epoch, Bytes bytes) {
  const auto own = entries_.find(instance);
  if (own == entries_.end() || own->second.epoch > epoch || own->second.bytes < bytes) return false;
  own->second = {epoch, bytes};
  return true;
}

bool Ledger::release(const std::string& instance, const Epoch& epoch) {
  const auto own = entries_.find(instance);
  if (own == entries_.end() || own->second.epoch > epoch) return false;
  entries_.erase(own);
  return true;
}

Bytes Ledger::reserved() const {
  Bytes sum = 0;
  for (const auto& [instance, entry] : entries_) sum += entry.bytes;
  return sum;
}

Bytes Ledger::free() const {
  const Bytes taken = reserved();
  return capacity_ > taken ? capacity_ - taken : 0;
}

}  // namespace drystone
