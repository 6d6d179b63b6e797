#include "app/node/measure/own_measured.h"

#include <system_error>
#include <utility>

namespace drystone {

OwnMeasured::OwnMeasured(std::filesystem::path file, MeasuredKey key, bool anew)
    : file_(std::move(file)), key_(std::move(key)) {
  std::error_code error;
  if (anew)
    std::filesystem::remove(file_, error);  // else it stays until the new ones take its place
  else
    known_ = read_measured(file_, key_);
}

bool OwnMeasured::take(const Measured& found) {
  const Measured all = known_ ? combined(*known_, found) : found;
  if (known_ == all) return false;
  known_ = all;
  static_cast<void>(keep_measured(file_, key_, all));
  return true;
}

}  // namespace drystone
