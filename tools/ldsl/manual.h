/* The manual page and the shells' completions, written from the command tables. */
#ifndef LDSL_MANUAL_H
#define LDSL_MANUAL_H

void print_manual(void); /* troff, to standard output */

#endif
