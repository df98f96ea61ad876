"""The C interface of libldsl (include/ldsl/runtime.h) through ctypes; nothing else is needed.

One object per handle. A handle keeps alive what it was made from, and is released with it. Failures
are raised as Error with the library's own message.
"""

import atexit
import ctypes
import ctypes.util
import itertools
import os
import pathlib
import weakref
from ctypes import POINTER, c_bool, c_char, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint32
from ctypes import c_uint64, c_void_p

MAX_RANK = 8
TENSOR, ABSENT, SCALAR, ENUM, TYPE = range(5)  # enum ldsl_argument_kind


class Error(RuntimeError):
    """A call of the library failed; the text says which and why."""


class _Sink(ctypes.Structure):
    _fields_ = [("report", c_void_p), ("user", c_void_p)]


class _Options(ctypes.Structure):
    _fields_ = [
        ("sink", _Sink),
        ("cache_path", c_char_p),
        ("cache_bytes", c_uint64),
        ("no_cache", c_bool),
        ("no_compile", c_bool),
        ("check", c_bool),
        ("line_info", c_bool),
        ("round_bias", c_int),
        ("threads", c_uint32),
        ("records_path", c_char_p),
        ("no_records", c_bool),
        ("records_read_only", c_bool),
        ("tune_first_use", c_bool),
        ("reserved", c_char * 256),  # what a newer library adds is zero
    ]


class _Argument(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("kind", c_int),
        ("dtype", c_int),
        ("rank", c_uint32),
        ("shape", c_int64 * MAX_RANK),
        ("strides", c_int64 * MAX_RANK),
        ("alignment", c_uint32),
        ("number", c_double),
        ("integer", c_int64),
        ("is_integer", c_bool),
        ("word", c_char_p),
    ]


class _TensorInfo(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("dtype", c_int),
        ("rank", c_uint32),
        ("shape", c_int64 * MAX_RANK),
        ("strides", c_int64 * MAX_RANK),
        ("bytes", c_size_t),
        ("is_output", c_bool),
        ("is_written", c_bool),
    ]


class _KernelInfo(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("entry", c_char_p),
        ("target", c_char_p),
        ("variant", c_char_p),
        ("slots", c_void_p),
        ("slot_count", c_uint32),
        ("block_threads", c_uint32),
        ("cluster", c_uint32),
        ("shared_bytes", c_uint32),
        ("registers", c_uint32),
        ("spill_bytes", c_uint32),
        ("scratch_bytes", c_uint64),
        ("checked", c_bool),
        ("dependent", c_bool),
        ("reserved", c_char * 256),  # what a newer library adds
    ]


_SIGNATURES = {
    "ldsl_context_create": (c_int, [POINTER(c_void_p), c_char_p, POINTER(_Options)]),
    "ldsl_context_destroy": (None, [c_void_p]),
    "ldsl_context_target": (c_char_p, [c_void_p]),
    "ldsl_context_description": (c_char_p, [c_void_p]),
    "ldsl_last_error": (c_char_p, []),
    "ldsl_status_name": (c_char_p, [c_int]),
    "ldsl_compiler_version": (c_char_p, []),
    "ldsl_dtype_name": (c_char_p, [c_int]),
    "ldsl_dtype_parse": (c_bool, [c_char_p, POINTER(c_int)]),
    "ldsl_library_load_builtin": (c_int, [POINTER(c_void_p), c_void_p]),
    "ldsl_library_load_text": (
        c_int,
        [POINTER(c_void_p), c_void_p, c_char_p, c_char_p, c_size_t],
    ),
    "ldsl_library_destroy": (None, [c_void_p]),
    "ldsl_builtin_path": (c_char_p, [c_uint32]),
    "ldsl_builtin_text": (c_void_p, [c_uint32, POINTER(c_size_t)]),
    "ldsl_plan_prepare": (
        c_int,
        [POINTER(c_void_p), c_void_p, c_char_p, POINTER(_Argument), c_uint32, c_char_p],
    ),
    "ldsl_plan_destroy": (None, [c_void_p]),
    "ldsl_plan_tensor_count": (c_uint32, [c_void_p]),
    "ldsl_plan_tensor": (c_bool, [c_void_p, c_uint32, POINTER(_TensorInfo)]),
    "ldsl_plan_workspace_bytes": (c_size_t, [c_void_p]),
    "ldsl_plan_launch_count": (c_uint32, [c_void_p]),
    "ldsl_plan_launch_kernel": (c_char_p, [c_void_p, c_uint32]),
    "ldsl_plan_launch_variant": (c_char_p, [c_void_p, c_uint32]),
    "ldsl_plan_launch_info": (c_bool, [c_void_p, c_uint32, POINTER(_KernelInfo)]),
    "ldsl_plan_launch": (c_int, [c_void_p, POINTER(c_uint64), c_uint32, c_uint64, c_void_p]),
    "ldsl_stream_synchronize": (c_int, [c_void_p, c_void_p]),
    "ldsl_buffer_create": (c_int, [POINTER(c_void_p), c_void_p, c_size_t]),
    "ldsl_buffer_destroy": (None, [c_void_p]),
    "ldsl_buffer_address": (c_uint64, [c_void_p]),
    "ldsl_buffer_upload": (c_int, [c_void_p, c_size_t, c_void_p, c_size_t]),
    "ldsl_buffer_download": (c_int, [c_void_p, c_size_t, c_void_p, c_size_t]),
    "ldsl_device_copy": (c_int, [c_void_p, c_uint64, c_uint64, c_size_t, c_void_p]),
}


