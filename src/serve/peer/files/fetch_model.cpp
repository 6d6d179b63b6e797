#include "serve/peer/files/fetch_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/pause.h"
#include "model/gguf/gguf.h"
#include "serve/peer/files/model_identity.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

// Written bytes are made to stay after so many: a fault then costs no more than these.
constexpr Bytes kCommitBytes = 64 * kMiB;
// A holder that gives something and fails is asked again, so often in all; one that is busy, until
// it is not.
constexpr int kRounds = 3;

// Whether another holder may help.
bool is_of_holder(const Error& error) {
  return error.code() != Errc::cancelled && error.code() != Errc::out_of_memory;
}

class Complaints {
 public:
  void add(const std::string& node, const Error& error) {
    constexpr std::size_t kTextMax = 1000;  // of many nodes, the first ones tell
    if (text_.size() < kTextMax)
      text_ += fmt::format("{}{}: {}", text_.empty() ? "" : "; ", node, error.message());
    if (error.code() != Errc::corrupt) all_corrupt_ = false;
  }
  Error error(const std::string& model) const {
    if (text_.empty())
      return {Errc::unavailable, fmt::format("no node is known that has the file of {}", model)};
    return {all_corrupt_ ? Errc::corrupt : Errc::unavailable,
            fmt::format("no node could give the file of {} ({})", model, text_)};
  }

 private:
  std::string text_;
  bool all_corrupt_ = true;
};

// A disk's error, which no other holder mends, apart from those of the connection.
struct Pull {
  Result<void> connection, disk;
};

Pull pull(FileSession& session, SparseCopy& copy, std::span<const FileRange> ranges,
          const std::function<void(Bytes)>& came, const std::atomic<bool>& stop) {
  Pull pull;
  Bytes uncommitted = 0;
  pull.connection = session.read(
      ranges,
      [&](const FileRange& piece, std::span<const std::byte> bytes) {
        pull.disk = copy.write(piece, bytes);
        uncommitted += bytes.size();
        if (pull.disk && uncommitted >= kCommitBytes) {
          pull.disk = copy.commit();
          uncommitted = 0;
        }
        if (pull.disk && came) came(bytes.size());
        return pull.disk;
      },
      stop);
  // What came before a fault of the connection stays.
  if (pull.disk) pull.disk = copy.commit();
  return pull;
}

Result<void> wait_for_room(const ModelHolders& holders, const std::atomic<bool>& stop) {
  pause_for(holders.busy_pause, stop);
  if (stop) return Error(Errc::cancelled, "fetching was stopped");
  return {};
}

std::vector<FileRange> headers_of(const SparseCopy& copy) {
  std::vector<FileRange> headers;
  for (std::size_t i = 0; i < copy.files().size(); ++i)
    headers.push_back({.file = i, .bytes = {0, copy.files()[i].header_bytes}});
  return headers;
}

// A copy in `folder` with what the identity is made of, from one node. Nothing of it counts as
// there before all of it is, and is right.
Result<SparseCopy> copy_headers(const ModelHolders& holders, const std::string& node,
                                const fs::path& folder, Result<void>& disk,
                                const std::atomic<bool>& stop) {
  const auto session = TRY(FileSession::open(holders.dialer, node, holders.identity, stop));
  auto copy = SparseCopy::create(folder, holders.identity, session->files());
  if (!copy) {
    if (copy.is(Errc::io)) disk = copy.error();
    return copy;
  }
  const auto bring = [&](std::span<const FileRange> ranges) -> Result<void> {
    disk = copy->reserve(ranges);
    TRY(disk);
    return session->read(
        ranges,
        [&](const FileRange& piece, std::span<const std::byte> bytes) {
          return disk = copy->write(piece, bytes);
        },
        stop);
  };
  TRY(bring(headers_of(*copy)));
  const GgufFile file = TRY(GgufFile::open(copy->path(0)));
  TRY(bring(identity_samples(file)));
  const ModelIdentity is = TRY(identify(file));
  if (is.identity != holders.identity || is.files != copy->files())
    return Error(Errc::corrupt,
                 fmt::format("it gave another model than the one that was placed "
                             "({} instead of {})",
                             is.identity.substr(0, 12), holders.identity.substr(0, 12)));
  disk = copy->commit();
  TRY(disk);
  return copy;
}

}  // namespace

Result<SparseCopy> fetch_headers(const ModelHolders& holders, const fs::path& folder,
                                 const std::atomic<bool>& stop) {
  auto present = TRY(SparseCopy::open(folder));
  if (present && present->identity() == holders.identity &&
      present->missing(headers_of(*present)).empty())
    return std::move(*present);
  present.reset();
  Complaints complaints;
  std::vector<std::string> nodes = holders.nodes, busy;
  while (!nodes.empty()) {
    for (const std::string& node : nodes) {
      Result<void> disk;
      auto copy = copy_headers(holders, node, folder, disk, stop);
      if (copy) return copy;
      std::error_code ignored;
      fs::remove_all(folder, ignored);
      if (!disk) return disk.error();
      if (!is_of_holder(copy.error())) return copy;
      if (copy.is(Errc::busy))
        busy.push_back(node);
      else
        complaints.add(node, copy.error());
    }
    nodes = std::exchange(busy, {});
    if (!nodes.empty()) TRY(wait_for_room(holders, stop));
  }
  return complaints.error(holders.model);
}

Result<void> fetch_ranges(const ModelHolders& holders, SparseCopy& copy,
                          std::span<const FileRange> ranges,
                          const std::function<void(double)>& progress,
                          const std::atomic<bool>& stop) {
  std::vector<FileRange> missing = copy.missing(ranges);
  if (missing.empty()) return {};
  TRY(copy.reserve(missing));
  struct Release {  // what has not come in the end takes no room
    SparseCopy& copy;
    const std::vector<FileRange>& missing;
    ~Release() { copy.release(missing); }
  } release{copy, missing};
  double total = 0, done = 0;
  for (const FileRange& range : missing) total += static_cast<double>(range.bytes.size());
  const auto came = [&](Bytes bytes) {
    done += static_cast<double>(bytes);
    if (progress) progress(std::min(1.0, done / total));
  };
  Complaints complaints;
  std::vector<std::string> nodes = holders.nodes, busy;
  for (int round = 0; round < kRounds;) {
    for (const std::string& node : nodes) {
      auto session = FileSession::open(holders.dialer, node, holders.identity, stop);
      if (session && (*session)->files() != copy.files())
        session = Error(Errc::corrupt, "its files have other names or sizes");
      if (!session) {
        if (!is_of_holder(session.error())) return std::move(session).error();
        if (session.is(Errc::busy))
          busy.push_back(node);
        else if (round == 0)
          complaints.add(node, session.error());
        continue;
      }
      const Pull pulled = pull(**session, copy, missing, came, stop);
      TRY(pulled.disk);
      missing = copy.missing(ranges);
      if (missing.empty()) return {};
      if (!pulled.connection) {
        if (!is_of_holder(pulled.connection.error())) return pulled.connection;
        if (pulled.connection.is(Errc::busy))
          busy.push_back(node);
        else
          complaints.add(node, pulled.connection.error());
      }
    }
    nodes = std::exchange(busy, {});
    if (nodes.empty()) {
      ++round;
      nodes = holders.nodes;
    } else {
      TRY(wait_for_room(holders, stop));
    }
  }
  return complaints.error(holders.model);
}

}  // namespace drystone
