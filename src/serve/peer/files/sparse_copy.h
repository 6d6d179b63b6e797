#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/socket_handle.h"
#include "serve/peer/files/file_session.h"
#include "store/presence.h"

namespace drystone {

// A model's files with holes, in a folder of their own: as large as the whole ones, of which only
// some ranges have been written, and a side file that says which (store/presence.h). A crash at any
// moment leaves no range called there that is not: bytes reach the disk before their line does.
// One thread at a time; one process per folder.
class SparseCopy {
 public:
  // What is in `folder`; nullopt: there is none, or it is of no use. Room that it has for bytes
  // that are not there is given back: its process was killed while it fetched them. Errors: io.
  static Result<std::optional<SparseCopy>> open(const std::filesystem::path& folder);
  // A new one, empty; what was in `folder` goes. Errors: io; nothing is left then.
  static Result<SparseCopy> create(const std::filesystem::path& folder, const std::string& identity,
                                   const ModelFiles& files);

  const std::string& identity() const { return presence_.identity; }
  const ModelFiles& files() const { return presence_.files; }
  std::filesystem::path path(std::size_t file) const { return folder_ / files()[file].name; }

  // What of these ranges is not there, by file, rising; small gaps between them are counted in.
  std::vector<FileRange> missing(std::span<const FileRange> ranges) const;

  // Takes room on the disk for the ranges, so that writing them does not fail for want of it.
  // Errors: io (the disk is full: says how much is needed and how much is free); nothing is held
  // then that was not before.
  Result<void> reserve(std::span<const FileRange> ranges);
  // Gives room back that these ranges have without being there; what was written since the last
  // commit() goes as well.
  void release(std::span<const FileRange> ranges);
  // Counts as there only after the next commit(). Errors: io.
  Result<void> write(const FileRange& range, std::span<const std::byte> bytes);
  // Brings what was written to the disk, and then says so. Errors: io.
  Result<void> commit();

 private:
  SparseCopy() = default;
  Result<void> open_files(bool make);

  std::filesystem::path folder_;
  Presence presence_;
  std::vector<SocketHandle> handles_;  // of the files
  SocketHandle side_;
  std::vector<RangeSet> written_;  // since the last commit, by file
};

}  // namespace drystone
