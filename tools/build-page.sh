#!/bin/sh
# Builds the page: build-page.sh VENV. Uses the system's Node where it is new enough, else one from PyPI.
set -eu
venv=$(cd "$1" && pwd)
wanted=20.19 # What Vite needs.

new_enough() {
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

if command -v npm >/dev/null && new_enough; then
    echo "building the page with the system's Node $(node --version)"
else
    # In an environment of its own, so that installing it never waits for the other packages or disturbs them.
    node_venv=$venv/node
    if ! cmp -s requirements-page.txt "$node_venv/.installed"; then
        echo "installing Node from PyPI (wanted Node $wanted or newer, found: $(node --version 2>/dev/null || echo none))"
        "$venv/bin/python" -m venv --without-pip "$node_venv"
        "$venv/bin/python" -m pip --disable-pip-version-check --python "$node_venv/bin/python" \
            install --quiet --require-hashes --only-binary :all: -r requirements-page.txt
        cp requirements-page.txt "$node_venv/.installed"
    fi
    PATH=$node_venv/bin:$PATH
    export PATH
    echo "building the page with Node $(node --version) from PyPI"
fi

cd ui
if ! cmp -s package-lock.json node_modules/.installed-lock; then
    npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
    cp package-lock.json node_modules/.installed-lock
fi
npm run --silent build -- --logLevel warn
