#!/bin/sh
# Installs the Autobahn WebSocket test suite (PyPI, Python 2.7 only) into a cache outside the checkout
# and prints the path of its `wstest`. Does nothing when it is already there.
#
#   SLUICE_CACHE   where to keep it          (default: ~/.cache/sluice)
#   PYTHON27       the Python 2.7 to use     (default: python2.7, or the newest 2.7 of pyenv)
set -eu

VERSION=25.10.1
VIRTUALENV_VERSION=20.15.1 # the last series that still makes environments for Python 2.7
HOME_DIR="${SLUICE_CACHE:-$HOME/.cache/sluice}/autobahn-$VERSION"

if [ -x "$HOME_DIR/bin/wstest" ]; then
  echo "$HOME_DIR/bin/wstest"
  exit 0
fi

PYTHON="${PYTHON27:-}"
if [ -z "$PYTHON" ]; then
  for candidate in "$(command -v python2.7 || true)" "$HOME"/.pyenv/versions/2.7.*/bin/python2.7; do
    # A pyenv shim exists without working, so ask.
    if [ -n "$candidate" ] && "$candidate" -c '' 2>/dev/null; then PYTHON="$candidate"; fi
  done
fi
if [ -z "$PYTHON" ]; then
  echo "install-autobahn: no Python 2.7 found; install one (for example: pyenv install 2.7.18) or set PYTHON27" >&2
  exit 1
fi

mkdir -p "$(dirname "$HOME_DIR")"
work=$(mktemp -d "$HOME_DIR.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_PYTHON_VERSION_WARNING=1
"$PYTHON" -m pip install --quiet --target "$work/virtualenv" "virtualenv==$VIRTUALENV_VERSION" >&2
# Built where it will stay: an environment's scripts carry its path. The marker `bin/wstest` appears last.
rm -rf "$HOME_DIR"
PYTHONPATH="$work/virtualenv" "$PYTHON" -m virtualenv --quiet --no-download "$HOME_DIR" >&2
"$HOME_DIR/bin/python" -m pip install --quiet "autobahntestsuite==$VERSION" >&2
"$HOME_DIR/bin/wstest" --autobahnversion >/dev/null
echo "$HOME_DIR/bin/wstest"
