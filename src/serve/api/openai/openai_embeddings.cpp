#include "serve/api/openai/openai_embeddings.h"

#include <fmt/format.h>

#include "serve/api/answer/generation.h"
#include "serve/api/openai/openai_options.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

void read_input(RequestFields& fields, const std::string& name, const json::value& input,
                EmbeddingRequest& request) {
  if (input.is_array()) {
    request.inputs.emplace_back(read_token_ids(fields, name, input.get_array()));
  } else if (!input.is_string()) {
    fields.wrong_kind(name, "a string or an array of token ids", input);
  } else if (input.get_string().empty()) {
    fields.fail(name, fmt::format("'{}' is an empty string.", name), "invalid_value");
  } else {
    request.inputs.emplace_back(std::string(input.get_string()));
  }
}

void read_inputs(RequestFields& fields, EmbeddingRequest& request) {
  const json::value* input = fields.find("input");
  if (input == nullptr) return fields.fail("input", "'input' is missing.");
  const json::array* entries = input->if_array();
  if (entries == nullptr) return read_input(fields, "input", *input, request);
  if (entries->empty()) return fields.fail("input", "'input' is an empty array.", "invalid_value");
  if ((*entries)[0].is_number()) return read_input(fields, "input", *input, request);
  if (entries->size() > kVectorTextsMax)
    return fields.fail("input", fmt::format("'input' has {} texts; at most {} are accepted.",
                                            entries->size(), kVectorTextsMax));
  for (std::size_t i = 0; i < entries->size() && fields.ok(); ++i)
    read_input(fields, fmt::format("input[{}]", i), (*entries)[i], request);
}

void read_form(RequestFields& fields, EmbeddingRequest& request) {
  std::string form, pooling;
  fields.string("encoding_format", form);
  if (!form.empty() && form != "float" && form != "base64")
    fields.fail("encoding_format", "'encoding_format' must be 'float' or 'base64'.",
                "invalid_value");
  request.base64 = form == "base64";
  if (const auto dimensions = fields.integer("dimensions", 1, kTokensMax))
    request.dimensions = static_cast<std::uint32_t>(*dimensions);
  fields.string("pooling", pooling);
  if (pooling == "mean")
    request.pooling = Pooling::mean;
  else if (pooling == "last")
    request.pooling = Pooling::last;
  else if (!pooling.empty())
    fields.fail("pooling", "'pooling' must be 'mean' or 'last'.", "invalid_value");
  fields.boolean("normalize", request.normalize);
}

std::string write_embeddings(const EmbeddingRequest& request, const std::string& model,
                             std::uint32_t dimensions, const std::vector<GenerateResult>& results) {
  std::string data;
  std::uint64_t tokens = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    tokens += results[i].prompt_tokens;
    const auto& hidden = results[i].hidden;
    const std::vector<float> values =
        request.normalize ? unit_vector(hidden, dimensions)
                          : std::vector<float>(hidden.begin(), hidden.begin() + dimensions);
    data +=
        fmt::format(R"({}{{"object":"embedding","index":{},"embedding":)", i == 0 ? "" : ",", i);
    if (request.base64)
      data += '"' + base64(values) + '"';
    else
      append_json(data, values);
    data += '}';
  }
  return fmt::format(
      R"({{"object":"list","data":[{}],"model":{},"usage":{{"prompt_tokens":{},"total_tokens":{}}}}})",
      data, json::serialize(json::value(model)), tokens, tokens);
}

std::optional<ApiError> check_dimensions(const EmbeddingRequest& request,
                                         const ServedModel& model) {
  if (request.dimensions > model.width())
    return invalid_request("dimensions",
                           fmt::format("'dimensions' is {}; the vectors of this model have {}.",
                                       request.dimensions, model.width()),
                           "invalid_value");
  if (request.inputs.size() * model.width() > kVectorValuesMax)
    return invalid_request(
        "input",
        fmt::format("'input' has {} texts; with the {} values of this model's vectors at "
                    "most {} are accepted. Send fewer at once.",
                    request.inputs.size(), model.width(), kVectorValuesMax / model.width()));
  return std::nullopt;
}

}  // namespace

ApiResult<EmbeddingRequest> parse_embedding_request(std::string_view body) {
  const ApiResult<json::object> object = parse_object(body);
  if (!object) return object.error();
  RequestFields fields(*object);
  EmbeddingRequest request;
  fields.string("model", request.model);
  read_inputs(fields, request);
  read_form(fields, request);
  request.priority = default_priority(request.inputs.size());
  read_queue_options(fields, request.priority, request.cache_salt);
  fields.refuse("truncate_prompt_tokens", "cut the text, or send it to /api/embed");
  fields.accept({"user"});
  if (fields.error()) return *fields.error();
  request.ignored = fields.unknown();
  return request;
}

ApiResult<VectorRequest> embedding_request(std::string_view body, const ModelHost& host) {
  auto parsed = parse_embedding_request(body);
  if (!parsed) return parsed.error();
  EmbeddingRequest& request = *parsed;
  const auto held = host.find(request.model);
  if (!held) return held.error();
  const ServedModel& model = held->model();
  const auto pooling = choose_pooling(request.pooling, model);
  if (!pooling) return pooling.error();
  if (const auto error = check_dimensions(request, model)) return *error;
  const VectorOptions options{
      .pooling = *pooling, .priority = request.priority, .cache_salt = request.cache_salt};
  VectorRequest out{.held = *held, .id = random_id("embd-"), .ignored = request.ignored};
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    const auto* text = std::get_if<std::string>(&request.inputs[i]);
    auto ids = text != nullptr ? model.text_prompt(*text)
                               : std::get<std::vector<TokenId>>(std::move(request.inputs[i]));
    auto job = to_vector_job(std::move(ids),
                             request.inputs.size() == 1 ? "input" : fmt::format("input[{}]", i),
                             options, model);
    if (!job) return job.error();
    out.jobs.push_back(*std::move(job));
  }
  request.inputs.clear();
  out.write = [request = std::move(request), name = held->name(),
               width = model.width()](const std::vector<GenerateResult>& results) {
    return write_embeddings(request, name, request.dimensions == 0 ? width : request.dimensions,
                            results);
  };
  return out;
}

}  // namespace drystone
