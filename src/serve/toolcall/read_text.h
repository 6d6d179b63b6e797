#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "serve/toolcall/parse.h"
#include "serve/toolcall/reply_reader.h"

// The steps that the parsers of all formats are made of. Where one says that it fails, it has
// consumed nothing, or the caller holds the text and rewinds.
namespace drystone::reply {

constexpr std::size_t kNameBytesMax = 256;        // names of tools, parameters, ids
constexpr std::size_t kHeldBytesMax = 64 * 1024;  // read before it is known to be a call

// The next character; nothing at the end of the text.
Parse<std::optional<char>> peek(ReplyReader& in);

// The next character after white space, which is consumed.
Parse<std::optional<char>> peek_solid(ReplyReader& in);

// Consumes `word` if it comes next; else nothing.
Parse<bool> literal(ReplyReader& in, std::string_view word);

// As literal(), also behind white space; consumes neither when it fails.
Parse<bool> spaced_literal(ReplyReader& in, std::string_view word);

// Gives the text up to the first of `marks` to `sink` as it comes, and consumes the mark. Which one
// it was; nothing: the text ended. No mark may begin another.
using TextSink = std::function<void(std::string_view)>;
Parse<std::optional<std::size_t>> text_until(ReplyReader& in,
                                             std::span<const std::string_view> marks,
                                             const TextSink& sink);

// Reads a name of 1 to kNameBytesMax bytes up to the first byte of `stops`, which stays. Fails
// (nothing) when a byte of `forbidden` or the end of the text comes first.
Parse<std::optional<std::string>> name_until(ReplyReader& in, std::string_view stops,
                                             std::string_view forbidden);

// Reads one JSON value of at most `bytes_max` bytes; fails where it is none, longer or cut off.
Parse<std::optional<std::string>> json_value(ReplyReader& in, std::size_t bytes_max);

// Gives a JSON value to `sink` as it comes. False: it was broken or cut off; what is not part of
// the value stays.
Parse<bool> stream_json(ReplyReader& in, const TextSink& sink);

}  // namespace drystone::reply
