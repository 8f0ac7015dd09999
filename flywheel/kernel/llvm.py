"""Machine code for a program, through llvmlite: compile, keep, call.

``FixedKernel`` integrates many members at once, ``LANES`` in the lanes of a vector; a single run uses
one lane and gets the seven others for nothing. ``RatesKernel`` is the right-hand side for adaptive
solvers. Kernels are kept in a small cache keyed by what shapes the code: the program's graph, method,
lanes and processor. Calls release the GIL.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import llvmlite
import llvmlite.binding as binding
import numpy as np
from numpy.typing import NDArray

from flywheel.errors import LimitError, UsageError
from flywheel.kernel.assembly import Method, fixed_step, rates_function
from flywheel.kernel.ir import Program

LANES = 8
"""Members computed at once. Narrower processors take the vector in two or four pieces."""

Array = NDArray[np.float64]
K = TypeVar("K")

_CACHE_SIZE = 64
_TAPE_LIMIT = 4 * 2**30
_cache: OrderedDict[tuple[object, ...], Any] = OrderedDict()
_lock = threading.RLock()
_ready = False


def version() -> str:
    """llvmlite and LLVM, as they stand in a run's receipt."""
    return f"{llvmlite.__version__} (LLVM {'.'.join(map(str, binding.llvm_version_info))})"


def host() -> tuple[str, str]:
    """The processor's name and its features, as LLVM spells them."""
    return binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


def has_avx512() -> bool:
    """Whether this processor has AVX-512 (its foundation is all the kernel uses)."""
    return bool(binding.get_host_cpu_features().get("avx512f", False))


def compile_fixed(program: Program, method: Method, lanes: int = LANES) -> FixedKernel:
    """The fixed-step integrator of a program, from the cache if it was compiled before."""
    if program.external_switches:
        raise UsageError("a fixed-step kernel computes its own switches")
    key = ("fixed", program.hash, method, lanes, *host())
    return _cached(key, lambda: FixedKernel(program, method, lanes))


def compile_adjoint(program: Program, method: Method, lanes: int = LANES) -> AdjointKernel:
    """The integrator of a program with its adjoint, from the cache if it was compiled before."""
    if program.external_switches:
        raise UsageError("a fixed-step kernel computes its own switches")
    key = ("adjoint", program.hash, method, lanes, *host())
    return _cached(key, lambda: AdjointKernel(program, method, lanes))


def compile_rates(program: Program) -> RatesKernel:
    """The right-hand side of a program (lowered with external switches) for adaptive solvers."""
    key = ("rates", program.hash, *host())
    return _cached(key, lambda: RatesKernel(program))


def is_compiled(program: Program, method: Method, lanes: int = LANES) -> bool:
    """Whether ``compile_fixed`` would answer at once."""
    with _lock:
        return ("fixed", program.hash, method, lanes, *host()) in _cache


def _cached(key: tuple[object, ...], make: Callable[[], K]) -> K:
    with _lock:
        found = _cache.get(key)
        if found is not None:
            _cache.move_to_end(key)
            return found  # type: ignore[no-any-return]
    made = make()
    with _lock:
        found = _cache.setdefault(key, made)
        while len(_cache) > _CACHE_SIZE:
            _cache.popitem(last=False)
    return found  # type: ignore[no-any-return]


# Compiling --------------------------------------------------------------------------------------


def _start() -> None:
    """Set LLVM up once; give generated code the C library's sine and cosine for huge angles."""
    global _ready
    with _lock:
        if _ready:
            return
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        for name, function in (("sin", math.sin), ("cos", math.cos)):
            callback = _LIBRARY_FUNCTION(_forgiving(function))
            _keep.append(callback)
            address = ctypes.cast(callback, ctypes.c_void_p).value
            binding.add_symbol(f"flywheel_{name}", address)
        _ready = True


_LIBRARY_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
_keep: list[object] = []


def _forgiving(function: Callable[[float], float]) -> Callable[[float], float]:
    """NaN where Python raises: for infinite angles."""

    def safe(x: float) -> float:
        return function(x) if math.isfinite(x) else math.nan

    return safe


def triple() -> str:
    """LLVM's name of this machine's platform."""
    _start()
    return str(binding.get_process_triple())


def target_machine(cpu: str | None = None, features: str | None = None) -> Any:
    """LLVM's code generator for this processor, or for a lesser one by name (``x86-64``)."""
    _start()
    own_cpu, own_features = host()
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=own_cpu if cpu is None else cpu,
        features=own_features if cpu is None and features is None else (features or ""),
        opt=1,  # 2 and 3 take a seventh longer and give no faster code here
        jit=True,
    )


class _Code:
    """Loaded machine code; lives as long as the kernel that calls it."""

    def __init__(self, assembly: str, machine: Any = None) -> None:
        module = binding.parse_assembly(assembly)
        self.engine = binding.create_mcjit_compiler(module, machine or target_machine())
        self.engine.finalize_object()

    def function(self, name: str, *kinds: Any) -> Callable[..., None]:
        """A C function by name; ctypes releases the GIL around the call."""
        address = self.engine.get_function_address(name)
        return ctypes.CFUNCTYPE(None, *kinds)(address)


