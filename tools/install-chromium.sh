#!/bin/sh
# Brings Chromium for the tests that drive the page, from Debian's packages. Without it those tests are skipped, so this
# never fails: it says what is missing.
set -u
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing chromium from the distribution's packages"
    export DEBIAN_FRONTEND=noninteractive
    install() { apt-get install --yes --quiet --no-install-recommends chromium fonts-dejavu-core >/dev/null 2>&1; }
    install || { apt-get update --quiet >/dev/null 2>&1 && install; }
fi
command -v chromium >/dev/null ||
    echo "chromium is missing, so the browser tests will be skipped; install it with (as root): apt-get install chromium" >&2
exit 0
