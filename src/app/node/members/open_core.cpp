#include "app/node/members/open_core.h"

#include <fmt/format.h>
#include <unistd.h>

#include <bit>

#include "app/node/members/node_name.h"
#include "net/secret.h"

namespace drystone {
namespace {

Error damaged(const StateFolder& folder, const Error& error) {
  return {error.code(),
          fmt::format("{}: {}. The file is left as it is. Put back a copy of it; or move it away "
                      "to begin anew as a node of its own, and join again with a new code",
                      folder.cluster_file().string(), error.message())};
}

}  // namespace

cluster::ClusterCore::Options core_options(const Clock& clock) {
  const auto wall =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch());
  return {.start = static_cast<std::uint64_t>(wall.count()),
          .seed = std::bit_cast<std::uint64_t>(random_bytes<8>())};
}

std::string host_name() {
  char name[cluster::kNameBytesMax + 1] = {};
  if (::gethostname(name, cluster::kNameBytesMax) != 0 || !cluster::check_name(name)) return "node";
  return name;
}

Result<OpenedCore> open_core(const StateFolder& folder, const std::string& name, const Clock& clock,
                             const std::function<void(const std::string&)>& say) {
  OpenedCore opened;
  const auto open_key = [&]() -> Result<void> {
    opened.key = std::make_unique<NodeKey>(TRY(folder.load_or_make_key()));
    opened.crypto = std::make_unique<NodeCrypto>(*opened.key);
    return {};
  };
  TRY(open_key());
  if (const auto saved = TRY(folder.load_cluster())) {
    auto core =
        cluster::ClusterCore::restore(*saved, *opened.crypto, core_options(clock), clock.wall());
    if (!core) return damaged(folder, core.error());
    if ((*core)->members().is_member((*core)->self())) {
      opened.core = *std::move(core);
      if (!name.empty()) TRY(rename_self(*opened.core, name, clock.wall()));
      return opened;
    }
    say("this node is no member of its cluster any more: it begins anew, with a new key, in a "
        "cluster of its own");
    TRY(folder.start_over());
    TRY(open_key());
  }
  opened.core = TRY(cluster::ClusterCore::found(name.empty() ? host_name() : name, *opened.crypto,
                                                core_options(clock), clock.wall()));
  TRY(folder.save_cluster(opened.core->saved()));
  return opened;
}

}  // namespace drystone
