#!/bin/sh
# Each public header compiles alone, as C11 and as C++. (One may hold macros only; no file may be empty.)
root=$1
flags="-Wall -Wextra -Wpedantic -Werror -fsyntax-only -I$root/include"
fail=0
for header in "$root"/include/ldsl/*.h; do
    name=ldsl/$(basename "$header")
    printf '#include <%s>\nextern int i;\n' "$name" | ${CC:-cc} -std=c11 $flags -x c - || fail=1
    printf '#include <%s>\nextern int i;\n' "$name" | ${CXX:-c++} -std=c++11 $flags -x c++ - || fail=1
done
exit $fail
