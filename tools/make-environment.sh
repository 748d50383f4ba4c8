#!/bin/sh
# Makes the Python environment: make-environment.sh PYTHON FOLDER.
#
# Debian ships Python without `ensurepip`, the part of `venv` that brings pip. Then an installed pip is used, or the
# missing package is installed where that is allowed; otherwise this says what to install.
set -eu
python=$1
venv=$2

if [ -z "$python" ]; then
    echo "wanted Python 3.11, 3.12 or 3.13, found: $(python3 --version 2>/dev/null || echo none); name another with: make PYTHON=/path/to/python" >&2
    exit 1
fi

fill() {
    rm -rf "$venv"
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -m venv "$venv"
    elif "$python" -m pip --version >/dev/null 2>&1 && "$python" -c 'import venv' 2>/dev/null; then
        "$python" -m venv --without-pip "$venv"
        "$python" -m pip --python "$venv/bin/python" install --quiet pip
    else
        return 1
    fi
}

echo "making the environment $venv with $("$python" --version)"
fill && exit 0

package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing $package, which $python needs to make an environment"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get install --yes --quiet "$package" || { apt-get update --quiet && apt-get install --yes --quiet "$package"; }; } >/dev/null
    fill && exit 0
fi
echo "$python cannot make an environment; install the package $package (as root: apt-get install $package), then run make again" >&2
exit 1
