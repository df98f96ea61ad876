# Writes OUT: one hash over the texts of FILES, so that whatever changes the compiler changes its name
# in cache keys.
set(all "")
foreach(file IN LISTS FILES)
    file(SHA256 ${file} hash)
    string(APPEND all "${hash}\n")
endforeach()
string(SHA256 identity "${all}${EXTRA}")
file(WRITE ${OUT} "#define LDSL_IDENTITY \"${identity}\"\n")
