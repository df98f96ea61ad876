#!/usr/bin/env python3
"""Our operators side by side with Liger's Triton kernels, eager torch and the best copy.

    python3 tools/compare                                  # the whole table, bf16
    python3 tools/compare --ops rms_norm,softmax --dtype bf16,f32 --json figures.json
    python3 tools/compare --ops swiglu_fwd --shape R=8192,F=14336
    python3 tools/compare --first-call                     # first calls: compiled, and from cache
    python3 tools/compare --show figures.json --markdown   # a table of what was measured before

Needs libldsl and torch with a GPU; liger-kernel where it is installed. Every row is one interleaved run:
each round times every contender once, with caches flushed before each launch. Results are compared with
an f32 reference before anything is timed.

ratio = (bytes the operator must move / time) / (bandwidth of the best copy of as many bytes, same run)
"""

import argparse
import importlib.util
import sys

import cases
import report


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--ops", default="all", help="operators, by comma: rms_norm, softmax_bwd (default: all)")
    add(
        "--shape",
        action="append",
        type=cases.parse_shape,
        metavar="R=N,D=N",
        help="instead of the model-sized ones; may be repeated",
    )
    add("--dtype", default="bf16", help="bf16, f16, f32, by comma (default: bf16)")
    add("--rounds", type=int, default=21, help="timed rounds of each row (default: 21)")
    add("--budget", type=float, default=3600, metavar="S", help="begin no row after S seconds")
    add("--row-seconds", type=float, default=120, metavar="S", help="give a row up after S seconds")
    add("--against", default="liger,torch", help="whom to compare with (default: liger,torch)")
    add(
        "--out-of-place",
        action="store_true",
        help="our forms that leave their inputs alone, also " "where Liger overwrites them",
    )
    add("--with", dest="schedule", metavar="NAME=N,...", help="schedule values for our kernels")
    add("--records", metavar="FILE", help="tuning records besides the library's own")
    add("--no-records", action="store_true", help="default schedules, whatever was tuned")
    add("--device", default="cuda", choices=("cuda", "cpu"), help="cpu: to try the script")
    add(
        "--library",
        metavar="FILE",
        help="libldsl.so (default: $LDSL_LIBRARY, else the newest build)",
    )
    add("--json", metavar="FILE", help="write the rows there, after each row")
    add("--markdown", action="store_true", help="the table as Markdown")
    add("--show", nargs="+", metavar="FILE", help="print the table of JSON files; measure nothing")
    add(
        "--bench-json",
        metavar="FILE",
        help="with --show: write the rows as 'ldsl bench' does, for 'ldsl bench --show FILE --plot'",
    )
    add("--strict", action="store_true", help="fail if a row misses its bar or loses to Liger")
    add("--first-call", action="store_true", help="time first calls instead: compiled, and cached")
    add("--repeats", type=int, default=3, help="processes for each first call (default: 3)")
    add(
        "--self-test", action="store_true", help="check the script itself on the CPU, without torch"
    )
    add("--verbose", action="store_true", help="tracebacks of rows that fail")
    return parser.parse_args(argv)


def names(text):
    return [name.strip() for name in text.split(",") if name.strip()]


def show(rows, markdown):
    print("\n".join(report.table(rows, markdown)))
    print()
    print("\n".join(report.summary(rows)))


def verdict(rows, strict):
    """Exit status: 1 for a row that failed, or with --strict missed its bar."""
    if any(row.get("error") for row in rows):
        return 1
    good = [row for row in rows if report.measured(row)]
    missed = [
        row for row in good if row["ratio"] < row["bar"] or (row["liger_speedup"] or 1.0) < 1.0
    ]
    return int(strict and (bool(missed) or len(good) < len(rows)))


def compare(options):
    if not importlib.util.find_spec("torch"):
        print("compare: torch is not installed; --self-test and --show do without", file=sys.stderr)
        return 2
    from supervisor import Supervisor, deadline

    jobs = cases.jobs(cases.choose(names(options.ops)), names(options.dtype), options.shape)
    if not jobs:
        print("compare: no operator has dims of these names", file=sys.stderr)
        return 2
    rows = []

    def done(row):
        rows.append(row)
        print(f"[{len(rows)}/{len(jobs)}]", *report.cells(row), flush=True)
        if options.json:
            report.save(options.json, supervisor.facts, rows, supervisor.problems)

    supervisor = Supervisor(
        {
            "device": options.device,
            "library": options.library,
            "out_of_place": options.out_of_place,
            "with": options.schedule,
            "records": options.records,
            "no_records": options.no_records,
            "rounds": options.rounds,
            "against": names(options.against),
            "deadline": deadline(options.budget),
            "row_seconds": options.row_seconds,
            "verbose": options.verbose,
        },
        done,
    )
    supervisor.run(jobs)
    if options.json:
        report.save(options.json, supervisor.facts, rows, supervisor.problems)
    print()
    print(", ".join(f"{name} {value}" for name, value in supervisor.facts.items()))
    show(rows, options.markdown)
    for name, why in supervisor.problems.items():
        print(f"copy form {name}: {why}")
    return verdict(rows, options.strict)


def main(argv):
    options = arguments(argv)
    try:
        if options.self_test:
            from self_test import self_test

            return self_test(options.library)
        if options.show:
            facts, rows = report.load(options.show)
            show(rows, options.markdown)
            if options.bench_json:
                report.write(options.bench_json, report.bench_rows(facts, rows))
            return verdict(rows, options.strict)
        if options.first_call:
            from first_call import first_calls

            return first_calls(options, names(options.ops))
        unknown = set(names(options.dtype)) - set(cases.SIZES)
        if unknown:
            raise ValueError(f"no such type: {', '.join(sorted(unknown))}")
        return compare(options)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
