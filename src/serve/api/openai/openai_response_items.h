#pragma once

#include <string>
#include <vector>

#include "serve/api/answer/conversation_builder.h"
#include "serve/http/request_fields.h"

namespace drystone {

// The `input` of a response, a text or items, as messages. Mistakes go to `fields`; names of what
// is left out, items of OpenAI's own tools among it, to `ignored`.
void read_response_input(RequestFields& fields, ConversationBuilder& out,
                         std::vector<std::string>& ignored);

}  // namespace drystone
