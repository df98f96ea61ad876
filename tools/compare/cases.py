"""What is compared: operators, their arguments, shapes, bytes and bars. No torch in here.

The shapes are those of model layers; bytes are the fewest that an operator must move: its large
tensors, each input read once, each output written once.
"""

import dataclasses
import math

from binding import Tensor

# Bytes of an element.
SIZES = {"bf16": 2, "f16": 2, "f32": 4}


@dataclasses.dataclass(frozen=True)
class Input:
    """An input tensor: dims by name ("2P" is twice P), values normal, or drawn from `sample`."""

    name: str
    dims: tuple
    dtype: str = "T"  # the dtype of the row
    sample: tuple = ("normal", 0.0, 1.0)  # or ("uniform", lo, hi), ("randint", lo, dim)


@dataclasses.dataclass(frozen=True)
class Case:
    """An operator in one direction.

    op, in_place: the names in the library; in_place is measured where Liger works in place too.
    written: inputs that the in-place forms leave changed. results: what is compared: name in the
    reference, name of the tensor that holds it, of op and of in_place.
    moved: how many of the large tensors (of `body` elements) are read or written.
    """

    name: str
    op: str
    inputs: tuple
    results: dict
    body: tuple
    moved: int
    shapes: tuple
    bar: float
    aim: float
    in_place: str = None
    in_place_results: dict = None
    written: tuple = ()
    absent: tuple = ()  # optional outputs that are not wanted
    family: str = None  # the problem in problems.py

    def elements(self, dims):
        return sum(math.prod(dim_value(dim, dims) for dim in part) for part in self.body)

    def bytes(self, dims, dtype):
        return self.moved * self.elements(dims) * SIZES[dtype]

    def arguments(self, dims, dtype):
        """The library's arguments; tensors are contiguous."""
        given = {
            i.name: Tensor(
                dtype if i.dtype == "T" else i.dtype, [dim_value(dim, dims) for dim in i.dims]
            )
            for i in self.inputs
        }
        return given | {name: None for name in self.absent}

    def form(self, out_of_place):
        """(operator, results): the form that is measured."""
        if self.in_place and not out_of_place:
            return self.in_place, self.in_place_results
        return self.op, self.results


def dim_value(dim, dims):
    """ "D" or "2P" (twice P)."""
    return 2 * dims[dim[1:]] if dim.startswith("2") else dims[dim]


def _rows(*pairs):
    return tuple({"R": rows, "D": columns} for rows, columns in pairs)


NORM = _rows((32768, 1024), (16384, 2048), (8192, 4096), (8192, 8192), (4096, 16384), (2048, 32768))
GATED = tuple({"R": r, "F": f} for r, f in ((8192, 14336), (8192, 28672), (32768, 5632)))
HEADS = (
    {"B": 4, "S": 2048, "Hq": 32, "Hk": 8, "P": 64, "N": 1},
    {"B": 1, "S": 16384, "Hq": 64, "Hk": 8, "P": 64, "N": 1},
)
LOGITS = tuple(
    {"N": n, "V": v}
    for n, v in ((8192, 32000), (8192, 50257), (4096, 128256), (8192, 151936), (4096, 262144))
)

_RD, _D, _R = ("R", "D"), ("D",), ("R",)
_WEIGHT = Input("w", _D, sample=("uniform", 0.5, 1.5))
_RSTD = Input("rstd", _R, "f32", ("uniform", 0.5, 2.0))
_RF = ("R", "F")
_Q, _K, _TABLE = ("B", "S", "Hq", "2P"), ("B", "S", "Hk", "2P"), ("N", "S", "2P")
_ANGLES = (
    Input("cos", _TABLE, sample=("uniform", -1.0, 1.0)),
    Input("sin", _TABLE, sample=("uniform", -1.0, 1.0)),
)
_TARGET = Input("target", ("N",), "i64", ("randint", 0, "V"))


def _same(*names):
    return {name: name for name in names}


def _gated(name):
    return (
        Case(
            name=f"{name}_fwd",
            op=name,
            inputs=(Input("a", _RF), Input("b", _RF)),
            results=_same("y"),
            body=(_RF,),
            moved=3,
            shapes=GATED,
            bar=0.97,
            aim=1.00,
        ),
        Case(
            name=f"{name}_bwd",
            op=f"{name}_bwd",
            in_place=f"{name}_bwd_in_place",
            inputs=(Input("dy", _RF), Input("a", _RF), Input("b", _RF)),
            results=_same("da", "db"),
            in_place_results={"da": "a", "db": "b"},
            written=("a", "b"),
            body=(_RF,),
            moved=5,
            shapes=GATED,
            bar=0.97,
            aim=1.00,
        ),
    )


def _rope(name, op, q, k, dq, dk):
    return Case(
        name=name,
        op=op,
        in_place=f"{op}_in_place",
        inputs=(Input(q, _Q), Input(k, _K)) + _ANGLES,
        results={dq: dq, dk: dk},
        in_place_results={dq: q, dk: k},
        written=(q, k),
        body=(_Q, _K),
        moved=2,
        shapes=HEADS,
        bar=0.92,
        aim=0.97,
    )


