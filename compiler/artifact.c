#include <ldsl/artifact.h>
