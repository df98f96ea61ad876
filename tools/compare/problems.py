"""One row of the comparison with data: random inputs, what is right (f32, a few rows at a time), and
how Liger and torch are called for the same.

A problem owns its master inputs, and copies of those that someone overwrites: `tensors` is what runs
use, `restore` makes it good again.
"""

import importlib
import math

import torch
import torch.nn.functional as F

from cases import dim_value

EPS = 1e-6
DTYPES = {
    "bf16": torch.bfloat16,
    "f16": torch.float16,
    "f32": torch.float32,
    "i64": torch.int64,
}
ALIGNMENT = 256  # what the library is promised of every pointer
CHUNK = 1 << 26  # elements that the reference looks at together


def allocate(shape, dtype, device):
    """A tensor aligned to 256 bytes: torch promises less, on the CPU it gives 64."""
    size = dtype.itemsize * math.prod(shape)
    memory = torch.empty(size + ALIGNMENT, dtype=torch.uint8, device=device)
    lead = -memory.data_ptr() % ALIGNMENT
    return memory[lead : lead + size].view(dtype).view(shape)


def copy_of(t):
    return allocate(t.shape, t.dtype, t.device).copy_(t)


def liger(module):
    """A module of Liger's default (Triton) kernels, whatever implementation its package prefers."""
    return importlib.import_module(f"liger_kernel.ops.{module}")


