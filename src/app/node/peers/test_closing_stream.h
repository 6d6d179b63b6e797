#pragma once

#include "net/data_stream.h"

namespace drystone {

// For tests: a stream of a peer with that key that carries nothing; `closed` becomes true with it.
class TestClosingStream final : public DataStream {
 public:
  TestClosingStream(const PublicKey& key, bool& closed) : closed_(closed), peer_{.key = key} {}
  Result<void> write(Parts, StreamWait) override { return {}; }
  Result<void> read(std::span<std::byte>, StreamWait) override { return {}; }
  Result<void> exchange(Parts, std::span<std::byte>, StreamWait) override { return {}; }
  void close() override { closed_ = true; }
  const StreamPeer& peer() const override { return peer_; }

 private:
  bool& closed_;
  StreamPeer peer_;
};

}  // namespace drystone