CASES = (
    Case(
        name="rms_norm_fwd",
        op="rms_norm",
        inputs=(Input("x", _RD), _WEIGHT),
        results=_same("y", "rstd"),
        body=(_RD,),
        moved=2,
        shapes=NORM,
        bar=0.95,
        aim=0.99,
    ),
    Case(
        name="rms_norm_bwd",
        op="rms_norm_bwd",
        in_place="rms_norm_bwd_in_place",
        inputs=(Input("dy", _RD), Input("x", _RD), _WEIGHT, _RSTD),
        results=_same("dx", "dw"),
        in_place_results={"dx": "dy", "dw": "dw"},
        written=("dy",),
        body=(_RD,),
        moved=3,
        shapes=NORM,
        bar=0.88,
        aim=0.95,
    ),
    Case(
        name="layer_norm_fwd",
        op="layer_norm",
        inputs=(Input("x", _RD), _WEIGHT, Input("b", _D)),
        results=_same("y", "mean", "rstd"),
        body=(_RD,),
        moved=2,
        shapes=NORM,
        bar=0.95,
        aim=0.99,
    ),
    Case(
        name="layer_norm_bwd",
        op="layer_norm_bwd",
        inputs=(Input("dy", _RD), Input("x", _RD), _WEIGHT, Input("mean", _R, "f32"), _RSTD),
        results=_same("dx", "dw", "db"),
        body=(_RD,),
        moved=3,
        shapes=NORM,
        bar=0.88,
        aim=0.95,
    ),
    Case(
        name="fused_add_rms_norm_fwd",
        op="fused_add_rms_norm",
        inputs=(Input("x", _RD), Input("res", _RD), _WEIGHT),
        results=_same("y", "s", "rstd"),
        body=(_RD,),
        moved=4,
        shapes=NORM,
        bar=0.95,
        aim=0.99,
    ),
    Case(
        name="fused_add_rms_norm_bwd",
        op="fused_add_rms_norm_bwd",
        in_place="fused_add_rms_norm_bwd_in_place",
        inputs=(Input("dy", _RD), Input("ds", _RD), Input("s", _RD), _WEIGHT, _RSTD),
        results=_same("dx", "dw"),
        in_place_results={"dx": "dy", "dw": "dw"},
        written=("dy",),
        body=(_RD,),
        moved=4,
        shapes=NORM,
        bar=0.88,
        aim=0.95,
    ),
    Case(
        name="softmax_fwd",
        op="softmax",
        inputs=(Input("x", _RD),),
        results=_same("y"),
        body=(_RD,),
        moved=2,
        shapes=NORM + _rows((8192, 32000)),
        bar=0.95,
        aim=0.99,
    ),
    Case(
        name="softmax_wide_fwd",
        op="softmax",
        family="softmax_fwd",
        inputs=(Input("x", _RD),),
        results=_same("y"),
        body=(_RD,),
        moved=2,
        shapes=_rows((4096, 128256)),
        bar=0.93,
        aim=0.98,
    ),
    Case(
        name="softmax_bwd",
        op="softmax_bwd",
        inputs=(Input("dy", _RD), Input("y", _RD)),
        results=_same("dx"),
        body=(_RD,),
        moved=3,
        shapes=NORM,
        bar=0.95,
        aim=0.99,
    ),
    *_gated("swiglu"),
    *_gated("geglu"),
    _rope("rope_fwd", "rope", "q", "k", "yq", "yk"),
    _rope("rope_bwd", "rope_bwd", "dyq", "dyk", "dq", "dk"),
    Case(
        name="cross_entropy_grad",
        op="cross_entropy",
        in_place="cross_entropy_in_place",
        inputs=(Input("z", ("N", "V")), _TARGET),
        results=_same("loss", "dz"),
        in_place_results={"loss": "loss", "dz": "z"},
        written=("z",),
        absent=("weight", "z_loss", "accuracy", "predicted", "top", "rest"),
        body=(("N", "V"),),
        moved=2,
        shapes=LOGITS,
        bar=0.92,
        aim=0.97,
    ),
    Case(
        name="cross_entropy_loss",
        op="cross_entropy",
        inputs=(Input("z", ("N", "V")), _TARGET),
        results=_same("loss"),
        absent=("weight", "z_loss", "accuracy", "predicted", "top", "rest", "dz"),
        body=(("N", "V"),),
        moved=1,
        shapes=LOGITS,
        bar=0.93,
        aim=0.98,
    ),
)
BY_NAME = {case.name: case for case in CASES}


def parse_shape(text):
    """ "R=8192,D=4096" as a dict."""
    dims = {}
    for part in text.split(","):
        name, equals, size = part.partition("=")
        if not equals or not size.strip().isdigit():
            raise ValueError(f"'{part}' is not NAME=SIZE")
        dims[name.strip()] = int(size)
    return dims


def shape_text(dims):
    return ",".join(f"{name}={size}" for name, size in dims.items())


def choose(names):
    """The cases named: "rms_norm" stands for both directions, "all" or nothing for everything."""
    if not names or names == ["all"]:
        return list(CASES)
    chosen = []
    for name in names:
        found = [case for case in CASES if case.name == name or case.name.startswith(name + "_")]
        if not found:
            raise ValueError(f"'{name}' is none of: {', '.join(BY_NAME)}")
        chosen += [case for case in found if case not in chosen]
    return chosen


def jobs(cases, dtypes, shapes=None):
    """What is to be measured, row by row: dicts that travel as JSON."""
    wanted = [
        {"case": case.name, "dims": dims, "dtype": dtype}
        for dtype in dtypes
        for case in cases
        for dims in case.shapes
    ]
    if not shapes:
        return wanted
    names = {}
    for job in wanted:
        names.setdefault((job["case"], job["dtype"]), job["dims"].keys())
    return [
        {"case": case, "dims": dims, "dtype": dtype}
        for (case, dtype), dim_names in names.items()
        for dims in shapes
        if dims.keys() == set(dim_names)
    ]
