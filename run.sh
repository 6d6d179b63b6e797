#!/usr/bin/env bash
# From a fresh clone to an answer: installs what is missing, builds, starts the server on this machine with the embedded
# demo model, asks it one question and shows the answer as it comes. Ctrl-C stops the server.
#   ./run.sh          keeps serving after the answer
#   ./run.sh --once   ends after the answer
set -euo pipefail
cd "$(dirname "$0")"

once=false
case ${1:-} in
  "") ;;
  --once) once=true ;;
  *)
    echo "usage: ./run.sh [--once]" >&2
    exit 2
    ;;
esac

question="What is Drystone?"
load_seconds_max=60
answer_seconds_max=120
log=build/serve.log
server=

die() {
  printf 'run: %s\n' "$1" >&2
  exit 1
}

stop_server() {
  if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
    kill "$server"
    wait "$server" 2>/dev/null || true
  fi
}
trap stop_server EXIT
trap 'exit 130' INT TERM

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints the text pieces of an event stream of /v1/chat/completions as they arrive.
show_stream() {
  local line piece
  local content='"content":"(([^"\\]|\\.)*)"'
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      data:*\"error\":*) printf '\n%s\n' "$line" >&2 ;;
    esac
    if [[ $line =~ $content ]]; then
      piece=${BASH_REMATCH[1]}
      piece=${piece//\\\"/\"}
      piece=${piece//\\\//\/}
      printf '%b' "$piece"
    fi
  done
  printf '\n'
}

scripts/setup.sh run

if [ ! -f build/release/build.ninja ]; then
  cmake --preset release -DBUILD_TESTING=OFF
fi
cmake --build --preset release --target drystone

port=8300
while ! port_is_free $port; do
  port=$((port + 1))
  [ $port -le 8399 ] || die "no free port between 8300 and 8399 on 127.0.0.1"
done
url=http://127.0.0.1:$port

build/release/drystone serve --listen "127.0.0.1:$port" >"$log" 2>&1 </dev/null &
server=$!
started=$SECONDS
until curl -sf -o /dev/null "$url/health"; do
  kill -0 "$server" 2>/dev/null || die "the server ended before it was ready; its log, $log, ends with:
$(tail -n 20 "$log")"
  [ $((SECONDS - started)) -lt $load_seconds_max ] || die "the server is not ready after $load_seconds_max s; see $log"
  sleep 0.1
done

printf '\n> %s\n' "$question"
curl -sSN --fail-with-body --max-time $answer_seconds_max "$url/v1/chat/completions" \
  -H 'Content-Type: application/json' \
  -d "{\"messages\": [{\"role\": \"user\", \"content\": \"$question\"}], \"max_tokens\": 200, \"temperature\": 0, \"stream\": true}" |
  show_stream || die "asking $url/v1/chat/completions failed; see $log"

if $once; then
  printf '\nDone; the server is stopped. ./run.sh keeps it running.\n'
  exit 0
fi
cat <<TEXT

Drystone serves at $url (OpenAI API: $url/v1), on this machine only. Log: $log
Ask it from another terminal:
  curl $url/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{"messages": [{"role": "user", "content": "Tell me a story."}]}'
Ctrl-C stops it.
TEXT
wait "$server"
