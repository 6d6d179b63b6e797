#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/load/open_model.h"
#include "app/read_file.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {
namespace {

struct TokenizeOptions {
  std::string model, text, file, separator;
  bool special = false;
};

void print_ids(const Tokenizer& tokenizer, std::string_view text, bool special) {
  const std::vector<TokenId> ids =
      tokenizer.encode(text, {.parse_special = special, .add_special = special});
  fmt::print("{}\n", fmt::join(ids, " "));
}

Result<void> tokenize(const TokenizeOptions& options) {
  const GgufFile model = TRY(open_model(options.model));
  auto tokenizer = Tokenizer::load(model.metadata());
  if (!tokenizer) return std::move(tokenizer).error().with(model.name());
  const std::string text = options.file.empty() ? options.text : TRY(read_file(options.file));
  if (options.separator.empty()) {
    print_ids(**tokenizer, text, options.special);
    return {};
  }
  const std::string line = options.separator + "\n", mark = "\n" + line;
  for (std::size_t at = 0; at == 0 || at < text.size();) {  // a separator at the end closes a text
    const std::string_view rest = std::string_view(text).substr(at);
    const bool empty = rest.starts_with(line);  // No line stands between two separators.
    const std::size_t bytes = empty ? 0 : std::min(rest.find(mark), rest.size());
    print_ids(**tokenizer, rest.substr(0, bytes), options.special);
    at += bytes + (empty ? line : mark).size();
  }
  return {};
}

}  // namespace

void add_tokenize(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command =
      app.add_subcommand("tokenize", "Print the token ids of texts, one line for each");
  command->add_option("MODEL", options->model, "GGUF file, or pebble")->required()->type_name("");
  auto* text = command->add_option("TEXT", options->text, "The text")->type_name("");
  auto* file = command->add_option("--file", options->file, "Read texts from here")
                   ->type_name("FILE")
                   ->excludes(text);
  command
      ->add_option("--separator", options->separator, "A line that stands between texts of --file")
      ->type_name("LINE")
      ->needs(file);
  command->add_flag("--special", options->special,
                    "Add BOS/EOS as the model wants; special tokens in the text count");
  command->footer("Example:\n  drystone tokenize pebble \"Once upon a time\"");
  command->callback([options, text, file, &exit_code] {
    if (text->count() + file->count() == 0) throw CLI::RequiredError("TEXT or --file");
    exit_code = finish("tokenize", tokenize(*options));
  });
}

}  // namespace drystone
