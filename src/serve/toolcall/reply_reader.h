#pragma once

#include <coroutine>
#include <optional>
#include <string>
#include <string_view>

#include "serve/toolcall/reply_part.h"

namespace drystone::reply {

// The text of a reply as it comes in, for one parser that reads it as if it were there already.
class ReplyReader {
 public:
  ReplyReader() = default;
  ReplyReader(const ReplyReader&) = delete;  // a parser waits here
  ReplyReader& operator=(const ReplyReader&) = delete;

  // For the writer: each lets a waiting parser run as far as it gets.
  void append(std::string_view text);
  void end(ReplyEnd end);

  // For the parser. What has come and was not consumed; valid until it waits or appends.
  std::string_view available() const { return std::string_view(buffer_).substr(at_); }
  bool ended() const { return ended_; }
  // The text was cut, and the parser has run into its end since watch(): what it was reading may
  // have been the beginning of something.
  bool cut_off() const { return cut_ && ran_out_; }
  void watch() { ran_out_ = false; }
  void consume(std::size_t bytes);

  // Waits until more than `bytes` are available, or the text has ended.
  auto more_than(std::size_t bytes) {
    struct Wait {
      ReplyReader& reader;
      std::size_t bytes;
      bool await_ready() const { return reader.ended_ || reader.available().size() > bytes; }
      void await_suspend(std::coroutine_handle<> parser) { reader.waiting_ = parser; }
      void await_resume() const {
        if (reader.available().size() <= bytes) reader.ran_out_ = true;
      }
    };
    return Wait{*this, bytes};
  }

  // From hold() on, the text is kept: rewind() goes back to there, release() gives it up. One hold
  // at a time.
  void hold();
  void rewind();
  void release();

 private:
  void run();

  std::string buffer_;
  std::size_t at_ = 0;
  std::optional<std::size_t> hold_;
  bool ended_ = false, cut_ = false, ran_out_ = false;
  std::coroutine_handle<> waiting_;
};

}  // namespace drystone::reply
