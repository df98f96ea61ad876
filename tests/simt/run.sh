#!/usr/bin/env bash
# Programs of tests/simt on the emulator: with the schedules that `ldsl test` tries, and with those that
# the file lists in lines "// with: NAME=VALUE,...".
set -eu
ldsl=$1 file=$2 cases=$3
"$ldsl" test --device simt --cases "$cases" --file "$file"
sed -n 's|^// with: ||p' "$file" | while read -r with; do
    echo "with $with"
    "$ldsl" test --device simt --cases "$cases" --file "$file" --with "$with" </dev/null
done
