#!/usr/bin/env bash
# One model split over two hosts of one core each, against one such host in the same run: network namespaces on this
# machine (root, iproute2, two processors). Prints tokens per second, ratios, and the planner's estimate beside each.
#
#   bench/cluster.sh [--rows "decode-shards prefill-512-shards ..."] [--cables "direct 10g 1g"] [--repeat 3]
#                    [--preset llama-1b] [--type q4_0] [--model FILE.gguf] [--quick] [--out FILE.csv]
#
# --cables      direct: what the kernel carries; 10g, 1g, or MBIT:DELAY_US: through link_proxy, as a cable would
# --quick       a tiny model and few tokens: whether it works, not how fast
# MODELS        folder for the models, made when missing (default: $TMPDIR/drystone-bench)
#
# With both of these also llama.cpp's RPC backend, half of the layers on each host:
# LLAMA_RPC_SERVER  a worker's command; {address} becomes HOST:PORT  ("llama-reference rpc-server {address} 1")
# LLAMA_BENCH       the llama-bench command                          ("llama-reference run llama-bench")
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/cluster/cluster.py" "$@"
