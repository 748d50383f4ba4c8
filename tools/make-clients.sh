#!/bin/sh
# Makes the environments of OpenTelemetry's clients that tests run: make-clients.sh VENV. They are VENV/clients, with the
# distribution of OpenTelemetry, and VENV/clients-splunk, with Splunk's: both want versions of OpenTelemetry's packages that
# are not those of the demo, and each would start with the other's settings. What is there already is not made again.
set -eu
venv=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."

# Two workers of one test run must not make them at the same time.
exec 9>"$venv/clients.lock"
if command -v flock >/dev/null; then flock 9; fi
for name in clients clients-splunk; do
    clients=$venv/$name
    cmp -s "requirements-$name.txt" "$clients/.installed" && continue
    echo "installing requirements-$name.txt"
    rm -rf "$clients"
    "$venv/bin/python" -m venv --without-pip "$clients"
    "$venv/bin/python" -m pip --disable-pip-version-check --python "$clients/bin/python" \
        install --quiet --require-hashes --only-binary :all: -r "requirements-$name.txt"
    cp "requirements-$name.txt" "$clients/.installed"
done
