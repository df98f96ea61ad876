/* The words of a command line that have no option before them, or come with an option that may be
 * repeated. The texts are the command line's own. */
#ifndef LDSL_WORDS_H
#define LDSL_WORDS_H

struct words {
    const char **data;
    unsigned count;
};

/* For a command's parse: an errno value. */
int words_add(struct words *w, const char *word);
void words_free(struct words *w);

#endif
