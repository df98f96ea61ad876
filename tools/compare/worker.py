"""Measures rows, one after the other, and prints each as a line of JSON as soon as it is known.

Runs in a process of its own (supervisor.py), since a fault on a GPU is the end of its process.
"""

import gc
import importlib.util
import json
import sys
import time
import traceback
from importlib import metadata

import torch

import binding
import problems
from cases import BY_NAME
from clock import CpuClock, CudaClock, interleave, summary
from copies import Copies

# By dtype of the row: how far results may be from the reference, as ||out - ref|| / ||ref|| and as the
# worst |out - ref| / (|ref| + rms(ref)). This keeps garbage from being timed; `ldsl test` is strict.
TOLERANCE = {"bf16": (8e-3, 5e-2), "f16": (4e-3, 2e-2), "f32": (1e-3, 1e-2)}


class Ours:
    """Our operator on a problem's tensors."""

    def __init__(self, machine, problem, options):
        case = problem.case
        op, self.results = case.form(options["out_of_place"])
        self.inputs = problem.tensors if op == case.in_place else problem.masters
        arguments = case.arguments(problem.dims, problem.dtype)
        began = time.perf_counter()
        self.plan = binding.Plan(machine.library, op, arguments, options["with"])
        self.prepare_ms = (time.perf_counter() - began) * 1e3
        self.outputs = {
            t.name: problems.allocate(t.shape, problems.DTYPES[t.dtype], machine.device)
            for t in self.plan.tensors
            if t.is_output
        }
        self.workspace = problems.allocate([self.plan.workspace_bytes], torch.uint8, machine.device)
        self.tensors = self.inputs | self.outputs
        addresses = {t.name: self.tensors[t.name].data_ptr() for t in self.plan.tensors}
        self.run = self.plan.bind(
            addresses,
            self.workspace.data_ptr(),
            machine.stream,
            owners=(self.tensors, self.workspace),
        )

    def poison(self):
        for t in self.outputs.values():
            t.fill_(float("nan") if t.is_floating_point() else -1)

    def take(self):
        """The results by the reference's names."""
        return {name: self.tensors[tensor].detach() for name, tensor in self.results.items()}


class Machine:
    """A device with everything that lasts longer than a row."""

    def __init__(self, options):
        self.device = options["device"]
        self.stream = None
        if self.device == "cuda":
            torch.cuda.init()
            torch.empty(1, device="cuda")
            self.stream = torch.cuda.current_stream().cuda_stream or None
        self.api = binding.Api(options["library"])
        self.context = binding.Context(
            self.api,
            self.device,
            records_path=options["records"],
            no_records=options["no_records"],
            records_read_only=True,
        )
        self.library = binding.Library(self.context)
        self.clock = CudaClock() if self.device == "cuda" else CpuClock()
        self.copies = Copies(self.context, self.clock, self.device, self.stream)

    def facts(self):
        """What the figures were measured with."""
        found = {
            "device": self.context.description,
            "target": self.context.target,
            "ldsl": self.api.version,
            "torch": torch.__version__,
        }
        for name in ("triton", "liger_kernel"):
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                found[name] = None
        return found


# ---- correctness -----------------------------------------------------------------------------------


def errors(problem, results):
    """Of each result: (relative error, worst element), against the f32 reference."""
    sums = {}
    for name, rows, expected in problem.expected():
        if name not in results:
            continue
        found = results[name]
        if rows:
            found = problem.flat(found)[rows[0] : rows[1]]
        expected = expected.double() if expected.numel() < 1 << 20 else expected.float()
        step = torch.finfo(found.dtype).smallest_normal * torch.finfo(found.dtype).eps
        found = found.to(expected.dtype).reshape(expected.shape)
        square = expected.square().sum().item()
        rms = (square / max(1, expected.numel())) ** 0.5
        # Half the step between the smallest numbers: a gradient divided by thousands of rows may lie there.
        difference = ((found - expected).abs() - step / 2).clamp(min=0)
        worst = (difference / (expected.abs() + rms + 1e-30)).max().item()
        wrong = difference.square().sum().item()
        # NaN is as wrong as can be.
        if worst != worst or wrong != wrong:
            worst = wrong = float("inf")
        entry = sums.setdefault(name, [0.0, 0.0, 0.0])
        entry[0] += wrong
        entry[1] += square
        entry[2] = max(entry[2], worst)
    return {
        name: ((wrong / square) ** 0.5 if square else float(wrong > 0), worst)
        for name, (wrong, square, worst) in sums.items()
    }


def verdict(found, results, dtype):
    """What is wrong with these errors, or None."""
    missing = set(results) - set(found)
    if missing:
        return f"no reference for {', '.join(sorted(missing))}"
    relative_limit, worst_limit = TOLERANCE[dtype]
    for name, (relative, worst) in found.items():
        if not relative <= relative_limit or not worst <= worst_limit:
            return f"{name} is wrong: relative error {relative:.1e}, worst element {worst:.1e}"
    return None


