#!/bin/sh
# Brings the programs that tests use as real clients, from Debian's packages. A test whose client is missing is skipped,
# so this never fails: it says what is missing.
set -u
# A package, and what shows that it is there: a command or a library. tests/receivers/clients.py reads these lines too.
CLIENTS='
bsdutils                  logger
collectd-core             collectd
curl                      curl
libcurl3-gnutls           libcurl-gnutls.so.4
libyajl2                  libyajl.so.2
logrotate                 logrotate
openssl                   openssl
prometheus                prometheus
prometheus-node-exporter  prometheus-node-exporter
rsyslog                   rsyslogd
systemd                   journalctl
systemd-journal-remote    systemd-journal-remote
'
# Not everybody's path has the folders of the system's programs.
PATH="$PATH:/usr/sbin:/sbin:/usr/lib/systemd:/lib/systemd"

is_there() {
    case "$1" in
        *.so.*) ldconfig -p 2>/dev/null | grep -q -F "$1" ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

missing() {
    echo "$CLIENTS" | while read -r package sign; do
        if [ -n "$package" ] && ! is_there "$sign"; then printf '%s ' "$package"; fi
    done
}

# Debian starts a service when its package is installed, and at every boot from then on: tests start their own.
POLICY=/usr/sbin/policy-rc.d
forbid_services() {
    [ -e "$POLICY" ] && return
    printf '#!/bin/sh\nexit 101\n' >"$POLICY" && chmod 755 "$POLICY" && trap 'rm -f "$POLICY"' EXIT INT TERM
}
disable_services() {
    command -v systemctl >/dev/null || return
    for package in "$@"; do
        for unit in $(dpkg-query --listfiles "$package" 2>/dev/null | grep -E '/systemd/system/[^/]+\.(service|socket|timer)$'); do
            systemctl disable --quiet "${unit##*/}" >/dev/null 2>&1
        done
    done
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing clients for the tests from the distribution's packages: $wanted"
    export DEBIAN_FRONTEND=noninteractive
    forbid_services
    # Without a network this ends soon; somebody else's apt is waited for.
    install() {
        apt-get install --yes --quiet --no-install-recommends -o Acquire::Retries=1 -o Acquire::http::Timeout=20 \
            -o DPkg::Lock::Timeout=120 "$@" >/dev/null 2>&1
    }
    # shellcheck disable=SC2086 # a list of packages
    if ! install $wanted && ! { apt-get update --quiet -o Acquire::http::Timeout=20 >/dev/null 2>&1 && install $wanted; }; then
        # One package that this distribution does not have must not keep the others away.
        for package in $wanted; do install "$package"; done
    fi
    # A package of the system itself keeps its services.
    for package in $wanted; do
        if [ "$package" != systemd ]; then disable_services "$package"; fi
    done
fi
still=$(missing)
[ -z "$still" ] ||
    echo "tests with these clients will be skipped; install them with (as root): apt-get install --no-install-recommends $still" >&2
exit 0
