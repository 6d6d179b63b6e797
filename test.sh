#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test. The last line is `N passed, N failed`; fails if any failed.
#   ./test.sh          the tests of the release build; the parsers' tests and each fuzz target, with the address and
#                      undefined behaviour sanitizers; the Arm kernels under qemu
#   ./test.sh --full   also everything with the address, undefined and thread sanitizers, longer fuzzing, clang-tidy and
#                      each header compiled alone
set -uo pipefail
cd "$(dirname "$0")" || exit

full=false
case ${1:-} in
  "") ;;
  --full) full=true ;;
  *)
    echo "usage: ./test.sh [--full]" >&2
    exit 2
    ;;
esac
exec </dev/null

jobs=$(nproc 2>/dev/null || sysctl -n hw.ncpu)
fuzz_seconds=5
if $full; then fuzz_seconds=60; fi
reports=build/reports
rm -rf "$reports" && mkdir -p "$reports"

# configure_and_build PART PRESET TARGET [CMAKE OPTION...]: a failure counts as one failed test of that part.
configure_and_build() {
  local part=$1 preset=$2 target=$3
  shift 3
  printf '\n== %s: build (%s) ==\n' "$part" "$target"
  if cmake --preset "$preset" -DBUILD_TESTING=ON "$@" >"$reports/$part.configure" 2>&1; then
    cmake --build --preset "$preset" --target $target -- -k 0 && return
  else
    cat "$reports/$part.configure"
  fi
  python3 tests/report.py --broken "$part" "$reports/$part.xml"
  return 1
}

# run_tests PART PRESET [CTEST OPTION...]: the report goes to $reports/PART.xml, what failed to the screen.
run_tests() {
  local part=$1 preset=$2
  shift 2
  printf '\n== %s ==\n' "$part"
  # The thread sanitizer cannot live with the widest address randomization.
  local run=""
  if [ "$preset" = tsan ] && command -v setarch >/dev/null; then run="setarch $(uname -m) -R"; fi
  $run ctest --test-dir "build/$preset" -j "$jobs" --no-tests=error --output-junit "$PWD/$reports/$part.xml" "$@" \
    >"$reports/$part.log" 2>&1
  python3 tests/report.py "$part" "$reports/$part.xml"
}

scripts/setup.sh "$(if $full; then echo full; else echo test; fi)" || exit 1

configure_and_build release release all && run_tests release release

# One clang build with sanitizers serves the fuzz targets, the parsers' tests and, with --full, all other tests.
configure_and_build parsers fuzz "fuzzers parser_tests" &&
  DRYSTONE_FUZZ_SECONDS=$fuzz_seconds run_tests parsers fuzz -L "^(parser|fuzz)$"

if command -v aarch64-linux-gnu-g++ >/dev/null && command -v qemu-aarch64 >/dev/null; then
  configure_and_build neon neon all && run_tests neon neon
else
  printf '\n== neon: left out, there is no aarch64-linux-gnu-g++ and qemu-aarch64 here ==\n'
fi

if $full; then
  run_tests tidy release -C Full -L "^full$"
  configure_and_build asan fuzz all && run_tests asan fuzz -LE "^(parser|fuzz)$"
  configure_and_build tsan tsan all && run_tests tsan tsan
fi

echo
python3 tests/report.py --sum "$reports"/*.xml
