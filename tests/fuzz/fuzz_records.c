/* Tuning records from anywhere: what is read, is written so that it reads the same. */
#include "records.h"
#include "schedule.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_all(const struct ldsl_records *records, struct rt_text *out)
{
    rt_text_add(out, "%s", "");
    for (uint32_t i = 0; i < records->count; i++) {
        record_print(&records->list[i], out);
        rt_text_add(out, "\n");
    }
    if (out->failed)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldsl_records first = {0}, second = {0};
    struct rt_text once = {0}, again = {0};
    if (ldsl_records_read_text(&first, "input", (const char *)data, size, NULL))
        abort();
    print_all(&first, &once);
    if (ldsl_records_read_text(&second, "printed", once.data, once.length, NULL))
        abort();
    print_all(&second, &again);
    if (strcmp(once.data, again.data) != 0)
        abort();
    free(once.data);
    free(again.data);
    records_clear(&first);
    records_clear(&second);
    return 0;
}