_P, _I, _D = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


def _aligned(count: int) -> Array:
    """``count`` uninitialised doubles that start on a cache line."""
    raw = np.empty(count + 8)
    skip = (-raw.ctypes.data % 64) // 8
    return raw[skip : skip + count]


def _pack(rows: Array, groups: int, lanes: int) -> Array:
    """(members, n) -> (groups, n, lanes); the last group is filled up with its last member."""
    members, width = rows.shape
    if members == 1:
        packed = np.empty((1, width, lanes))
        packed[0] = rows[0][:, None]
        return packed
    if members < groups * lanes:
        extra = np.broadcast_to(rows[-1], (groups * lanes - members, width))
        rows = np.concatenate([rows, extra])
    return np.ascontiguousarray(rows.reshape(groups, lanes, width).transpose(0, 2, 1))


@dataclass(frozen=True)
class _Members:
    """What a fixed-step kernel is given for some members, as it lies in memory."""

    inputs: Array
    series: Array
    noise: Array
    noise_row: NDArray[np.int64]
    noise_rows: int
    groups: int

    @property
    def addresses(self) -> tuple[int, int, int, int]:
        arrays = (self.inputs, self.series, self.noise, self.noise_row)
        return tuple(array.ctypes.data for array in arrays)  # type: ignore[return-value]


