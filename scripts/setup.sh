#!/usr/bin/env bash
# Installs what is missing to build Drystone, by package name; says nothing when all is there.
#   scripts/setup.sh run    what ./run.sh needs: compiler, build tools, libraries
#   scripts/setup.sh test   also what ./test.sh needs: test libraries, clang (fuzzing), the Arm cross compiler, node
#   scripts/setup.sh full   also what ./test.sh --full needs: clang-tidy
set -euo pipefail
cd "$(dirname "$0")/.."
level=${1:-run}

# TOOL=PACKAGE: needed if the command TOOL is not there. A name alone: needed if that package is not there.
debian_run="g++ cmake ninja=ninja-build ccache pkg-config curl
  libpcre2-dev libedit-dev libcli11-dev libfmt-dev libspdlog-dev libssl-dev libxxhash-dev"
debian_test="libgtest-dev libgmock-dev googletest libbenchmark-dev python3 node=nodejs npm git
  clang++-19=clang-19 libclang-rt-19-dev aarch64-linux-gnu-g++=g++-aarch64-linux-gnu qemu-aarch64=qemu-user"
debian_full="clang-tidy-19 clang-format-19"

homebrew_run="cmake ninja ccache pkg-config=pkgconf boost pcre2 cli11 fmt spdlog openssl@3 xxhash"
homebrew_test="googletest google-benchmark python3=python node"

# Boost: Debian lets one version's headers be installed at a time. If another one is, ours is unpacked for this clone
# alone (cmake/Drystone.cmake looks there), and what is installed stays untouched.
boost_packages="libboost1.81-dev libboost-json1.81-dev"
boost_unpacked="libboost1.81-dev libboost-json1.81-dev libboost-json1.81.0 libboost-container1.81-dev
  libboost-container1.81.0 libboost-system1.81-dev libboost-system1.81.0"
boost_folder=build/packages/boost
boost_least=108100  # as BOOST_VERSION counts: 1.81.0

die() {
  printf 'setup: %s\n' "$1" >&2
  exit 1
}

case $level in
  run) debian=$debian_run homebrew=$homebrew_run ;;
  test) debian="$debian_run $debian_test" homebrew="$homebrew_run $homebrew_test" ;;
  full) debian="$debian_run $debian_test $debian_full" homebrew="$homebrew_run $homebrew_test" ;;
  *) die "unknown level '$level': run, test or full" ;;
esac

# Packages of the given list that are missing; $1 is the command that tells whether a package is installed.
missing_of() {
  local installed=$1 entry
  shift
  for entry in "$@"; do
    case $entry in
      *=*) command -v "${entry%%=*}" >/dev/null || printf '%s ' "${entry#*=}" ;;
      g++ | cmake | ccache | curl | git | python3 | npm | pkg-config | clang-tidy-19 | clang-format-19)
        command -v "$entry" >/dev/null || printf '%s ' "$entry" ;;
      *) "$installed" "$entry" || printf '%s ' "$entry" ;;
    esac
  done
}

# ---- Debian -------------------------------------------------------------------------------------------------------

debian_has() { [ "$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | head -1)" = installed ]; }

boost_version() { sed -n 's/^#define BOOST_VERSION \([0-9]*\)$/\1/p' "$1/boost/version.hpp" 2>/dev/null || true; }

# Prints: ready, install or unpack.
boost_state() {
  local version
  if debian_has libboost-json1.81-dev || [ -e $boost_folder/complete ]; then
    echo ready
    return
  fi
  version=$(boost_version /usr/include)
  if [ -z "$version" ] || debian_has libboost1.81-dev; then
    echo install
  elif [ "$version" -ge $boost_least ] && ls /usr/lib/*/cmake/boost_json-*/ >/dev/null 2>&1; then
    echo ready  # A newer Boost with its JSON library: as good.
  else
    echo unpack
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root to install packages, and there is no sudo. As root: apt-get install -y $missing"
  fi
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 "$@" </dev/null; }

# shellcheck disable=SC2086  # a list
fetch_boost() {
  (cd "$1" && apt-get -q download $boost_unpacked 2>/dev/null && for package in *.deb; do dpkg -x "$package" .; done)
}

unpack_boost() {
  local folder=$boost_folder
  echo "setup: another Boost's headers are installed; unpacking 1.81 into $folder for this clone alone"
  rm -rf "$folder" && mkdir -p "$folder"
  fetch_boost "$folder" || { apt update && fetch_boost "$folder"; } ||
    die "could not fetch Boost 1.81 ($boost_unpacked): check the network and /etc/apt/sources.list"
  rm -f "$folder"/*.deb
  touch "$folder/complete"
}

set_up_debian() {
  local boost
  missing=$(missing_of debian_has $debian)
  boost=$(boost_state)
  [ "$boost" = install ] && missing+=$boost_packages
  if [ -n "$missing" ]; then
    echo "setup: installing $missing"
    if ! apt update; then echo "setup: apt-get update failed; trying with the package lists that are here" >&2; fi
    # --no-remove: never take away what someone else installed.
    # shellcheck disable=SC2086  # a list
    apt install -y --no-install-recommends --no-remove $missing ||
      die "apt-get could not install: $missing. Drystone is made for Debian 12; elsewhere install these by hand."
  fi
  if [ "$boost" = unpack ]; then unpack_boost; fi
}

# ---- macOS: written to Homebrew's documentation, not tested on a Mac ----------------------------------------------

homebrew_has() { brew list --versions "$1" >/dev/null 2>&1; }

set_up_macos() {
  command -v brew >/dev/null || die "needs Homebrew to install packages: see https://brew.sh"
  xcode-select -p >/dev/null 2>&1 || die "needs Apple's command line tools: run xcode-select --install"
  missing=$(missing_of homebrew_has $homebrew)
  if [ -n "$missing" ]; then
    echo "setup: installing $missing"
    # shellcheck disable=SC2086  # a list
    brew install $missing
  fi
}

if [ "$(uname -s)" = Darwin ]; then
  set_up_macos
elif command -v apt-get >/dev/null; then
  set_up_debian
else
  die "knows Debian's apt-get and Homebrew only. Install by hand: $debian $boost_packages"
fi
