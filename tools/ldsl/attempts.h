/* Ways to launch an operator that were tried, in the order of trying. */
#ifndef LDSL_ATTEMPTS_H
#define LDSL_ATTEMPTS_H

struct attempt {
    char *with; /* "kernel.BR=1,other.num_warps=4"; "": the defaults */
    char code[24];
    double seconds; /* INFINITY: it does not work, or gives wrong results */
};

/* Zeroed at first; owns the texts. Adding moves the list: attempts are asked for anew after it. */
struct attempts {
    struct attempt *list;
    unsigned count;
};

struct attempt *attempts_find(const struct attempts *a, const char *with);
/* NULL: out of memory. */
struct attempt *attempts_add(struct attempts *a, const char *with);
void attempts_forget(struct attempts *a);

/* The fastest; of equals the first. NULL: nothing works. */
struct attempt *attempts_best(const struct attempts *a);
/* The time of the same machine code, tried before under other settings; 0: it is new. */
double attempts_known_time(const struct attempts *a, const struct attempt *attempt);

#endif
