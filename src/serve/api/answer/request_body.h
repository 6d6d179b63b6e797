#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/request_fields.h"

namespace drystone {

constexpr std::int64_t kTokensMax = 1 << 30;  // beyond any context

// A request's body as a JSON object, bounded in depth. Errors: 400, saying what is wrong at which
// byte.
ApiResult<boost::json::object> parse_object(std::string_view body);

// A stop string or an array of them under `name`.
void read_stop(RequestFields& fields, std::string_view name, std::vector<std::string>& out);

// `seed`: any integer of 64 bits, signed or not. -1 and 2^64-1 are the same one.
void read_seed(RequestFields& fields, std::optional<std::uint64_t>& out);

// How hard a model shall think, one of the words that OpenAI's and Anthropic's APIs know; "" when
// absent or wrong. `path`: that of `fields`.
std::string read_effort(RequestFields& fields, std::string_view path, std::string_view name);

// The refusal of a parameter that nobody here knows.
ApiError unknown_parameter(std::string_view name);

// Refuses what `inner`, an object of parameters, has beside what it was asked for: a misspelt name
// must not look as if it had been honoured. Call it last.
void refuse_unknown(RequestFields& inner);

// Puts a name into `ignored`, once, and only so many of them.
void note_ignored(std::string name, std::vector<std::string>& ignored);

// For parts of a conversation, in which clients hand back what other servers wrote: puts what
// `part` has beside what it was asked for into `ignored`, once each, as "SHOWN.NAME". `path`: that
// of `part`.
void note_unknown(const RequestFields& part, std::string_view path, std::string_view shown,
                  std::vector<std::string>& ignored);

}  // namespace drystone
