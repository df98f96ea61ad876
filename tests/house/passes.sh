#!/bin/sh
# docs/passes.md is what tools/passes.sh makes of the pass table, and every pass has its golden files.
root=$1
ldsl=$2
sh "$root/tools/passes.sh" "$root" "$ldsl" | diff -u "$root/docs/passes.md" - || {
    echo "docs/passes.md is stale: sh tools/passes.sh . PATH/TO/ldsl > docs/passes.md" >&2
    exit 1
}
"$ldsl" compile --list-passes | while read -r pass _; do
    ls "$root/tests/ir/$pass"/*.tir >/dev/null 2>&1 || { echo "tests/ir/$pass has no files" >&2; exit 1; }
done
