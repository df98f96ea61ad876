/* The runtime without the compiler links by itself and says what it cannot do. */
#include <ldsl/runtime.h>
#include <stdio.h>

int main(void)
{
    ldsl_context *context = NULL;
    enum ldsl_status status = ldsl_context_create(&context, "no such device", NULL);
    printf("%s: %s\n", ldsl_status_name(status), ldsl_last_error());
    ldsl_context_destroy(context);
    return status == LDSL_OK;
}
