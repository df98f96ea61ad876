/* A library needs one source: this one, for a folder that has none yet. */
extern const int ldsl_empty;
const int ldsl_empty = 0;
