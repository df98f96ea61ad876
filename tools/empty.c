/* The shared library is made of archives; CMake wants one source. */
extern const int ldsl_empty;
const int ldsl_empty = 0;
