#!/usr/bin/env bash
# Runs CLIENT_test.mjs. Exit code 77: skipped, and why.
#   run.sh CLIENT PROGRAM MODEL SCRIPTED_SERVER
set -euo pipefail
cd "$(dirname "$0")"

skip() { echo "skipped: $1" && exit 77; }
command -v node >/dev/null && command -v npm >/dev/null || skip "node and npm are not installed"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || skip "the client libraries need Node 18 or newer"
[ -f "$3" ] || skip "the demo model $3 is not here"

# Once per version of the lock file.
if ! cmp -s package-lock.json node_modules/.installed-lock; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || { echo "npm ci could not install the client libraries, without which the API is not proved" >&2; exit 1; }
  cp package-lock.json node_modules/.installed-lock
fi
exec node "$1_test.mjs" "$2" pebble "$4"