class Problem:
    """A case with data. Subclasses say what is right, and how others compute it."""

    def __init__(self, case, dims, dtype, device, seed=0):
        self.case, self.dims, self.dtype, self.device = case, dims, dtype, device
        generator = torch.Generator(device=device)
        generator.manual_seed(seed)
        self.masters = {i.name: self._draw(i, generator) for i in case.inputs}
        self.derive()
        self.tensors = {
            name: copy_of(t) if name in case.written else t for name, t in self.masters.items()
        }

    def _draw(self, spec, generator):
        shape = [dim_value(dim, self.dims) for dim in spec.dims]
        dtype = DTYPES[self.dtype if spec.dtype == "T" else spec.dtype]
        t = allocate(shape, dtype, self.device)
        kind, a, b = spec.sample
        if kind == "normal":
            return t.normal_(a, b, generator=generator)
        if kind == "uniform":
            return t.uniform_(a, b, generator=generator)
        return t.random_(a, self.dims[b], generator=generator)

    def restore(self):
        for name in self.case.written:
            self.tensors[name].copy_(self.masters[name])

    def derive(self):
        """Makes inputs that follow from others: saved statistics, results of the forward."""

    def rows(self):
        """How many rows there are, and of how many elements."""
        return self.dims["R"], self.dims.get("D", self.dims.get("F"))

    def reference(self, lo, hi):
        """Results for rows [lo, hi) in f32, from the masters. Names in `sums` are parts of a sum."""
        raise NotImplementedError

    sums = ()

    def expected(self):
        """Yields (name, rows or None, value): slices of row results, then the sums."""
        count, width = self.rows()
        step = max(1, CHUNK // max(1, width))
        totals = {}
        for lo in range(0, count, step):
            hi = min(count, lo + step)
            for name, value in self.reference(lo, hi).items():
                if name in self.sums:
                    totals[name] = totals.get(name, 0) + value.double()
                else:
                    yield name, (lo, hi), value
        for name, value in totals.items():
            yield name, None, value

    def flat(self, t):
        """A result with its rows as the first dim."""
        return t

    def liger(self):
        """A function that runs Liger's kernels on `tensors` and returns the results by name."""
        raise NotImplementedError

    def torch(self):
        """The same in eager torch, on the masters; what autograd needs is made beforehand."""
        raise NotImplementedError


def gradient(outputs, inputs, upstream):
    """A function that runs the backward of a graph that is kept."""
    return lambda: torch.autograd.grad(outputs, inputs, upstream, retain_graph=True)


def leaf(t):
    return t.detach().requires_grad_()


def settings(columns):
    """Liger's block size and warps."""
    return liger("utils").calculate_settings(columns)


# ---- norms -----------------------------------------------------------------------------------------


def rms_parts(x):
    """x in f32 and 1 / rms of its rows."""
    x = x.float()
    return x, torch.rsqrt(x.square().mean(-1) + EPS)


def rms_backward(dy, x, w, rstd, ds=None):
    dy, x, w, k = dy.float(), x.float(), w.float(), rstd.float()[:, None]
    m, n = dy * w, x * k
    dx = k * (m - n * (m * n).mean(-1, keepdim=True))
    return {"dx": dx if ds is None else dx + ds.float(), "dw": (dy * n).sum(0)}


class RmsNormForward(Problem):
    def reference(self, lo, hi):
        x, rstd = rms_parts(self.masters["x"][lo:hi])
        return {"y": x * rstd[:, None] * self.masters["w"].float(), "rstd": rstd}

    def liger(self):
        ops, t = liger("rms_norm"), self.tensors

        def run():
            y, _, rstd, *_ = ops.rms_norm_forward(t["x"], t["w"], EPS, 0.0, "llama", False)
            return {"y": y, "rstd": rstd}

        return run

    def torch(self):
        m = self.masters
        return lambda: F.rms_norm(m["x"], m["w"].shape, m["w"], EPS)


class RmsNormBackward(Problem):
    sums = ("dw",)

    def derive(self):
        self.masters["rstd"].copy_(rms_parts(self.masters["x"])[1])

    def reference(self, lo, hi):
        m = self.masters
        return rms_backward(m["dy"][lo:hi], m["x"][lo:hi], m["w"], m["rstd"][lo:hi])

    def liger(self):
        ops, t = liger("rms_norm"), self.tensors
        block, warps = settings(self.dims["D"])
        llama = int(ops._CASTING_MODE_LLAMA.value)

        def run():
            dx, dw = ops.rms_norm_backward(
                t["dy"], t["x"], t["w"], t["rstd"], 0.0, llama, block, warps, True, False
            )
            return {"dx": dx, "dw": dw}

        return run

    def torch(self):
        m = self.masters
        x, w = leaf(m["x"]), leaf(m["w"])
        with torch.enable_grad():
            y = F.rms_norm(x, w.shape, w, EPS)
        return gradient(y, (x, w), m["dy"])


class FusedAddRmsNormForward(Problem):
    def reference(self, lo, hi):
        m = self.masters
        s = m["x"][lo:hi] + m["res"][lo:hi]
        x, rstd = rms_parts(s)
        return {"y": x * rstd[:, None] * m["w"].float(), "s": s.float(), "rstd": rstd}

    def liger(self):
        ops, t = liger("fused_add_rms_norm"), self.tensors

        def run():
            y, s, rstd, *_ = ops.fused_add_rms_norm_forward(
                t["x"], t["res"], t["w"], EPS, 0.0, "llama"
            )
            return {"y": y, "s": s, "rstd": rstd}

        return run

    def torch(self):
        m = self.masters

        def run():
            s = m["x"] + m["res"]
            return F.rms_norm(s, m["w"].shape, m["w"], EPS), s

        return run


class FusedAddRmsNormBackward(Problem):
    sums = ("dw",)

    def derive(self):
        self.masters["rstd"].copy_(rms_parts(self.masters["s"])[1])

    def reference(self, lo, hi):
        m = self.masters
        return rms_backward(m["dy"][lo:hi], m["s"][lo:hi], m["w"], m["rstd"][lo:hi], m["ds"][lo:hi])

    def liger(self):
        ops, t = liger("fused_add_rms_norm"), self.tensors
        block, warps = settings(self.dims["D"])
        llama = int(ops._CASTING_MODE_LLAMA.value)

        def run():
            dx, _, dw = ops.fused_add_rms_norm_backward(
                t["dy"], t["ds"], t["s"], t["w"], t["rstd"], 0.0, llama, block, warps, 2, True
            )
            return {"dx": dx, "dw": dw}

        return run

    def torch(self):
        m = self.masters
        s, w = leaf(m["s"]), leaf(m["w"])
        with torch.enable_grad():
            y = F.rms_norm(s, w.shape, w, EPS)
        backward = gradient(y, (s, w), m["dy"])

        def run():
            dx, dw = backward()
            return dx + m["ds"], dw

        return run


def layer_parts(x):
    x = x.float()
    mean = x.mean(-1)
    return x, mean, torch.rsqrt((x - mean[:, None]).square().mean(-1) + EPS)


class LayerNormForward(Problem):
    def reference(self, lo, hi):
        m = self.masters
        x, mean, rstd = layer_parts(m["x"][lo:hi])
        n = (x - mean[:, None]) * rstd[:, None]
        return {"y": n * m["w"].float() + m["b"].float(), "mean": mean, "rstd": rstd}

    def liger(self):
        ops, t = liger("layer_norm"), self.tensors

        def run():
            y, _, mean, rstd, *_ = ops.layer_norm_forward(t["x"], t["w"], t["b"], EPS)
            return {"y": y, "mean": mean, "rstd": rstd}

        return run

    def torch(self):
        m = self.masters
        return lambda: F.layer_norm(m["x"], m["w"].shape, m["w"], m["b"], EPS)


class LayerNormBackward(Problem):
    sums = ("dw", "db")

    def derive(self):
        _, mean, rstd = layer_parts(self.masters["x"])
        self.masters["mean"].copy_(mean)
        self.masters["rstd"].copy_(rstd)

    def reference(self, lo, hi):
        m = self.masters
        dy, w = m["dy"][lo:hi].float(), m["w"].float()
        k = m["rstd"][lo:hi][:, None]
        n = (m["x"][lo:hi].float() - m["mean"][lo:hi][:, None]) * k
        u = dy * w
        dx = k * (u - u.mean(-1, keepdim=True) - n * (u * n).mean(-1, keepdim=True))
        return {"dx": dx, "dw": (dy * n).sum(0), "db": dy.sum(0)}

    def liger(self):
        ops, t = liger("layer_norm"), self.tensors
        bias = torch.zeros_like(t["w"])  # only its type is looked at

        def run():
            dx, dw, db = ops.layer_norm_backward(
                t["dy"], t["x"], t["w"], bias, t["mean"], t["rstd"]
            )
            return {"dx": dx, "dw": dw, "db": db}

        return run

    def torch(self):
        m = self.masters
        x, w = leaf(m["x"]), leaf(m["w"])
        b = leaf(torch.zeros_like(w))
        with torch.enable_grad():
            y = F.layer_norm(x, w.shape, w, b, EPS)
        return gradient(y, (x, w, b), m["dy"])


# ---- softmax ---------------------------------------------------------------------------------------


class SoftmaxForward(Problem):
    def reference(self, lo, hi):
        return {"y": torch.softmax(self.masters["x"][lo:hi].float(), -1)}

    def liger(self):
        ops, t = liger("softmax"), self.tensors
        return lambda: {"y": ops._softmax_forward(t["x"])[0]}

    def torch(self):
        m = self.masters
        return lambda: torch.softmax(m["x"], -1)


class SoftmaxBackward(Problem):
    def derive(self):
        self.masters["y"].copy_(torch.softmax(self.masters["y"], -1))

    def reference(self, lo, hi):
        y, dy = self.masters["y"][lo:hi].float(), self.masters["dy"][lo:hi].float()
        return {"dx": y * (dy - (y * dy).sum(-1, keepdim=True))}

    def liger(self):
        ops, t = liger("softmax"), self.tensors
        block, warps = settings(self.dims["D"])
        return lambda: {"dx": ops._softmax_backward(t["dy"], t["y"], block, warps, False)}

    def torch(self):
        m = self.masters
        return lambda: torch._softmax_backward_data(m["dy"], m["y"], -1, m["y"].dtype)


# ---- gated units -----------------------------------------------------------------------------------


class GatedForward(Problem):
    @staticmethod
    def gate(a):
        raise NotImplementedError

    def reference(self, lo, hi):
        a, b = self.masters["a"][lo:hi], self.masters["b"][lo:hi]
        return {"y": self.gate(a.float()) * b.float()}

    def liger(self):
        ops, t = liger(self.module), self.tensors
        forward = getattr(ops, f"{self.module}_forward")
        return lambda: {"y": forward(t["a"], t["b"])[2]}

    def torch(self):
        m = self.masters
        return lambda: self.gate(m["a"]) * m["b"]


class GatedBackward(GatedForward):
    def reference(self, lo, hi):
        a = leaf(self.masters["a"][lo:hi].float())
        dy, b = self.masters["dy"][lo:hi].float(), self.masters["b"][lo:hi].float()
        with torch.enable_grad():
            g = self.gate(a)
        (da,) = torch.autograd.grad(g, a, dy * b)
        return {"da": da, "db": dy * g.detach()}

    def liger(self):
        ops, t = liger(self.module), self.tensors
        backward = getattr(ops, f"{self.module}_backward")

        def run():
            da, db = backward(t["a"], t["b"], t["dy"])
            return {"da": da, "db": db}

        return run

    def torch(self):
        a, b = leaf(self.masters["a"]), leaf(self.masters["b"])
        with torch.enable_grad():
            y = self.gate(a) * b
        return gradient(y, (a, b), self.masters["dy"])


def gelu(a):
    return F.gelu(a, approximate="tanh")


class SwigluForward(GatedForward):
    module, gate = "swiglu", staticmethod(F.silu)


class SwigluBackward(GatedBackward):
    module, gate = "swiglu", staticmethod(F.silu)


class GegluForward(GatedForward):
    module, gate = "geglu", staticmethod(gelu)


class GegluBackward(GatedBackward):
    module, gate = "geglu", staticmethod(gelu)


# ---- rope ------------------------------------------------------------------------------------------


class Rope(Problem):
    names = ("q", "k")
    outputs = ("yq", "yk")
    sign = 1.0

    def derive(self):
        """Real angles, as a model makes its tables: both halves alike."""
        positions, half = self.dims["S"], self.dims["P"]
        steps = torch.arange(half, device=self.device, dtype=torch.float32) / half
        at = torch.arange(positions, device=self.device, dtype=torch.float32)
        angles = torch.outer(at, 10000.0**-steps)
        angles = torch.cat((angles, angles), -1)
        self.masters["cos"].copy_(angles.cos().expand_as(self.masters["cos"]))
        self.masters["sin"].copy_(angles.sin().expand_as(self.masters["sin"]))

    def rows(self):
        heads = self.dims["Hq"] + self.dims["Hk"]
        return self.dims["B"] * self.dims["S"], heads * 2 * self.dims["P"]

    def flat(self, t):
        return t.reshape(-1, *t.shape[2:])

    def reference(self, lo, hi):
        at = torch.arange(lo, hi, device=self.device)
        batch, position = at // self.dims["S"], at % self.dims["S"]
        table = batch.clamp(max=self.dims["N"] - 1)
        cos = self.masters["cos"][table, position].float()[:, None]
        sin = self.masters["sin"][table, position].float()[:, None] * self.sign
        return {
            out: self.turn(self.flat(self.masters[name])[lo:hi].float(), cos, sin)
            for name, out in zip(self.names, self.outputs)
        }

    @staticmethod
    def turn(x, cos, sin):
        first, second = x.chunk(2, -1)
        return x * cos + torch.cat((-second, first), -1) * sin

    def liger(self):
        ops, t = liger("rope"), self.tensors
        rotate = ops.rope_forward if self.sign > 0 else ops.rope_backward
        q, k = (t[name].transpose(1, 2) for name in self.names)

        def run():
            yq, yk, *_ = rotate(q, k, t["cos"], t["sin"])
            return {self.outputs[0]: yq.transpose(1, 2), self.outputs[1]: yk.transpose(1, 2)}

        return run

    def torch(self):
        m = self.masters
        cos, sin = m["cos"][:, :, None], m["sin"][:, :, None] * self.sign
        return lambda: tuple(self.turn(m[name], cos, sin) for name in self.names)


class RopeBackward(Rope):
    names, outputs, sign = ("dyq", "dyk"), ("dq", "dk"), -1.0


# ---- cross entropy ---------------------------------------------------------------------------------


class Replay:
    """Stands in for a Triton kernel: launches it, and remembers how, to launch it again without the
    host code around it (which waits for the device)."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.grid = self.arguments = None

    def __getitem__(self, grid):
        def launch(**arguments):
            self.grid, self.arguments = grid, arguments
            return self.again()

        return launch

    def again(self):
        return self.kernel[self.grid](**self.arguments)


class CrossEntropyLoss(Problem):
    sums = ("loss",)
    with_gradient = False

    def rows(self):
        return self.dims["N"], self.dims["V"]

    def reference(self, lo, hi):
        z, target = self.masters["z"][lo:hi].float(), self.masters["target"][lo:hi]
        count = self.dims["N"]
        lse = torch.logsumexp(z, -1)
        at_target = z.gather(1, target[:, None])[:, 0]
        results = {"loss": (lse - at_target).double().sum() / count}
        if self.with_gradient:
            p = torch.exp(z - lse[:, None])
            # p - 1 at the target, without cancellation
            p.scatter_(1, target[:, None], torch.expm1(at_target - lse)[:, None])
            results["dz"] = p / count
        return results

    def liger(self):
        """Its kernel and the sum of the losses, as remembered from one whole call. What the call does
        besides (counting targets on the host, waiting twice) is left out, in Liger's favour."""
        ops = liger("cross_entropy")
        z, target = self.tensors["z"], self.tensors["target"]
        z.requires_grad_(self.with_gradient)
        kernel = ops.liger_cross_entropy_kernel
        replay = ops.liger_cross_entropy_kernel = Replay(kernel)
        try:
            ops.cross_entropy_forward(z, target, None, -100, 0.0, 0.0, "mean", None, False)
        finally:
            ops.liger_cross_entropy_kernel = kernel
        losses = replay.arguments["loss_ptr"]

        def run():
            replay.again()
            results = {"loss": losses.sum()}
            return results | {"dz": z.detach()} if self.with_gradient else results

        return run

    def torch(self):
        m = self.masters
        if not self.with_gradient:
            return lambda: F.cross_entropy(m["z"], m["target"])
        z = leaf(m["z"])

        def run():
            with torch.enable_grad():
                loss = F.cross_entropy(z, m["target"])
            return torch.autograd.grad(loss, z)

        return run


class CrossEntropyGradient(CrossEntropyLoss):
    with_gradient = True


FAMILIES = {
    "rms_norm_fwd": RmsNormForward,
    "rms_norm_bwd": RmsNormBackward,
    "layer_norm_fwd": LayerNormForward,
    "layer_norm_bwd": LayerNormBackward,
    "fused_add_rms_norm_fwd": FusedAddRmsNormForward,
    "fused_add_rms_norm_bwd": FusedAddRmsNormBackward,
    "softmax_fwd": SoftmaxForward,
    "softmax_bwd": SoftmaxBackward,
    "swiglu_fwd": SwigluForward,
    "swiglu_bwd": SwigluBackward,
    "geglu_fwd": GegluForward,
    "geglu_bwd": GegluBackward,
    "rope_fwd": Rope,
    "rope_bwd": RopeBackward,
    "cross_entropy_grad": CrossEntropyGradient,
    "cross_entropy_loss": CrossEntropyLoss,
}


def make(case, dims, dtype, device):
    return FAMILIES[case.family or case.name](case, dims, dtype, device)
