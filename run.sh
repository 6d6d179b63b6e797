#!/usr/bin/env bash
# From a fresh clone to a small cluster: installs what is missing, builds, starts three nodes on this machine, asks one of
# them a question of the embedded demo model, splits the model over all three, and asks again: the same answer. Ctrl-C stops
# the nodes.
#   ./run.sh          keeps serving after the answers
#   ./run.sh --once   ends after the answers
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

model=pebble
question="What is Drystone?"
start_seconds_max=30
load_seconds_max=60
answer_seconds_max=120
folder=build/three-nodes
drystone=build/release/drystone
nodes=()

die() {
  printf 'run: %s\n' "$1" >&2
  exit 1
}

stop_nodes() {
  local node
  for node in "${nodes[@]}"; do kill "$node" 2>/dev/null || true; done
  for node in "${nodes[@]}"; do wait "$node" 2>/dev/null || true; done
}
trap stop_nodes EXIT
trap 'exit 130' INT TERM

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

next_port=8300
free_port() {  # into $port
  while ! port_is_free $next_port; do
    next_port=$((next_port + 1))
    [ $next_port -le 8398 ] || die "no free port between 8300 and 8398 on 127.0.0.1"
  done
  port=$next_port
  next_port=$((next_port + 1))
}

# All of one machine: who comes later need not measure what the first one has measured.
share_figures() {  # share_figures N
  mkdir -p "$folder/$1" && cp "$folder/1/measured.json" "$folder/$1/" 2>/dev/null || true
}

# start_node N [OPTION...]: a node of its own state; its API's address goes into ${urls[N]}.
start_node() {
  local number=$1 port api started=$SECONDS log=$folder/$1.log
  shift
  free_port && api=$port && free_port
  urls[number]=http://127.0.0.1:$api
  "$drystone" up --state "$folder/$number" --name "node-$number" --api "127.0.0.1:$api" --peer-address 127.0.0.1 --peer-port "$port" "$@" \
    >"$log" 2>&1 </dev/null &
  nodes+=($!)
  until curl -sf -o /dev/null "${urls[number]}/health"; do
    kill -0 "${nodes[-1]}" 2>/dev/null || die "node $number ended early; its log, $log, ends with:
$(tail -n 20 "$log")"
    [ $((SECONDS - started)) -lt $start_seconds_max ] || die "node $number is not up after $start_seconds_max s; see $log"
    sleep 0.1
  done
}

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

# ask N: the question to node N; the answer is shown as it comes, and kept in $folder/answer.N.
ask() {
  printf '\n> %s\n' "$question"
  curl -sSN --fail-with-body --max-time $answer_seconds_max "${urls[$1]}/v1/chat/completions" \
    -H 'Content-Type: application/json' \
    -d "{\"model\": \"$model\", \"messages\": [{\"role\": \"user\", \"content\": \"$question\"}], \"max_tokens\": 200, \"temperature\": 0, \"stream\": true}" |
    show_stream | tee "$folder/answer.$1" || die "asking ${urls[$1]}/v1/chat/completions failed; see $folder/$1.log"
}

scripts/setup.sh run

if [ ! -f build/release/build.ninja ]; then
  cmake --preset release -DBUILD_TESTING=OFF
fi
cmake --build --preset release --target drystone

rm -rf "$folder" && mkdir -p "$folder"

printf '\nOne node, which holds the whole model:\n'
start_node 1
timeout $load_seconds_max "$drystone" --api "${urls[1]}" load $model || die "node 1 cannot load $model; see $folder/1.log"
ask 1

printf '\nTwo more join it by an invitation, and the model is split over the three:\n'
code=$("$drystone" --api "${urls[1]}" invite --uses 2 --json | sed -n 's,.*"code":"\([^"]*\)".*,\1,p')
share_figures 2 && share_figures 3
start_node 2 --join "$code"
start_node 3 --join "$code"
"$drystone" --api "${urls[1]}" unload $model
timeout $load_seconds_max "$drystone" --api "${urls[1]}" load $model --stages 3 ||
  die "the nodes cannot load $model together; see $folder/*.log"
"$drystone" --api "${urls[1]}" nodes
"$drystone" --api "${urls[1]}" ps
ask 3

cmp -s "$folder/answer.1" "$folder/answer.3" || die "the answers differ: $folder/answer.1 and $folder/answer.3"
printf '\nThe same answer, asked of node 3.\n'

if $once; then
  printf '\nDone; the nodes are stopped. ./run.sh keeps them running.\n'
  exit 0
fi
cat <<TEXT

Three nodes serve one model, on this machine only: ${urls[1]} ${urls[2]} ${urls[3]} (OpenAI API: /v1). Logs: $folder
Ask any of them from another terminal:
  curl ${urls[2]}/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{"messages": [{"role": "user", "content": "Tell me a story."}]}'
Ctrl-C stops them.
TEXT
wait
