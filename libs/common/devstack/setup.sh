#!/bin/sh
# Makes .venv from a lock file with nothing but Python >= 3.11: `sh setup.sh requirements-stack.lock`.
# Wheels only, so no compiler; hashes checked; done again only when the lock file changes.
set -u
lock=$1
venv=${VENV:-.venv}

fail() {
    printf 'relance: %s\n  → %s\n' "$1" "$2" >&2
    exit 5
}

# The first Python for which the check in $1 holds. The system's own comes first: distributions build theirs with
# profile-guided optimisation, one built at home mostly is not and takes 1.4 times as long for the same work.
first_python() {
    check=$1
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else
        set -- /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11
    fi
    for name in "$@"; do
        if "$name" -c "import sys; assert sys.version_info >= (3, 11)$check" 2>/dev/null; then
            echo "$name"
            return
        fi
    done
}

make_venv() {
    python=$(first_python "; import ensurepip, venv")
    [ -n "$python" ] || python=$(first_python "")
    [ -n "$python" ] || fail "Python 3.11 or later was not found (${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1))." \
        "Install Python 3.11 or later, or name it: PYTHON=/path/to/python3 make setup"
    said=$("$python" -m venv "$venv" 2>&1) && return
    rm -rf "$venv"
    case $said in
        *"No space left"*) fail "The disk has no room left." "Free about 1 GB and run the command again." ;;
        *"ermission denied"*) fail "This folder cannot be written." "Clone into a folder of yours." ;;
    esac
    fail "This Python cannot make virtual environments." \
        "Install its venv module (Debian and Ubuntu: apt install python3-venv), or name another: PYTHON=/path/to/python3 make setup"
}

install() {
    "$venv/bin/python" -m pip "$@" >"$venv/setup.log" 2>&1 && return
    case $(cat "$venv/setup.log") in
        *"No space left"*) fail "The disk has no room left." "Free about 1 GB and run the command again." ;;
        *"HASHES"*) fail "A package differs from the one that $lock names." "Check the proxy or mirror in between; the log is $venv/setup.log." ;;
        *"NewConnectionError"* | *"Temporary failure"* | *"Max retries"* | *"timed out"* | *"ProxyError"* | *"Network is unreachable"*)
            fail "The packages could not be fetched: the network does not answer." "Connect to the network once and run the command again." ;;
        *"No matching distribution"* | *"not a supported wheel"*)
            fail "A package has no wheel for this Python or system." "Use CPython 3.11 to 3.13 on Linux or macOS; the log is $venv/setup.log." ;;
    esac
    fail "The packages could not be installed." "The log is $venv/setup.log."
}

[ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import pip' 2>/dev/null || { rm -rf "$venv"; make_venv; }
wanted=$("$venv/bin/python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$lock")
stamp=$venv/.installed-$(basename "$lock" .lock)
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0
echo "Installing the packages of $lock into $venv …" >&2
install install --quiet --disable-pip-version-check --no-input --no-deps --no-compile --only-binary :all: --require-hashes -r "$lock"
install install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation --no-compile -e .
# On all processors at once and before the five services start together, each of which would compile the same; files
# that packages carry for other versions of Python are left as they are.
"$venv/bin/python" -m compileall -qq -j 0 "$venv/lib" || :
echo "$wanted" >"$stamp"
