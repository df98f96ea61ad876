"""Checks the script itself where there is neither torch nor a GPU: the binding and every case against
the library on the CPU, and the arithmetic of the report."""

import array
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import binding
import cases
import first_call
import report

SMALL = {"R": 3, "D": 40, "F": 24, "B": 2, "S": 3, "Hq": 2, "Hk": 1, "P": 8, "N": 1, "V": 50}


def expect(truth, what):
    if not truth:
        raise AssertionError(what)


def small(case):
    return {name: SMALL[name] for name in case.shapes[0]}


def binding_computes(library):
    """rms_norm of f32 rows through buffers, against the definition."""
    rows, columns = 3, 40
    plan = binding.Plan(
        library,
        "rms_norm",
        {
            "x": binding.Tensor("f32", (rows, columns)),
            "w": binding.Tensor("f32", (columns,)),
            "casting": "gemma",
            "offset": 1.0,
        },
    )
    expect([t.name for t in plan.tensors] == ["x", "w", "y", "rstd"], "tensors of rms_norm")
    expect(plan.tensors[2].is_output and plan.tensors[2].shape == (rows, columns), "shape of y")
    launch = plan.launches[0]
    expect(launch["kernel"] == "rms_norm_rows", str(launch))
    expect("T=f32" in launch["variant"] and launch["block_threads"] == 1, str(launch))
    x = array.array("f", [math.sin(i) for i in range(rows * columns)])
    w = array.array("f", [i / columns for i in range(columns)])
    context = library.context
    buffers = {t.name: binding.Buffer(context, t.bytes) for t in plan.tensors}
    buffers["x"].write(x)
    buffers["w"].write(w)
    workspace = binding.Buffer(context, max(1, plan.workspace_bytes))
    run = plan.bind({name: b.address for name, b in buffers.items()}, workspace.address)
    run()
    context.synchronize()
    y = array.array("f", buffers["y"].read())
    for r in range(rows):
        row = x[r * columns : (r + 1) * columns]
        scale = 1 / math.sqrt(sum(v * v for v in row) / columns + 1e-6)
        for c in range(columns):
            right = row[c] * scale * (1 + w[c])
            expect(abs(y[r * columns + c] - right) <= 1e-5, f"y[{r}, {c}]")


def binding_reports(library):
    """A wrong call is an exception with the library's words."""
    try:
        binding.Plan(library, "rms_norm", {"z": binding.Tensor("f32", (3, 4))})
    except binding.Error as error:
        expect("there is no parameter 'z'" in str(error), str(error))
    else:
        raise AssertionError("a wrong name was accepted")


def large_bytes(plan, body):
    """Bytes that the plan moves of tensors with `body` shapes: read once, written once."""
    return sum(
        t.bytes * ((not t.is_output) + bool(t.is_written)) for t in plan.tensors if t.shape in body
    )


def cases_fit(library):
    """Every case, in both forms: the library knows the arguments, gives the results, moves the bytes;
    and the operator runs."""
    for case in cases.CASES:
        dims = small(case)
        for out_of_place in (True, False):
            op, results = case.form(out_of_place)
            plan = binding.Plan(library, op, case.arguments(dims, "bf16"))
            names = {t.name for t in plan.tensors}
            expect(set(results.values()) <= names, f"{case.name}: results of {op}")
            body = [tuple(cases.dim_value(d, dims) for d in part) for part in case.body]
            moved = large_bytes(plan, body)
            right = case.bytes(dims, "bf16")
            expect(moved == right, f"{case.name}: {op} moves {moved} bytes, not {right}")
            context = library.context
            buffers = {t.name: binding.Buffer(context, max(1, t.bytes)) for t in plan.tensors}
            for b in buffers.values():
                b.write(bytes(b.size))
            workspace = binding.Buffer(context, max(1, plan.workspace_bytes))
            plan.bind({n: b.address for n, b in buffers.items()}, workspace.address)()
            context.synchronize()


def choices_work():
    everything = cases.choose(["all"])
    expect(len(everything) == len(cases.CASES), "all")
    chosen = [case.name for case in cases.choose(["softmax", "rope_bwd"])]
    expect(chosen == ["softmax_fwd", "softmax_wide_fwd", "softmax_bwd", "rope_bwd"], str(chosen))
    try:
        cases.choose(["rms_nrom"])
    except ValueError as error:
        expect("rms_nrom" in str(error), str(error))
    else:
        raise AssertionError("a wrong operator was accepted")
    one = cases.jobs(everything, ["bf16"], [cases.parse_shape("R=2,D=64")])
    expect(len(one) == 9 and all(job["dims"] == {"R": 2, "D": 64} for job in one), "shapes by name")