def find_library(path=None):
    """PATH, else $LDSL_LIBRARY, else the newest build of this tree, else what the system knows."""
    path = path or os.environ.get("LDSL_LIBRARY")
    if path:
        return path
    root = pathlib.Path(__file__).resolve().parents[2]
    builds = sorted(
        root.glob("build/*/runtime/libldsl.so"), key=lambda file: file.stat().st_mtime, reverse=True
    )
    return str(builds[0]) if builds else ctypes.util.find_library("ldsl")


class Api:
    """The shared library. dtypes are given by name: "bf16"."""

    def __init__(self, path=None):
        self.path = find_library(path)
        if not self.path:
            raise Error("no libldsl found: build the project, or name the file with --library")
        try:
            self.c = ctypes.CDLL(self.path)
        except OSError as error:
            raise Error(f"{self.path}: {error}") from error
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self.c, name, None)
            if function is None:
                raise Error(f"{self.path} is too old: it has no {name}")
            function.restype = result
            function.argtypes = arguments
        self.version = self.c.ldsl_compiler_version().decode()

    def check(self, status, what):
        if status != 0:
            text = (self.c.ldsl_last_error() or b"").decode(errors="replace")
            name = self.c.ldsl_status_name(status).decode()
            raise Error(f"{what}: {name}: {text}" if text else f"{what}: {name}")

    def dtype(self, name):
        value = c_int()
        if not self.c.ldsl_dtype_parse(name.encode(), ctypes.byref(value)):
            raise Error(f"the library knows no type '{name}'")
        return value.value

    def builtin(self, path):
        """The text of a file of the built-in library: "norm/rms_norm.ldsl"."""
        index = 0
        while found := self.c.ldsl_builtin_path(index):
            if found.decode() == path:
                size = c_size_t()
                text = self.c.ldsl_builtin_text(index, ctypes.byref(size))
                return ctypes.string_at(text, size.value)
            index += 1
        raise Error(f"the built-in library has no file '{path}'")


_numbers = itertools.count()
_live = weakref.WeakValueDictionary()  # handles by their number, in the order they were made


class _Handle:
    """What is released with `destroy` when the object goes, after everything made from it."""

    def __init__(self, api, destroy):
        self.api = api
        self.handle = c_void_p()
        self._destroy = getattr(api.c, destroy)
        _live[next(_numbers)] = self

    def close(self):
        if getattr(self, "handle", None):
            self._destroy(self.handle)
            self.handle = None

    __del__ = close


@atexit.register
def _close_all():
    """What lives at exit: the interpreter takes objects apart in any order."""
    for number in sorted(_live.keys(), reverse=True):
        handle = _live.get(number)
        if handle:
            handle.close()


class Context(_Handle):
    """Options are the fields of ldsl_context_options, by name; texts and paths as strings."""

    def __init__(self, api, device, **options):
        super().__init__(api, "ldsl_context_destroy")
        options = _Options(
            **{k: os.fsencode(v) if isinstance(v, str) else v for k, v in options.items() if v}
        )
        api.check(
            api.c.ldsl_context_create(
                ctypes.byref(self.handle), device.encode(), ctypes.byref(options)
            ),
            f"opening {device}",
        )
        self.target = api.c.ldsl_context_target(self.handle).decode()
        self.description = api.c.ldsl_context_description(self.handle).decode()

    def synchronize(self, stream=None):
        self.api.check(self.api.c.ldsl_stream_synchronize(self.handle, stream), "waiting")

    def copy(self, destination, source, size, stream=None):
        self.api.check(
            self.api.c.ldsl_device_copy(self.handle, destination, source, size, stream), "copying"
        )


class Library(_Handle):
    """The built-in operators, or those of a text."""

    def __init__(self, context, text=None, path="text.ldsl"):
        super().__init__(context.api, "ldsl_library_destroy")
        self.context = context
        api, out = self.api, ctypes.byref(self.handle)
        if text is None:
            api.check(api.c.ldsl_library_load_builtin(out, context.handle), "loading the library")
        else:
            api.check(
                api.c.ldsl_library_load_text(out, context.handle, path.encode(), text, len(text)),
                f"loading {path}",
            )