def same_bits(first, second):
    return all(
        (
            torch.equal(
                first[name].contiguous().view(torch.uint8), t.contiguous().view(torch.uint8)
            )
            if t.dim()
            else first[name].item() == t.item()
        )
        for name, t in second.items()
    )


# ---- one row ---------------------------------------------------------------------------------------


def check_ours(machine, problem, ours, row):
    """Runs ours on poisoned outputs, twice."""
    runs = []
    for _ in range(2):
        problem.restore()
        ours.poison()
        ours.run()
        machine.clock.synchronize()
        if not runs:
            found = errors(problem, ours.take())
            wrong = verdict(found, ours.results, row["dtype"])
            row["errors"] = found
            if wrong:
                raise ValueError(wrong)
        runs.append({name: t.clone() for name, t in ours.take().items()})
    row["same_bits"] = same_bits(*runs)


def check_other(problem, machine, run, dtype):
    """What is wrong with another's results, or None."""
    problem.restore()
    results = run()
    machine.clock.synchronize()
    return verdict(errors(problem, results), results, dtype)


def contender(machine, problem, make, row, name, compare):
    """Another's call, tried once; None, with a note in the row, if it cannot do this."""
    try:
        run = make()
        problem.restore()
        if compare:
            wrong = check_other(problem, machine, run, row["dtype"])
            if wrong:
                row["notes"].append(f"{name}: {wrong}")
        else:
            run()
            machine.clock.synchronize()
        return run
    except Exception as error:  # whatever another's code raises: the row goes on without it
        text = str(error).strip().splitlines()
        row["notes"].append(f"{name}: {type(error).__name__}: {text[0] if text else ''}")
        return None


def measure(machine, job, options):
    """A row of the table."""
    case, dims, dtype = BY_NAME[job["case"]], job["dims"], job["dtype"]
    row = {"case": case.name, "dims": dims, "dtype": dtype, "notes": [], "error": None}
    row |= {"bar": case.bar, "aim": case.aim, "bytes": case.bytes(dims, dtype)}
    problem = problems.make(case, dims, dtype, machine.device)
    ours = Ours(machine, problem, options)
    row["op"], row["prepare_ms"] = ours.plan.op, ours.prepare_ms
    row["kernels"] = ours.plan.launches
    row["workspace_bytes"] = ours.plan.workspace_bytes
    check_ours(machine, problem, ours, row)

    runs = {"ldsl": ours.run}
    for name, make, compare in (("liger", problem.liger, True), ("torch", problem.torch, False)):
        if name in options["against"]:
            run = contender(machine, problem, make, row, name, compare)
            if run:
                runs[name] = run
    turns = {name: (run, problem.restore) for name, run in runs.items()}
    copies = machine.copies.finalists(row["bytes"], min(7, options["rounds"]))
    late = machine.clock.late
    samples = interleave(turns | copies, machine.clock, options["rounds"])
    if machine.clock.late > late:
        row["notes"].append(f"the host was late for {machine.clock.late - late} samples")
    row["times"] = {name: summary(samples[name]) for name in runs}
    row["copies"] = {name: summary(samples[name]) for name in copies}
    judge(row)
    return row


def judge(row):
    """Ratio and speedup, from the times."""
    ours = row["times"]["ldsl"]["median_us"]
    best = min(row["copies"], key=lambda name: row["copies"][name]["median_us"])
    copy = row["copies"][best]["median_us"]
    row["copy"] = best
    row["gbs"] = row["bytes"] / ours / 1e3
    row["copy_gbs"] = row["bytes"] / copy / 1e3
    row["ratio"] = copy / ours
    for name in ("liger", "torch"):
        times = row["times"].get(name)
        row[f"{name}_speedup"] = times["median_us"] / ours if times else None
        row[f"{name}_ratio"] = copy / times["median_us"] if times else None


# ---- all rows --------------------------------------------------------------------------------------


def tell(what, out):
    out.write(json.dumps(what) + "\n")
    out.flush()


def main():
    """Standard input: {"jobs": [...], "options": {...}}. Standard output: one line an event."""
    out = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no event
    order = json.load(sys.stdin)
    options = order["options"]
    torch.set_grad_enabled(False)
    if "liger" in options["against"] and not importlib.util.find_spec("liger_kernel"):
        options["against"].remove("liger")
        print("compare: liger-kernel is not installed: its columns stay empty", file=sys.stderr)
    try:
        machine = Machine(options)
    except (binding.Error, RuntimeError, AssertionError) as error:  # no library, no GPU
        print(f"compare: {error}", file=sys.stderr)
        return 3
    tell({"facts": machine.facts()}, out)
    for number, job in enumerate(order["jobs"]):
        if time.time() > options["deadline"]:
            break
        tell({"begin": number}, out)
        try:
            row = measure(machine, job, options)
        except Exception as error:  # the row says so, and the next is tried
            if options["verbose"]:
                traceback.print_exc()
            row = {**job, "error": f"{type(error).__name__}: {error}"}
        tell({"row": row, "number": number}, out)
        gc.collect()
        if machine.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.synchronize()  # raises if the device is lost: the supervisor starts anew
    tell({"problems": machine.copies.problems}, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