def made_up_row(ours, copy, liger, **changes):
    row = {
        "case": "rms_norm_fwd",
        "dims": {"R": 2, "D": 8},
        "dtype": "bf16",
        "bar": 0.95,
        "notes": [],
        "error": None,
        "times": {
            "ldsl": {"median_us": ours, "p20_us": ours, "p80_us": ours},
            "liger": {"median_us": liger},
        },
        "copies": {"copy": {"median_us": copy}},
        "copy": "copy",
        "gbs": 1.0,
        "copy_gbs": 1.0,
        "ratio": copy / ours,
        "liger_speedup": liger / ours,
        "torch_speedup": None,
        "same_bits": True,
    }
    return row | changes


def report_is_right():
    good = made_up_row(100.0, 98.0, 200.0)
    slow = made_up_row(100.0, 50.0, 50.0, dtype="f32")
    slow["kernels"] = [{"kernel": "rms_norm_rows", "spill_bytes": 8}]
    bad = {"case": "rope_fwd", "dims": {"B": 1}, "dtype": "bf16", "error": "it broke"}
    late = {"case": "rope_bwd", "dims": {"B": 1}, "dtype": "bf16", "skipped": "no time left"}
    rows = [good, slow, bad, late]
    lines = report.table(rows)
    expect(len(lines) == 5 and "0.980" in lines[1] and "0.500 <" in lines[2], "\n".join(lines))
    expect("it broke" in lines[3] and len(report.table(rows, markdown=True)) == 6, "table")
    text = "\n".join(report.summary(rows))
    for part in (
        "1 of 2 rows reach their bar",
        "geometric mean of the speedups 1.00 over 2 rows; least 0.50",
        "f32 against bf16: ratio -0.480",
        "it broke",
        "1 rows were not measured",
        "rms_norm_rows spills 8 bytes of registers",
    ):
        expect(part in text, f"'{part}' is not in:\n{text}")
    drawn = report.bench_rows({"device": "none"}, rows)["rows"]
    expect(len(drawn) == 2 and drawn[1]["copy_ratio"] == 0.5, str(drawn))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.json")
        report.save(path, {"device": "none"}, rows, {})
        facts, loaded = report.load([path, path])
        expect(
            facts["device"] == "none" and loaded == rows + rows, "what was saved is what is read"
        )


def first_calls_work(path):
    """Cold and cached, in processes of their own."""
    order = {
        "device": "cpu",
        "library": path,
        "cases": ["rms_norm_fwd"],
        "dims": {"rms_norm_fwd": {"R": 4, "D": 64}},
    }
    found = first_call.measure("ldsl", order, 1)
    for state in ("cold", "cached"):
        row = found[state]["rms_norm_fwd"]
        expect(row["kernels"] == 1 and row["total_ms"] > 0, f"{state}: {row}")


LEAVES = """
import sys
sys.path.insert(0, sys.argv[1])
import binding
api = binding.Api(sys.argv[2])
context = binding.Context(api, "cpu", no_cache=True, threads=1)
library = binding.Library(context)
x = binding.Tensor("f32", [4, 64])
everything = [context, library] + [binding.Plan(library, "softmax", {"x": x}) for _ in range(3)]
everything.append(everything)

def uses_globals():
    return everything
"""


def exit_is_clean(path):
    """Handles that the interpreter finds in a cycle when it leaves."""
    here = str(pathlib.Path(__file__).parent)
    left = subprocess.run([sys.executable, "-c", LEAVES, here, path], check=False)
    expect(left.returncode == 0, f"exit status {left.returncode}")


def sources_parse():
    """Those too that cannot be imported here, for want of torch."""
    files = sorted(pathlib.Path(__file__).parent.glob("*.py"))
    expect(len(files) > 5, "the script's files")
    for file in files:
        compile(file.read_text(encoding="utf-8"), str(file), "exec")


def self_test(path):
    with tempfile.TemporaryDirectory(prefix="compare-") as cache:
        api = binding.Api(path)
        library = binding.Library(binding.Context(api, "cpu", cache_path=cache, threads=1))
        checks = {
            "the sources parse": sources_parse,
            "the binding computes": lambda: binding_computes(library),
            "the binding reports": lambda: binding_reports(library),
            "the cases fit the library": lambda: cases_fit(library),
            "operators and shapes are chosen by name": choices_work,
            "the report is right": report_is_right,
            "leaving with handles is clean": lambda: exit_is_clean(api.path),
            "first calls are timed": lambda: first_calls_work(api.path),
        }
        for name, check in checks.items():
            check()
            print(f"ok: {name}")
    return 0