class Tensor:
    """An argument: a tensor by dtype, shape and strides (in elements; None: contiguous)."""

    def __init__(self, dtype, shape, strides=None, alignment=256):
        self.dtype, self.shape, self.strides = dtype, tuple(shape), strides
        self.alignment = alignment

    def fill(self, api, argument):
        argument.kind = TENSOR
        argument.dtype = api.dtype(self.dtype)
        argument.rank = len(self.shape)
        argument.alignment = self.alignment
        for i, size in enumerate(self.shape):
            argument.shape[i] = size
            argument.strides[i] = self.strides[i] if self.strides else 0


class TensorInfo:
    """A tensor of a plan, as ldsl_tensor_info."""

    def __init__(self, api, info):
        self.name = info.name.decode()
        self.dtype = api.c.ldsl_dtype_name(info.dtype).decode()
        self.shape = tuple(info.shape[: info.rank])
        self.bytes = info.bytes
        self.is_output = info.is_output
        self.is_written = info.is_written


class Plan(_Handle):
    """An operator for given arguments: name -> Tensor, number, word, or None for an absent tensor."""

    def __init__(self, library, op, arguments, schedule=None):
        super().__init__(library.api, "ldsl_plan_destroy")
        self.library = library
        api = self.api
        array = (_Argument * max(1, len(arguments)))()
        for argument, (name, value) in zip(array, arguments.items()):
            argument.name = name.encode()
            if isinstance(value, Tensor):
                value.fill(api, argument)
            elif value is None:
                argument.kind = ABSENT
            elif isinstance(value, str):
                argument.kind, argument.word = ENUM, value.encode()
            elif isinstance(value, int):
                argument.kind, argument.integer, argument.is_integer = SCALAR, value, True
            else:
                argument.kind, argument.number = SCALAR, value
        api.check(
            api.c.ldsl_plan_prepare(
                ctypes.byref(self.handle),
                library.handle,
                op.encode(),
                array,
                len(arguments),
                schedule.encode() if schedule else None,
            ),
            f"preparing {op}",
        )
        self.op = op
        self.workspace_bytes = api.c.ldsl_plan_workspace_bytes(self.handle)
        self.tensors = [self._tensor(i) for i in range(api.c.ldsl_plan_tensor_count(self.handle))]
        self.launches = [self._launch(i) for i in range(api.c.ldsl_plan_launch_count(self.handle))]

    def _launch(self, i):
        """What a launch of the plan runs: the kernel, its variant, and what it takes of a GPU."""
        info = _KernelInfo()
        if not self.api.c.ldsl_plan_launch_info(self.handle, i, ctypes.byref(info)):
            return {"kernel": self.api.c.ldsl_plan_launch_kernel(self.handle, i).decode()}
        numbers = "block_threads", "cluster", "shared_bytes", "registers", "spill_bytes"
        return {
            "kernel": info.name.decode(),
            "variant": self.api.c.ldsl_plan_launch_variant(self.handle, i).decode(),
        } | {name: getattr(info, name) for name in numbers}

    def _tensor(self, i):
        info = _TensorInfo()
        if not self.api.c.ldsl_plan_tensor(self.handle, i, ctypes.byref(info)):
            raise Error(f"plan has no tensor {i}")
        return TensorInfo(self.api, info)

    def bind(self, addresses, workspace=0, stream=None, owners=None):
        """A function without arguments that launches the plan on these addresses (by tensor name).
        It keeps `owners` alive: whatever holds the memory."""
        count = len(self.tensors)
        pointers = (c_uint64 * max(1, count))(*(addresses[t.name] for t in self.tensors))
        launch, handle, check = self.api.c.ldsl_plan_launch, self.handle, self.api.check
        what = f"launching {self.op}"

        def run():
            status = launch(handle, pointers, count, workspace, stream)
            if status:
                check(status, what)

        run.keeps = (self, owners)
        return run


class Buffer(_Handle):
    """Device memory, for those who have no allocator of their own."""

    def __init__(self, context, size):
        super().__init__(context.api, "ldsl_buffer_destroy")
        self.context, self.size = context, size
        self.api.check(
            self.api.c.ldsl_buffer_create(ctypes.byref(self.handle), context.handle, size),
            f"allocating {size} bytes",
        )
        self.address = self.api.c.ldsl_buffer_address(self.handle)

    def write(self, data):
        data = bytes(data)
        self.api.check(
            self.api.c.ldsl_buffer_upload(self.handle, 0, data, len(data)), "writing a buffer"
        )

    def read(self):
        data = ctypes.create_string_buffer(self.size)
        self.api.check(
            self.api.c.ldsl_buffer_download(self.handle, 0, data, self.size), "reading a buffer"
        )
        return data.raw
