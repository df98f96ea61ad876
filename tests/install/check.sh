#!/bin/sh
# check.sh BUILD SOURCE: installs into a scratch prefix; builds the stranger's programs against it by
# CMake and by pkg-config; runs all of it.
set -eu
build=$1 source=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

cmake --install "$build" --prefix "$prefix" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
for file in bin/ldsl include/ldsl/ldsl.h share/ldsl/kernels.ldsl/prelude.ldsl; do
    [ -e "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
"$prefix/bin/ldsl" --version
"$prefix/bin/ldsl" ops --names | grep -qx rms_norm

echo "by CMake"
cmake -G Ninja -S "$source" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$prefix" >"$scratch/log" 2>&1 &&
    cmake --build "$scratch/build" >>"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
"$scratch/build/stranger"
"$scratch/build/bare"

echo "by pkg-config"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name ldsl.pc)")
export PKG_CONFIG_PATH
cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$source/main.c" -o "$scratch/stranger" \
    $(pkg-config --cflags --libs ldsl)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir ldsl) "$scratch/stranger"
cc -std=c11 "$source/bare.c" -o "$scratch/bare" $(pkg-config --cflags --libs ldsl_rt)
"$scratch/bare"
echo passed
