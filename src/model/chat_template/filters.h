#pragma once

#include <span>
#include <utility>

#include "model/chat_template/render.h"

namespace drystone::jinja {

using NamedFilter = std::pair<std::string_view, Filter>;

std::span<const NamedFilter> sequence_filters();  // of lists and dicts: filters_sequence.cpp
std::span<const NamedFilter> text_filters();      // of strings and numbers: filters.cpp

}  // namespace drystone::jinja
