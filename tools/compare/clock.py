"""How a launch is timed: caches flushed before it, nothing of the host in it, contenders in turn.

On a GPU the time is that between two events on the stream. The device is kept busy while the host
enqueues flush, events and work, so that neither Python nor allocation is measured, of nobody; a sample
in which the host came too late is taken again.
"""

import math
import time

import torch

FLUSH_BYTES = 256 << 20


class CudaClock:
    """Microseconds between events on torch's current stream."""

    LONGEST_NAP = 1 << 28  # cycles; the host is given up on beyond it
    TRIES = 5

    def __init__(self):
        self.flush = torch.empty(FLUSH_BYTES // 4, dtype=torch.float32, device="cuda")
        self.begin = torch.cuda.Event(enable_timing=True)
        self.end = torch.cuda.Event(enable_timing=True)
        self.nap = 1 << 19  # cycles, about a quarter of a millisecond
        self.late = 0  # samples that the host was too late for

    def time(self, run):
        for attempt in range(self.TRIES):
            torch.cuda._sleep(self.nap)
            self.flush.fill_(1.0)
            self.begin.record()
            run()
            self.end.record()
            late = self.begin.query()
            self.end.synchronize()
            if not late:
                break
            if attempt + 1 < self.TRIES:
                self.nap = min(2 * self.nap, self.LONGEST_NAP)
            else:
                self.late += 1
        return self.begin.elapsed_time(self.end) * 1e3

    def synchronize(self):
        torch.cuda.synchronize()


class CpuClock:
    """Microseconds of the host's clock: for trying the script where there is no GPU."""

    late = 0

    def __init__(self):
        self.flush = torch.empty(FLUSH_BYTES // 4, dtype=torch.float32)

    def time(self, run):
        self.flush.fill_(1.0)
        began = time.perf_counter()
        run()
        return (time.perf_counter() - began) * 1e6

    def synchronize(self):
        pass


def interleave(contenders, clock, rounds, warmup=2):
    """Times every contender once in each round: {name: [microseconds]}.

    contenders: name -> (run, restore); restore makes good what run overwrites, untimed.
    """
    samples = {name: [] for name in contenders}
    for number in range(-warmup, rounds):
        for name, (run, restore) in contenders.items():
            restore()
            taken = clock.time(run)
            if number >= 0:
                samples[name].append(taken)
    return samples


def quantile(samples, q):
    """Of unsorted samples, by linear interpolation."""
    ordered = sorted(samples)
    place = q * (len(ordered) - 1)
    lo = math.floor(place)
    hi = min(lo + 1, len(ordered) - 1)
    return ordered[lo] + (ordered[hi] - ordered[lo]) * (place - lo)


def summary(samples):
    return {
        "median_us": quantile(samples, 0.5),
        "p20_us": quantile(samples, 0.2),
        "p80_us": quantile(samples, 0.8),
        "samples": len(samples),
    }
