#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace drystone {

// Reads lines from the terminal, with editing keys and a history that outlives the program
// (libedit). One at a time.
class LineEditor {
 public:
  // `history` is where the lines stay, readable by the owner alone; empty: nowhere.
  LineEditor(std::string prompt, std::filesystem::path history);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Without its newline; nullopt at the end of input (Ctrl-D). Ctrl-C ends the program and restores
  // the terminal.
  std::optional<std::string> read();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// $XDG_STATE_HOME/drystone/history, else ~/.local/state/drystone/history; its folder is made.
// Empty when there is no home or the folder cannot be made.
std::filesystem::path history_path();

}  // namespace drystone
