#pragma once

#include <filesystem>
#include <optional>

#include "app/node/measure/measured.h"

namespace drystone {

// What a node knows of its own speed, here and in its file: what all that it measured says together
// (combined()). One thread.
class OwnMeasured {
 public:
  // Reads STATE/measured.json; `anew`: throws it away instead.
  OwnMeasured(std::filesystem::path file, MeasuredKey key, bool anew);

  const std::optional<Measured>& known() const { return known_; }  // nullopt: nothing yet
  // Takes and keeps what `found` changes. False: nothing. A disk that refuses costs the next start
  // the same again.
  bool take(const Measured& found);

 private:
  const std::filesystem::path file_;
  const MeasuredKey key_;
  std::optional<Measured> known_;
};

}  // namespace drystone
