#!/usr/bin/env bash
# Installs the system packages that are missing, when it may; otherwise prints the one line to type and fails.
# Usage: system_packages.sh PYTHON [run|test]
set -euo pipefail
python=$1
purpose=${2:-run}

missing=()
command -v g++ >/dev/null || missing+=(g++)
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
"$python" -c 'import os, sysconfig; open(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null \
    || missing+=(python3-dev)
if [ "$purpose" = test ] && ! echo '#include <doctest/doctest.h>' | g++ -E -x c++ - >/dev/null 2>&1; then
    missing+=(doctest-dev)
fi
[ ${#missing[@]} -gt 0 ] || exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    echo "These packages are missing; install what your system calls them: ${missing[*]}" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    sudo=()
elif sudo -n true 2>/dev/null; then
    sudo=(sudo -n)
else
    printf 'System packages are missing. Type this line, then repeat:\n\n    sudo %s\n\n' "$install" >&2
    exit 1
fi
echo "installing system packages: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" $install; } >"$log" 2>&1; then
    cat "$log" >&2
    printf 'That failed; to try it yourself:\n\n    sudo %s\n\n' "$install" >&2
    exit 1
fi
