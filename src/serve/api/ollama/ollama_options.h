#pragma once

#include <optional>

#include "serve/api/ollama/ollama_parse.h"
#include "serve/http/request_fields.h"

namespace drystone {

// What /api/chat and /api/generate share beside their texts: `stream`, `format`, `keep_alive` and
// `options`.
void read_common(RequestFields& fields, OllamaRequest& request, GenerationOptions& options);

// `think`: true, false, or how hard.
void read_think(RequestFields& fields, ChatRequest& chat);

// `keep_alive`: a number of seconds or a duration, negative for ever; absent: nothing.
std::optional<double> read_keep_alive_s(RequestFields& fields);

// How the server's machine computes is not the client's to choose.
void accept_machine_options(RequestFields& options);

}  // namespace drystone
