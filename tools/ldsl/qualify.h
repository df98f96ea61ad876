/* Settings for one kernel of an operator: "BR=4,hold=64" as "rows.BR=4,rows.hold=64". */
#ifndef LDSL_QUALIFY_H
#define LDSL_QUALIFY_H

/* `settings` with the kernel's name before each, behind what is fixed for other kernels. malloc'ed;
 * NULL: out of memory. */
char *qualify(const char *fixed, const char *kernel, const char *settings);

#endif
