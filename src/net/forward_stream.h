#pragma once

#include <memory>
#include <utility>

#include "net/data_stream.h"

namespace drystone {

// A stream that hands everything on to another one: the base of those that add something to it.
class ForwardStream : public DataStream {
 public:
  explicit ForwardStream(std::shared_ptr<DataStream> inner) : inner_(std::move(inner)) {}
  Result<void> write(Parts parts, StreamWait wait) override { return inner_->write(parts, wait); }
  Result<void> read(std::span<std::byte> into, StreamWait wait) override {
    return inner_->read(into, wait);
  }
  Result<void> exchange(Parts parts, std::span<std::byte> into, StreamWait wait) override {
    return inner_->exchange(parts, into, wait);
  }
  void close() override { inner_->close(); }
  const StreamPeer& peer() const override { return inner_->peer(); }

 protected:
  DataStream& inner() const { return *inner_; }

 private:
  const std::shared_ptr<DataStream> inner_;
};

}  // namespace drystone
