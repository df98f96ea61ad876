"""First calls: how long until a kernel runs that was never compiled, and one that was in an earlier
process. Ours, and Liger's through Triton.

Each number comes from processes of its own, pinned to one core, with caches in folders of their own (the
driver's too) that are new for the cold process and kept for the cached one. In each process a trivial
kernel goes first, so that what a process pays once (opening the device, building Triton's helpers) is
in that row, called "copy".

ours: load the library's text, prepare (compile, load the module), launch, wait.
Triton: call Liger's function, wait.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import binding
import cases

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT = ("rms_norm_fwd", "layer_norm_fwd", "softmax_fwd", "swiglu_fwd")
DTYPE = "bf16"


def milliseconds(run):
    began = time.perf_counter()
    result = run()
    return (time.perf_counter() - began) * 1e3, result


# ---- in the process of our own ---------------------------------------------------------------------


def first_of_ours(context, text, op, arguments):
    """{stage: milliseconds} of one operator."""
    load, library = milliseconds(lambda: binding.Library(context, text))
    prepare, plan = milliseconds(lambda: binding.Plan(library, op, arguments))
    buffers = {t.name: binding.Buffer(context, max(1, t.bytes)) for t in plan.tensors}
    workspace = binding.Buffer(context, max(1, plan.workspace_bytes))
    run = plan.bind({name: b.address for name, b in buffers.items()}, workspace.address)

    def launch():
        run()
        context.synchronize()

    first, _ = milliseconds(launch)
    return {
        "load_ms": load,
        "prepare_ms": prepare,
        "launch_ms": first,
        "total_ms": load + prepare + first,
        "kernels": len(plan.launches),
    }


COPY = b"""
kernel copy_tiles<T: any>(x: tensor<T>[N], y: out tensor<T>[N]) {
  grid axis i in 0 .. N tile 1024;
  y[i] = x[i];
}
op copy_all<T: any>(x: tensor<T>[N]) -> (y: tensor<T>[N]) { launch copy_tiles(x, y); }
"""


def ours(order):
    context = binding.Context(
        binding.Api(order["library"]), order["device"], cache_path=order["cache"]
    )
    rows = {"copy": first_of_ours(context, COPY, "copy_all", {"x": binding.Tensor(DTYPE, [4096])})}
    for name in order["cases"]:
        case = cases.BY_NAME[name]
        arguments = case.arguments(order["dims"].get(name, case.shapes[0]), DTYPE)
        rows[name] = first_of_ours(context, None, case.op, arguments)
    return rows


# ---- in the process of Triton ----------------------------------------------------------------------


def triton(order):
    import torch

    import copies
    import problems

    torch.set_grad_enabled(False)
    problems.liger("utils")  # its imports are not what is measured

    def first(make):
        torch.cuda.synchronize()

        def call():
            make()()
            torch.cuda.synchronize()

        return {"total_ms": milliseconds(call)[0]}

    x = torch.zeros(4096, dtype=torch.bfloat16, device="cuda")
    y = torch.zeros_like(x)
    rows = {"copy": first(lambda: copies.triton_copy(x, y, 1024, 4, False))}
    for name in order["cases"]:
        case = cases.BY_NAME[name]
        rows[name] = first(problems.make(case, case.shapes[0], DTYPE, "cuda").liger)
    return rows


# ---- in the process that asks ----------------------------------------------------------------------


def child(side, order, folder):
    """Rows of a process of that side, whose caches are in `folder`."""
    environment = os.environ | {
        "TRITON_CACHE_DIR": f"{folder}/triton",
        "CUDA_CACHE_PATH": f"{folder}/driver",
    }
    order = order | {"side": side, "cache": f"{folder}/ldsl"}
    done = subprocess.run(
        [sys.executable, str(HERE / "first_call.py")],
        input=json.dumps(order),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"first calls of {side} ended with status {done.returncode}")
    return json.loads(done.stdout)


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def combine(runs):
    """The median of each number over processes."""
    return {
        name: {key: median([run[name][key] for run in runs]) for key in runs[0][name]}
        for name in runs[0]
    }


def measure(side, order, repeats):
    """{"cold": rows, "cached": rows}"""
    states = {"cold": [], "cached": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(prefix="compare-") as folder:
            for runs in states.values():
                runs.append(child(side, order, folder))
    return {state: combine(runs) for state, runs in states.items()}


def show(found):
    heading = "operator", "side", "kernels", "load", "prepare", "launch", "cold ms", "cached ms"
    print("| " + " | ".join(heading) + " |\n|" + "---|" * len(heading))
    for side, states in found.items():
        for name, cold in states["cold"].items():
            stages = [
                f"{cold[k]:.1f}" if k in cold else ""
                for k in ("load_ms", "prepare_ms", "launch_ms")
            ]
            totals = [f"{states[state][name]['total_ms']:.1f}" for state in ("cold", "cached")]
            print(
                "| "
                + " | ".join([name, side, str(cold.get("kernels", "")), *stages, *totals])
                + " |"
            )
    print(
        "\nload, prepare and launch are the parts of our cold time; medians over processes, one core"
    )


def first_calls(options, ops):
    chosen = DEFAULT if ops == ["all"] else [case.name for case in cases.choose(ops)]
    order = {
        "device": options.device,
        "library": options.library,
        "cases": list(chosen),
        "dims": {},
    }
    found, status = {}, 0
    for side in ["ldsl"] + ["liger"] * (options.device == "cuda"):
        try:
            found[side] = measure(side, order, options.repeats)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(f"compare: {error}", file=sys.stderr)
            status = 1
    show(found)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"first_call": found}, file, indent=1)
    return status


def main():
    out, sys.stdout = sys.stdout, sys.stderr
    order = json.load(sys.stdin)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = ours(order) if order["side"] == "ldsl" else triton(order)
    json.dump(rows, out)


if __name__ == "__main__":
    main()
