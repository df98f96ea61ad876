#!/bin/sh
# Runs what the tutorial tells its reader to run: every "$ ldsl ..." line, beside the finished file (the
# page's last code block). A command that fails fails the test.
# usage: tutorial.sh LDSL PAGE
set -eu
ldsl=$(realpath "$1")
page=$(realpath "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
cd "$folder"
export LDSL_CACHE="$folder/cache"

awk '/^```ldsl$/ { inside = 1; text = ""; next }
     /^```$/ { inside = 0 }
     inside { text = text $0 "\n" }
     END { printf "%s", text }' "$page" > residual_tanh.ldsl
test -s residual_tanh.ldsl

sed -n 's/^\$ ldsl //p' "$page" > commands
test -s commands
while read -r arguments; do
    echo "ldsl $arguments"
    eval "\"$ldsl\" $arguments" > output 2>&1 < /dev/null || { cat output; exit 1; }
done < commands
