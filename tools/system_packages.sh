#!/usr/bin/env bash
# Installs the system packages that are missing, when it may; otherwise prints the one line to type and fails.
# Usage: system_packages.sh PYTHON [run|test|app|screenshots|hosts]
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
# What Qt opens at run time: without a screen (test), and with one (app).
libraries=()
if [ "$purpose" != run ] && [ "$purpose" != hosts ]; then
    libraries+=(libgl1:libGL.so.1 libegl1:libEGL.so.1 libglib2.0-0:libglib-2.0.so.0 libx11-6:libX11.so.6
        libdbus-1-3:libdbus-1.so.3 libfontconfig1:libfontconfig.so.1 libfreetype6:libfreetype.so.6
        libxkbcommon0:libxkbcommon.so.0)
fi
if [ "$purpose" = app ] || [ "$purpose" = screenshots ]; then
    libraries+=(libx11-xcb1:libX11-xcb.so.1 libxcb-cursor0:libxcb-cursor.so.0 libxcb-icccm4:libxcb-icccm.so.4
        libxcb-image0:libxcb-image.so.0 libxcb-keysyms1:libxcb-keysyms.so.1 libxcb-randr0:libxcb-randr.so.0
        libxcb-render-util0:libxcb-render-util.so.0 libxcb-render0:libxcb-render.so.0
        libxcb-shape0:libxcb-shape.so.0 libxcb-shm0:libxcb-shm.so.0 libxcb-sync1:libxcb-sync.so.1
        libxcb-xfixes0:libxcb-xfixes.so.0 libxcb-xkb1:libxcb-xkb.so.1
        libxkbcommon-x11-0:libxkbcommon-x11.so.0)
fi
if [ "$purpose" = screenshots ]; then
    command -v Xvfb >/dev/null || missing+=(xvfb)
    command -v xauth >/dev/null || missing+=(xauth)
fi
# Several hosts on one machine: links of chosen speed, and an sshd for each.
if [ "$purpose" = hosts ]; then
    command -v ip >/dev/null || missing+=(iproute2)
    [ -x /usr/sbin/sshd ] || missing+=(openssh-server)
    command -v ssh-copy-id >/dev/null || missing+=(openssh-client)
fi
for entry in "${libraries[@]}"; do
    "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "${entry#*:}" 2>/dev/null || missing+=("${entry%%:*}")
done
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
quiet=/usr/sbin/policy-rc.d
trap 'rm -f "$log"; [ -z "${held:-}" ] || "${sudo[@]}" rm -f "$quiet"' EXIT
# The tests start an sshd of their own; that of the system shall not open this machine to the network.
if [ "$purpose" = hosts ] && [ ! -e "$quiet" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$quiet" >/dev/null && "${sudo[@]}" chmod 755 "$quiet"
    held=1
fi
export DEBIAN_FRONTEND=noninteractive
if ! { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" $install; } >"$log" 2>&1; then
    cat "$log" >&2
    printf 'That failed; to try it yourself:\n\n    sudo %s\n\n' "$install" >&2
    exit 1
fi
