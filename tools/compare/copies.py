"""The ceiling: the fastest copy of a number of bytes (half read, half written), among several forms.

Every form is tried on the same buffers; the two fastest are then timed in turn with what is compared,
and the better of them counts.
"""

from functools import partial

import torch

from binding import Library, Plan, Tensor
from clock import interleave, quantile
from problems import allocate

SOURCE = b"""
/// y = x
kernel copy_tiles<T: any>(x: tensor<T>[N], y: out tensor<T>[N])
  specialize N % 8 == 0, align(x, 16), align(y, 16);
  tune {
    BN in {512, 1024, 2048, 4096, 8192};
    num_warps in {4, 8, 16};
    default { BN = 1024, num_warps = 4 };
  }
{
  grid axis i in 0 .. N tile BN;
  y[i] = x[i];
}

/// A plain copy.
op copy_all<T: any>(x: tensor<T>[N]) -> (y: tensor<T>[N]) { launch copy_tiles(x, y); }
"""
SCHEDULES = (
    "BN=1024,num_warps=4",
    "BN=2048,num_warps=8",
    "BN=4096,num_warps=16",
    "BN=2048,num_warps=4",
    "BN=4096,num_warps=8",
    "BN=1024,num_warps=4,evict_last=1",
    "BN=2048,num_warps=8,evict_last=1",
)
FINALISTS = 2

try:
    import triton
    import triton.language as tl

    @triton.jit
    def _copy_kernel(x, y, n, BLOCK: tl.constexpr, KEEP: tl.constexpr):
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        if KEEP:
            v = tl.load(x + at, mask=at < n, eviction_policy="evict_last")
        else:
            v = tl.load(x + at, mask=at < n)
        tl.store(y + at, v, mask=at < n)

except ImportError:
    triton = None


class Copies:
    """Finds the best copies of a size, once a size."""

    def __init__(self, context, clock, device, stream):
        self.context, self.clock, self.device, self.stream = context, clock, device, stream
        self.library = None
        self.best = {}  # total bytes -> names of the fastest forms
        self.problems = {}  # form -> why it could not run

    def finalists(self, total, rounds=7):
        """name -> (run, restore) of the best forms of a copy that moves `total` bytes."""
        source, target = (allocate([total // 4], torch.bfloat16, self.device) for _ in range(2))
        makers = self._makers(source.normal_(), target)
        if total not in self.best:
            forms = {name: self._try(name, make, source, target) for name, make in makers.items()}
            usable = {name: (run, nothing) for name, run in forms.items() if run}
            samples = interleave(usable, self.clock, rounds)
            ranked = sorted(samples, key=lambda name: quantile(samples[name], 0.5))
            self.best[total] = ranked[:FINALISTS]
        return {name: (makers[name](), nothing) for name in self.best[total]}

    def _try(self, name, make, source, target):
        """The form's function, which ran once and copied everything; None: it cannot."""
        try:
            run = make()
            target.zero_()
            run()
            self.clock.synchronize()
            if not torch.equal(source, target):
                raise ValueError("it does not copy everything")
            return run
        except Exception as error:  # of torch, Triton or ours: the others remain
            self.problems[name] = str(error).splitlines()[0]
            return None

    def _makers(self, source, target):
        """name -> a function that makes the form for these tensors."""
        size = source.numel() * source.itemsize
        makers = {
            "torch copy_": lambda: lambda: target.copy_(source),
            "torch mul": lambda: lambda: torch.mul(source, 1.0, out=target),
            "ldsl device copy": lambda: lambda: self.context.copy(
                target.data_ptr(), source.data_ptr(), size, self.stream
            ),
        }
        for schedule in SCHEDULES:
            makers[f"ldsl {schedule}"] = partial(self._plan, source, target, schedule)
        if triton and self.device == "cuda":
            for block, warps in ((1024, 4), (2048, 8), (4096, 8)):
                for keep in (False, True):
                    name = f"triton {block}/{warps}{' evict_last' if keep else ''}"
                    makers[name] = partial(triton_copy, source, target, block, warps, keep)
        return makers

    def _plan(self, source, target, schedule):
        if not self.library:
            self.library = Library(self.context, SOURCE, "copy.ldsl")
        arguments = {name: Tensor("bf16", source.shape) for name in ("x", "y")}
        plan = Plan(self.library, "copy_all", arguments, schedule)
        return plan.bind(
            {"x": source.data_ptr(), "y": target.data_ptr()},
            stream=self.stream,
            owners=(source, target),
        )


def triton_copy(source, target, block, warps, keep):
    """A function that copies by a Triton kernel."""
    count = source.numel()
    grid = (triton.cdiv(count, block),)
    return lambda: _copy_kernel[grid](
        source, target, count, BLOCK=block, KEEP=keep, num_warps=warps
    )


def nothing():
    pass
