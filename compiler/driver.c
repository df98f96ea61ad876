#include <ldsl/compile.h>
