#!/bin/sh
# libldsl.so exports what include/ldsl marks LDSL_API, no more and no less.
root=$1
build=$(cd "$(dirname "$2")/.." && pwd) || exit 1
library=$build/runtime/libldsl.so
[ -e "$library" ] || { echo "no $library" >&2; exit 1; }
exported=$(nm -D --defined-only "$library" | awk '{ print $NF }' |
    grep -vxE '__bss_start|_edata|_end|_init|_fini' | sort -u)
declared=$(cat "$root"/include/ldsl/*.h | grep -v '^#' | tr '\n' ' ' | grep -oE 'LDSL_API [^;]*;' |
    sed -E 's/ *\(.*//; s/.*[ *]//' | sort -u)
[ -n "$declared" ] || { echo "include/ldsl declares nothing" >&2; exit 1; }
[ "$exported" = "$declared" ] && exit 0
echo "exported and declared names differ (< only exported, > only declared):" >&2
printf '%s\n' "$exported" >"$build/exported.names"
printf '%s\n' "$declared" | diff "$build/exported.names" - >&2
exit 1
