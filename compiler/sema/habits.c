/* Names that people bring from Triton and NumPy, and what is written instead. docs/triton.md has them
 * in a table; tests/diag/names/habits.ldsl provokes them. */
#include "sema/internal.h"

/* clang-format off */
static const struct {
    const char *name, *help;
} habits[] = {
    {"where",         "a choice is `condition ? a : b`"                                     },
    {"program_id",    "programs follow from axes: `grid r in 0 .. R;`, where r is the element"},
    {"num_programs",  "programs follow from axes: `grid r in 0 .. R;`"                      },
    {"arange",        "a range is an axis: `axis c in 0 .. D tile 64;`, where c is the element"},
    {"maximum",       "it is max(a, b), in which a NaN wins; fmax(a, b) passes over NaN"    },
    {"minimum",       "it is min(a, b), in which a NaN wins; fmin(a, b) passes over NaN"    },
    {"sign",          "write `x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0`"                        },
    {"log1p",         "`import \"prelude.ldsl\";` has one"                                  },
    {"expm1",         "there is none; exp(x) - 1.0 loses the digits of a small x"           },
    {"silu",          "`import \"prelude.ldsl\";` has one"                                  },
    {"gelu",          "`import \"prelude.ldsl\";` has gelu_tanh and gelu_erf"               },
    {"zeros",         "a tile of one number: `var a: tile<f32>[c] = 0.0;`"                  },
    {"zeros_like",    "a tile of one number: `var a: tile<f32>[c] = 0.0;`"                  },
    {"full",          "a tile of one number: `var a: tile<f32>[c] = 1.0;`"                  },
    {"mean",          "write `sum(v over c) / f32(D)`"                                      },
    {"to",            "a conversion is `f32(x)`"                                            },
    {"cast",          "a conversion is `f32(x)`"                                            },
    {"print",         "keep the value in an output and look at that, or test it: `assert(c, \"text\");`"},
    {"printf",        "keep the value in an output and look at that, or test it: `assert(c, \"text\");`"},
    {"device_print",  "keep the value in an output and look at that, or test it: `assert(c, \"text\");`"},
    {"device_assert", "it is `assert(c, \"text\");`"                                        },
    {"debug_barrier", "none is needed: a program's reads and writes happen as written"      },
    {"syncthreads",   "none is needed: a program's reads and writes happen as written"      },
    {"mask",          "x[r, c] reads inside the tensor only; load(x[r - 1], fill: 0.0) reads fill outside"},
    {"other",         "what lies outside the tensor is `fill`: load(x[r - 1], fill: 0.0)"   },
    {"num_stages",    "it is `stages`"                                                      },
};
/* clang-format on */

const char *habit_help(const char *name)
{
    for (unsigned i = 0; i < sizeof habits / sizeof *habits; i++)
        if (strcmp(habits[i].name, name) == 0)
            return habits[i].help;
    return NULL;
}
