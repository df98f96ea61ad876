#!/bin/sh
# check-layers.sh [ROOT]: every #include goes where tools/layers.txt lets it. Prints what does not.
cd "${1:-.}" || exit 2
find include compiler runtime tools tests -name '*.[chly]' | sort |
    xargs awk -v table=tools/layers.txt '
# "ldsl/*" as a regular expression.
function pattern(glob) {
    gsub(/[.+]/, "\\\\&", glob)
    gsub(/\*/, ".*", glob)
    return "^" glob "$"
}
function folder_of(path) {
    sub(/\/[^\/]*$/, "", path)
    while (!(path in allowed) && path ~ /\//)
        sub(/\/[^\/]*$/, "", path)
    return path
}
# Is it a header of the including folder itself?
function is_own(name, folder, path,    line, exists) {
    sub(/\/[^\/]*$/, "", path)
    sub(/^(include|compiler|runtime|tools|tests)\//, "", folder)
    path = path "/" name
    exists = (getline line < path) >= 0
    close(path)
    return exists || index(name, folder "/") == 1
}
function check(name, quoted, folder,    count, list, i) {
    if (!quoted && name !~ /^(ldsl|llvm|llvm-c|cuda)[\/.]/)
        return # the C library, and libraries that tools use
    if (quoted && is_own(name, folder, FILENAME))
        return
    count = split(allowed[folder], list, " ")
    for (i = 1; i <= count; i++)
        if (name ~ pattern(list[i]))
            return
    print FILENAME ":" FNR ": " folder " may not include " name
    bad = 1
}
BEGIN {
    while ((getline row < table) > 0)
        if (row !~ /^#/ && split(row, field, " ") > 0) {
            folder = field[1]
            sub(/^[^ ]+ */, "", row)
            allowed[folder] = row
            rows++
        }
    if (!rows) {
        print "check-layers.sh: no rows in " table
        bad = 1
    }
}
/^[ \t]*#[ \t]*include[ \t]*["<]/ {
    folder = folder_of(FILENAME)
    if (!(folder in allowed))
        next
    name = $0
    sub(/^[^"<]*["<]/, "", name)
    sub(/[">].*/, "", name)
    check(name, $0 ~ /include[ \t]*"/, folder)
}
END { exit bad }'
