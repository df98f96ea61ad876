/* Registers that hold nothing: a thread may compute with them, as lanes outside a range do, but nothing
 * that is seen may depend on them. The kernel's code follows them through its registers; here they go
 * through memory, and are told where they come out. */
#include "simt/machine.h"

#include <string.h>

#define NOTHING "depends on a register that holds nothing"

enum { PLACE = 1, GUARD = 2 }; /* bits of doubt: arguments 0 and 1 */

static struct simt_name name_of(const struct thread *t)
{
    return simt_thread_name(t->m, touch_name(t));
}

static uint32_t take_doubt(struct thread *t)
{
    uint32_t doubt = t->given.doubt;
    t->given.doubt = 0;
    return doubt;
}

void poison_set(struct thread *t, bool poisoned)
{
    memset(t->given.poison, poisoned ? 0xff : 0, sizeof t->given.poison);
}

bool poison_check_access(struct thread *t, const struct ldsl_simt_site *site, uint32_t guard,
                         const char *what)
{
    uint32_t doubt = take_doubt(t);
    if (doubt & GUARD)
        simt_fail(t, site, "whether %s meets %s " NOTHING, name_of(t).text, what);
    else if (doubt && guard)
        simt_fail(t, site, "where %s meets %s " NOTHING, name_of(t).text, what);
    else
        return true;
    return false;
}

bool poison_is_in(const struct thread *t, const struct ldsl_simt_site *site, uint32_t i)
{
    const unsigned char *bits = (const unsigned char *)t->given.poison + i * site->element;
    for (uint32_t k = 0; k < site->element; k++)
        if (bits[k])
            return true;
    return false;
}

bool poison_check(struct thread *t, const struct ldsl_simt_site *site, const char *what)
{
    if (!(take_doubt(t) & PLACE))
        return true;
    simt_fail(t, site, "%s of %s " NOTHING, what, name_of(t).text);
    return false;
}

void call_decide(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site, uint32_t poison)
{
    if (poison)
        simt_fail(thread_of(given), site, "a branch of %s " NOTHING,
                  name_of(thread_of(given)).text);
}
