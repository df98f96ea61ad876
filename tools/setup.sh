# shellcheck shell=bash disable=SC2034
# What quickstart and check share: finding and installing what the build needs, building with
# progress. Sourced; needs bash, and root or sudo if something is to be installed.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc 2>/dev/null || echo 2)
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
    bold='' plain=''
fi

say() { printf '%s== %s%s\n' "$bold" "$*" "$plain"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# ---- packages ------------------------------------------------------------------------------------

# package | what it is for
build_packages='
gcc|the C compiler
libc6-dev|the C library
cmake|configures the build
ninja-build|runs it
flex|makes the lexer
bison|makes the parser
libjansson-dev|JSON: results, .safetensors headers
libxxhash-dev|hashes: cache keys, checksums
libcmocka-dev|unit tests
'
check_packages='
g++|public headers are tested from C++
clang|checks that need it
clang-format|the format check
clang-tidy|the lint
pkg-config|the test of the installed package
python3|reads JSON in the tests of the command
'
llvm_versions='19 20 21'

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "'$*' needs root: run this as root, or install sudo"
    fi
}

installed() { [[ $(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) == 'install ok installed' ]]; }

available() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

# Sets llvm to the newest tested version that is installed, else to one that can be.
choose_llvm() {
    local v
    for v in $llvm_versions; do
        if installed "llvm-$v-dev"; then llvm=$v; return; fi
    done
    for v in $llvm_versions; do
        if available "llvm-$v-dev"; then llvm=$v; return; fi
    done
    return 1
}

refresh_lists() {
    [ -n "${lists_fresh:-}" ] && return
    say "reading the distribution's package lists"
    as_root apt-get update -qq || die "apt-get update failed"
    lists_fresh=1
}

# install_packages LIST: says what is missing and why, and installs it from the distribution.
install_packages() {
    if ! command -v apt-get >/dev/null; then
        say "not a Debian or Ubuntu: expecting gcc, cmake, ninja, flex, bison 3.8, LLVM 19.1-21 and the" \
            "development files of jansson, xxhash and cmocka to be there"
        return
    fi
    choose_llvm || { refresh_lists; choose_llvm; } ||
        die "this distribution has none of LLVM $llvm_versions; Debian 12, 13 and Ubuntu 24.04 do"
    local missing=() line package
    while IFS= read -r line; do
        package=${line%%|*}
        [ -z "$package" ] || installed "$package" && continue
        [ ${#missing[@]} = 0 ] && say "installing what is missing from the distribution's packages"
        printf '   %-16s %s\n' "$package" "${line#*|}"
        missing+=("$package")
    done <<<"$1
llvm-$llvm-dev|the back end of the compiler"
    [ ${#missing[@]} = 0 ] && return
    refresh_lists
    local log
    log=$(mktemp)
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        "${missing[@]}" >"$log" 2>&1 || { tail -20 "$log"; die "installing ${missing[*]} failed"; }
    rm -f "$log"
}

# ---- building ------------------------------------------------------------------------------------

# configure FOLDER OPTION...
configure() {
    local folder=$1 log
    shift
    [ -n "${llvm:-}" ] && set -- "-DLLVM_DIR=/usr/lib/llvm-$llvm/lib/cmake/llvm" "$@"
    command -v ccache >/dev/null && set -- -DCMAKE_C_COMPILER_LAUNCHER=ccache "$@"
    mkdir -p "$root/$folder"
    log=$root/$folder/configure.log
    cmake -G Ninja -S "$root" -B "$root/$folder" "$@" >"$log" 2>&1 ||
        { cat "$log"; die "configuring $folder failed"; }
    grep -o 'LLVM [0-9.]* in .*' "$log" | sed 's/^/   /' || true
}

# build FOLDER TARGET...: a progress line on a terminal, a line per tenth elsewhere.
build() {
    local folder=$1
    shift
    if [ -t 1 ]; then
        ninja -C "$root/$folder" -j "$jobs" "$@" || die "building $folder failed"
    else
        ninja -C "$root/$folder" -j "$jobs" "$@" | awk '
            match($0, /^\[[0-9]+\/[0-9]+\]/) {
                split(substr($0, 2, RLENGTH - 2), n, "/")
                tenth = int(10 * n[1] / n[2])
                if (tenth != shown) { shown = tenth; print "   built " n[1] " of " n[2] }
                next
            }
            /^ninja: (Entering|no work)/ { next }
            { print }
            { fflush() }'
        [ "${PIPESTATUS[0]}" = 0 ] || die "building $folder failed"
    fi
}