def _members(
    program: Program,
    lanes: int,
    inputs: Array,
    series: Array,
    noise: Array | None,
    noise_row: NDArray[np.int64] | None,
) -> _Members:
    """The arguments of a run checked and packed. Raises UsageError."""
    members, width = inputs.shape
    if width != len(program.inputs):
        raise UsageError(f"expected {len(program.inputs)} inputs a member, not {width}")
    if noise_row is None and program.noises:
        raise UsageError("this program draws noise: give noise and noise_row")
    groups = -(-members // lanes)
    rows, noises = 0, _EMPTY
    if noise is not None and noise.size:
        rows = noise.shape[1]
        noises = _pack(noise.reshape(members, -1), groups, lanes)
    row = _EMPTY_ROWS if noise_row is None else np.ascontiguousarray(noise_row)
    table = np.ascontiguousarray(series, dtype=np.float64)
    return _Members(_pack(inputs, groups, lanes), table, noises, row, rows, groups)


class FixedKernel:
    """Integrates members of one program with Euler or classical Runge-Kutta steps."""

    def __init__(self, program: Program, method: Method, lanes: int, machine: Any = None) -> None:
        self.program = program
        self.method = method
        self.lanes = lanes
        avx512 = machine is None and has_avx512()
        assembly, self._layout = fixed_step(program, method, lanes, triple(), avx512=avx512)
        self._code = _Code(assembly, machine)
        self._call = self._code.function("fixed", *[_P] * 7, *[_I] * 4, _D, _D)
        self._local = threading.local()

    def run(
        self,
        inputs: Array,
        *,
        start: float,
        step: float,
        steps: int,
        every: int,
        series: Array,
        noise: Array | None = None,
        noise_row: NDArray[np.int64] | None = None,
        out: Array | None = None,
    ) -> tuple[Array, NDArray[np.int64]]:
        """Integrate; returns values and, per member, the first step with a broken state.

        ``inputs`` (members, P) in the order of ``program.inputs``. ``series`` (steps + 1, 3, S): the
        series at the start, middle and end of each step. ``noise`` (members, rows, K) standard normal
        numbers with ``noise_row`` (steps + 1) the row of each step. ``steps`` is a multiple of
        ``every``.

        Values have shape (members, saves, V) with saves = steps / every + 1 and V the saved names;
        the second array (members,) holds -1 where all states stayed finite. They are written to
        ``out`` where it is given, contiguous and of that shape.
        """
        members = len(inputs)
        given = _members(self.program, self.lanes, inputs, series, noise, noise_row)
        if out is None:
            out = np.empty((members, steps // every + 1, len(self.program.outputs)))
        bad = np.empty(given.groups * self.lanes, dtype=np.int64)
        self._call(
            *given.addresses,
            out.ctypes.data,
            bad.ctypes.data,
            self._scratch(steps).ctypes.data,
            members,
            steps,
            every,
            given.noise_rows,
            start,
            step,
        )
        return out, bad[:members]

    def _scratch(self, steps: int) -> Array:
        """Working memory of this thread, kept between calls."""
        needed = self._layout.vectors(steps) * self.lanes
        held: Array | None = getattr(self._local, "scratch", None)
        if held is None or held.size < needed:
            held = self._local.scratch = _aligned(needed)
        return held


class AdjointKernel:
    """Integrates members of one program and, backwards, the gradient of weighted saved values."""

    def __init__(self, program: Program, method: Method, lanes: int, machine: Any = None) -> None:
        from flywheel.kernel.adjoint import adjoint_step, tape_vectors

        self.program = program
        self.method = method
        self.lanes = lanes
        avx512 = machine is None and has_avx512()
        assembly, self._layout, self._work = adjoint_step(
            program, method, lanes, triple(), avx512=avx512
        )
        self._tape_vectors: Callable[[int], int] = lambda n: tape_vectors(program, method, n)
        self._code = _Code(assembly, machine)
        self._call = self._code.function("adjoint", *[_P] * 12, *[_I] * 5, _D, _D)
        self._local = threading.local()

    def memory(self, steps: int) -> int:
        """Bytes of working memory of a run of so many steps, whatever the number of members."""
        vectors = self._layout.vectors(steps) + self._work.vectors(steps)
        return (vectors + self._tape_vectors(steps)) * self.lanes * 8

    def run(
        self,
        inputs: Array,
        seeds: Array,
        *,
        start: float,
        step: float,
        steps: int,
        every: int,
        series: Array,
        noise: Array | None = None,
        noise_row: NDArray[np.int64] | None = None,
        profile: bool = False,
    ) -> tuple[Array, Array]:
        """Integrate and differentiate; returns values and gradient.

        Arguments as of ``FixedKernel.run``, and ``seeds`` (members, saves, V): the weights of the
        saved values in the sum whose gradient is wanted.

        Values have shape (members, saves, V); the gradient (members, rows, P) has one row, or with
        ``profile`` one per save: what acts through the start of the run, then what acts between each
        save and the next. Their sum is the gradient.

        Raises UsageError for arrays of a wrong shape, LimitError when the tape would pass 4 GiB.
        """
        lanes = self.lanes
        members, width = inputs.shape
        saves = steps // every + 1
        count = len(self.program.outputs)
        given = _members(self.program, lanes, inputs, series, noise, noise_row)
        groups = given.groups
        if seeds.shape != (members, saves, count):
            raise UsageError(
                f"expected seeds of shape {(members, saves, count)}, not {seeds.shape}"
            )
        if self.memory(steps) > _TAPE_LIMIT:
            raise LimitError(
                f"the gradient of a run of {steps:,} steps needs {self.memory(steps) / 2**30:.1f} GiB; "
                "take a longer step or an earlier stop"
            )
        weights = _pack(np.ascontiguousarray(seeds).reshape(members, -1), groups, lanes)
        # A seed that is no number counts: its member's gradient is then no number either.
        seeded = np.asarray((seeds != 0.0).any(axis=(0, 2)), dtype=np.int64)
        out = np.empty((members, saves, count))
        bad = np.empty(groups * lanes, dtype=np.int64)
        parts = saves if profile else 1
        gradient = np.empty((groups, parts, width, lanes))
        scratch, work, tape = self._memory(steps)
        self._call(
            *given.addresses,
            *(a.ctypes.data for a in (out, bad, scratch, tape, work, weights, seeded, gradient)),
            members, steps, every, given.noise_rows, int(profile), start, step,
        )  # fmt: skip
        turned = gradient.transpose(0, 3, 1, 2).reshape(groups * lanes, parts, width)
        return out, turned[:members]

    def _memory(self, steps: int) -> tuple[Array, Array, Array]:
        """Working memories of this thread, kept between calls."""
        sizes = (
            self._layout.vectors(steps), self._work.vectors(steps), self._tape_vectors(steps)
        )  # fmt: skip
        held: tuple[Array, ...] | None = getattr(self._local, "memory", None)
        if held is None or any(a.size < n * self.lanes for a, n in zip(held, sizes, strict=True)):
            held = self._local.memory = tuple(_aligned(max(n, 1) * self.lanes) for n in sizes)
        return held  # type: ignore[return-value]


class RatesKernel:
    """The right-hand side and the outputs of one member."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._code = _Code(rates_function(program, triple()))
        self._call = self._code.function("rates", *[_P] * 8, _D, _D, _D, _I)

    def bind(
        self, inputs: Array, held: Array, series: Array, noise: Array, pipes: Array
    ) -> Callable[[float, Array, Array, Array, bool, float, float], None]:
        """A call with fixed arrays (changed in place by the caller between calls):
        ``call(t, y, dydt, out, want_out, start, step)``."""
        call = self._call
        fixed = tuple(a.ctypes.data for a in (inputs, held, series, noise, pipes))
        keep = (inputs, held, series, noise, pipes)

        def rates(
            t: float, y: Array, dydt: Array, out: Array, want: bool, start: float, step: float
        ) -> None:
            call(y.ctypes.data, *fixed, dydt.ctypes.data, out.ctypes.data, t, start, step, want)

        rates.arrays = keep  # type: ignore[attr-defined]
        return rates


_EMPTY: Array = np.zeros(1)
_EMPTY_ROWS: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
