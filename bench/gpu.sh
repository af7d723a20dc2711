#!/usr/bin/env bash
# Everything that wants a GPU, in one command of less than 8 minutes; writes bench/gpu.json. Commit what it wrote.
set -euo pipefail
cd "$(dirname "$0")/.."
exec timeout 480 python -m bench.gpu -o bench/gpu.json "$@"
