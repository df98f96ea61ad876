"""What is shown of measured rows: a table, for a terminal or as Markdown, and the sums under it."""

import json
import math
import os

from cases import shape_text

HEADINGS = (
    "operator",
    "shape",
    "type",
    "us",
    "GB/s",
    "copy us",
    "ratio",
    "bar",
    "Liger us",
    "speedup",
    "torch us",
)


def measured(row):
    return not row.get("error") and not row.get("skipped")


def cells(row):
    head = [row["case"], shape_text(row["dims"]), row["dtype"]]
    if not measured(row):
        return head + [row.get("error") or row["skipped"]]
    times = row["times"]

    def us(name):
        return f"{times[name]['median_us']:.1f}" if name in times else "-"

    copy = row["copies"][row["copy"]]["median_us"]
    speedup = row["liger_speedup"]
    return head + [
        us("ldsl"),
        f"{row['gbs']:.0f}",
        f"{copy:.1f}",
        f"{row['ratio']:.3f}{'' if row['ratio'] >= row['bar'] else ' <'}",
        f"{row['bar']:.2f}",
        us("liger"),
        f"{speedup:.2f}" if speedup else "-",
        us("torch"),
    ]


def table(rows, markdown=False):
    """Lines of text. A ratio under its bar is followed by '<'."""
    lines = [list(HEADINGS)] + [cells(row) for row in rows]
    if markdown:
        out = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
        for line in lines[1:]:
            line += [""] * (len(HEADINGS) - len(line))
            out.append("| " + " | ".join(line) + " |")
        return out
    full = [line for line in lines if len(line) == len(HEADINGS)]
    widths = [max(len(line[i]) for line in full + [lines[0]]) for i in range(len(HEADINGS))]
    for line in lines:
        widths[:3] = [max(w, len(cell)) for w, cell in zip(widths[:3], line)]
    return ["  ".join(_pad(cell, i, widths) for i, cell in enumerate(line)) for line in lines]


def _pad(cell, i, widths):
    return cell.ljust(widths[i]) if i < 3 else cell.rjust(widths[i])


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def summary(rows):
    """Lines under the table: bars met, speedups, types against each other, what went wrong."""
    good = [row for row in rows if measured(row)]
    lines = []
    if good:
        met = sum(row["ratio"] >= row["bar"] for row in good)
        lines.append(
            f"{met} of {len(good)} rows reach their bar; "
            f"geometric mean of the ratios {geometric_mean([row['ratio'] for row in good]):.3f}"
        )
    for name, label in (("liger", "Liger"), ("torch", "torch")):
        speedups = [(row[f"{name}_speedup"], row) for row in good if row[f"{name}_speedup"]]
        if speedups:
            least, where = min(speedups, key=lambda pair: pair[0])
            lines.append(
                f"{label}: geometric mean of the speedups "
                f"{geometric_mean([s for s, _ in speedups]):.2f} over {len(speedups)} rows; "
                f"least {least:.2f} ({where['case']} {shape_text(where['dims'])} {where['dtype']})"
            )
    lines += type_lines(good)
    for row in rows:
        place = f"{row['case']} {shape_text(row['dims'])} {row['dtype']}"
        if row.get("error"):
            lines.append(f"{place}: {row['error']}")
        lines += [f"{place}: {note}" for note in row.get("notes", ())]
        lines += [
            f"{place}: {kernel['kernel']} spills {kernel['spill_bytes']} bytes of registers"
            for kernel in row.get("kernels", ())
            if kernel.get("spill_bytes")
        ]
        if row.get("same_bits") is False:
            lines.append(f"{place}: two runs gave different bits")
    skipped = sum(bool(row.get("skipped")) for row in rows)
    if skipped:
        lines.append(f"{skipped} rows were not measured: no time left")
    return lines


def type_lines(rows):
    """How far the ratios of f32 and f16 are from those of bf16."""
    by_type = {}
    for row in rows:
        by_type.setdefault(row["dtype"], {})[row["case"], shape_text(row["dims"])] = row["ratio"]
    lines = []
    for dtype, ratios in by_type.items():
        both = [(ratios[k] - by_type["bf16"][k], k) for k in ratios if k in by_type.get("bf16", {})]
        if dtype == "bf16" or not both:
            continue
        least, (case, shape) = min(both)
        lines.append(
            f"{dtype} against bf16: ratio {least:+.3f} at worst ({case} {shape}), over {len(both)} rows"
        )
    return lines


def write(path, data):
    """Written whole or not at all."""
    temporary = f"{path}.part"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")
    os.replace(temporary, path)


def save(path, facts, rows, problems):
    """One JSON object: facts, rows, and copy forms that did not run."""
    write(path, {**facts, "rows": rows, "copy_problems": problems})


def bench_rows(facts, rows):
    """The measured rows as `ldsl bench --json` writes its own: `ldsl bench --show` draws them."""

    def bench_row(row):
        ours = row["times"]["ldsl"]
        return {
            "op": row["case"],
            "dtype": row["dtype"],
            "shape": row["dims"],
            "machine": facts.get("device", ""),
            **{key: ours[key] for key in ("median_us", "p20_us", "p80_us")},
            "gbs": row["gbs"],
            "copy_ratio": row["ratio"],
            "copy_gbs": row["copy_gbs"],
            "copy": row["copy"],
        }

    return {"rows": [bench_row(row) for row in rows if measured(row)]}


def load(paths):
    """(facts of the first, rows of all)."""
    facts, rows = None, []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        rows += data.pop("rows")
        facts = facts or data
    return facts or {}, rows
