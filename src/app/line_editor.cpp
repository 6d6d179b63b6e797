#include "app/line_editor.h"

#include <histedit.h>
#include <sys/stat.h>

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/check.h"

namespace drystone {
namespace {

constexpr int kHistoryLinesMax = 1000;

}  // namespace

struct LineEditor::Impl {
  std::string prompt;
  std::filesystem::path history_file;
  EditLine* editor = nullptr;
  History* history = nullptr;
  HistEvent event = {};

  static char* show_prompt(EditLine* editor) {
    Impl* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return self->prompt.data();
  }
};

LineEditor::LineEditor(std::string prompt, std::filesystem::path history)
    : impl_(std::make_unique<Impl>()) {
  std::setlocale(LC_CTYPE, "");  // which bytes make a character
  impl_->prompt = std::move(prompt);
  impl_->history_file = std::move(history);
  impl_->editor = el_init("drystone", stdin, stdout, stderr);
  impl_->history = history_init();
  CHECK(impl_->editor != nullptr && impl_->history != nullptr);
  ::history(impl_->history, &impl_->event, H_SETSIZE, kHistoryLinesMax);
  ::history(impl_->history, &impl_->event, H_SETUNIQUE, 1);
  if (!impl_->history_file.empty())
    ::history(impl_->history, &impl_->event, H_LOAD, impl_->history_file.c_str());
  el_set(impl_->editor, EL_CLIENTDATA, impl_.get());
  el_set(impl_->editor, EL_PROMPT, &Impl::show_prompt);
  el_set(impl_->editor, EL_EDITOR, "emacs");
  el_set(impl_->editor, EL_SIGNAL, 1);
  el_set(impl_->editor, EL_HIST, ::history, impl_->history);
  el_set(impl_->editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

LineEditor::~LineEditor() {
  el_end(impl_->editor);
  history_end(impl_->history);
}

std::optional<std::string> LineEditor::read() {
  int length = 0;
  const char* line = el_gets(impl_->editor, &length);
  if (line == nullptr || length <= 0) return std::nullopt;
  std::string text(line, static_cast<std::size_t>(length));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return text;
  ::history(impl_->history, &impl_->event, H_ENTER, text.c_str());
  if (!impl_->history_file.empty()) {  // now, because Ctrl-C ends the program
    const mode_t old = umask(0077);
    ::history(impl_->history, &impl_->event, H_SAVE, impl_->history_file.c_str());
    umask(old);
  }
  return text;
}

std::filesystem::path history_path() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (state != nullptr && *state == '/')
    folder = state;
  else if (home != nullptr && *home == '/')
    folder = std::filesystem::path(home) / ".local/state";
  else
    return {};
  folder /= "drystone";
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  return failed ? std::filesystem::path() : folder / "history";
}

}  // namespace drystone
