#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace drystone {

// $XDG_DATA_HOME/drystone/models, or ~/.local/share/drystone/models; empty if neither is set.
std::filesystem::path default_models_folder();

// Entries of model folders that are looked at, in all.
constexpr std::size_t kFolderEntriesMax = 10'000;

// Model files in the folders and those below them: NAME, NAME.gguf, or the first part of a split
// model NAME. In the order of the folders. What cannot be read is left out.
std::vector<std::filesystem::path> find_model_files(
    const std::vector<std::filesystem::path>& folders, const std::string& name);

// What a model in this file is called: without folder, `.gguf`, and the part of a split model.
std::string name_of_model(const std::filesystem::path& path);

}  // namespace drystone
