"""LLVM assembly for vectors of doubles: arithmetic, comparisons, elementary functions.

Text, not a builder: writing the assembly directly is several times faster than building objects, and
every flag is visible. Arithmetic carries ``contract arcp nsz`` (fused multiply-add, reciprocals,
sign of zero free) and no more: full fast-math would reorder the rounding steps that ``exp`` needs.

Every function keeps NaN: NaN in, NaN out. Truth values are masks; where an operand may be NaN a second
mask says so, and the value of the comparison is then NaN.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from flywheel.kernel import coefficients as c

FLAGS = "contract arcp nsz"
# Adding and subtracting 1.5 * 2^52 rounds to the nearest whole number, halves to even; the low bits
# of the sum are that number as an integer.
_MAGIC = 6755399441055744.0
_MAGIC_BITS = struct.unpack("<q", struct.pack("<d", _MAGIC))[0]
_WHOLE = 2.0**51
_NAN = float("nan")
_INF = float("inf")


@dataclass(frozen=True, slots=True)
class Value:
    """An SSA value of doubles."""

    text: str


@dataclass(frozen=True, slots=True)
class Mask:
    """A truth value per lane; ``unknown`` marks the lanes where it is NaN instead (None: nowhere)."""

    text: str
    unknown: str | None = None


class Emitter:
    """Appends instructions for ``lanes`` doubles at once (plain scalars for one lane).

    ``avx512`` allows that processor's instructions that take numbers apart and put them together;
    they halve the work of exp and ln. The text is then good for no other processor.
    """

    def __init__(self, lanes: int, *, avx512: bool = False) -> None:
        self.lanes = lanes
        self.avx512 = avx512 and lanes == 8
        self.block = "entry"
        """The label of the block that instructions go to."""
        self.lines: list[str] = []
        self.helpers: dict[str, str] = {}
        self._count = 0
        wide = lanes > 1
        self.t = f"<{lanes} x double>" if wide else "double"
        self.i = f"<{lanes} x i64>" if wide else "i64"
        self.b = f"<{lanes} x i1>" if wide else "i1"
        self.suffix = f"v{lanes}f64" if wide else "f64"

    # Plumbing ----------------------------------------------------------------------------------

    def new(self) -> str:
        """A fresh SSA name."""
        self._count += 1
        return f"%v{self._count}"

    def put(self, text: str) -> str:
        """Append an instruction; the name of its result."""
        name = self.new()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Append an instruction without result, or a label."""
        if text.endswith(":"):
            self.block = text[:-1]
            self.lines.append(text)
        else:
            self.lines.append(f"  {text}")

    def const(self, value: float) -> Value:
        """The same number in every lane."""
        bits = struct.unpack("<Q", struct.pack("<d", value))[0]
        text = f"0x{bits:016X}"
        return Value(f"splat (double {text})" if self.lanes > 1 else text)

    def _is_number(self, value: Value) -> bool:
        """Whether this is a constant and not NaN."""
        is_constant = value.text.startswith(("splat (double", "0x"))
        return is_constant and value != self.const(_NAN)

    def whole(self, value: int) -> str:
        """The same integer in every lane."""
        return f"splat (i64 {value})" if self.lanes > 1 else str(value)

    def splat(self, scalar: str) -> Value:
        """A scalar double in every lane."""
        if self.lanes == 1:
            return Value(scalar)
        one = self.put(f"insertelement {self.t} poison, double {scalar}, i32 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return Value(self.put(f"shufflevector {self.t} {one}, {self.t} poison, {zeros}"))

    def load(self, pointer: str) -> Value:
        return Value(self.put(f"load {self.t}, ptr {pointer}, align 8"))

    def store(self, value: Value, pointer: str) -> None:
        self.do(f"store {self.t} {value.text}, ptr {pointer}, align 8")

    def at(self, pointer: str, vectors: int) -> str:
        """The address of the vector number ``vectors`` after ``pointer``."""
        return self.put(f"getelementptr inbounds i8, ptr {pointer}, i64 {vectors * self.lanes * 8}")

    # Arithmetic --------------------------------------------------------------------------------

    def _arith(self, op: str, a: Value, b: Value) -> Value:
        return Value(self.put(f"{op} {FLAGS} {self.t} {a.text}, {b.text}"))

    def add(self, a: Value, b: Value) -> Value:
        return self._arith("fadd", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        return self._arith("fsub", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        return self._arith("fmul", a, b)

    def div(self, a: Value, b: Value) -> Value:
        return self._arith("fdiv", a, b)

    def neg(self, a: Value) -> Value:
        return Value(self.put(f"fneg {self.t} {a.text}"))

    def abs(self, a: Value) -> Value:
        return Value(self.put(f"call {self.t} @llvm.fabs.{self.suffix}({self.t} {a.text})"))

    def sqrt(self, a: Value) -> Value:
        return Value(self.put(f"call {self.t} @llvm.sqrt.{self.suffix}({self.t} {a.text})"))

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Horner's scheme for the even and the odd powers side by side (lowest power first): half as
        long a chain of operations that wait for each other."""
        square = self.mul(x, x)
        even = self._horner(square, coefficients[::2])
        return self.add(even, self.mul(x, self._horner(square, coefficients[1::2])))

    def _horner(self, x: Value, coefficients: Sequence[float]) -> Value:
        found = self.const(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            found = self.add(self.mul(found, x), self.const(coefficient))
        return found

    # Truth -------------------------------------------------------------------------------------

    def fcmp(self, predicate: str, a: Value, b: Value) -> str:
        """A plain mask: no flags, so NaN is respected."""
        return self.put(f"fcmp {predicate} {self.t} {a.text}, {b.text}")

    def bits(self, op: str, a: str, b: str) -> str:
        return self.put(f"{op} {self.b} {a}, {b}")

    def pick(self, mask: str, a: Value, b: Value) -> Value:
        """``a`` where the mask is set, else ``b``."""
        return Value(self.put(f"select {self.b} {mask}, {self.t} {a.text}, {self.t} {b.text}"))

    def compare(self, op: str, a: Value, b: Value) -> Mask:
        """lt, le, gt, ge, eq, ne; unknown where either side is NaN."""
        predicate = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "one"}
        return Mask(self.fcmp(predicate[op], a, b), self.fcmp("uno", a, b))

    def truth(self, a: Value) -> Mask:
        """Whether a number is not 0."""
        return Mask(self.fcmp("one", a, self.const(0.0)), self.fcmp("uno", a, a))

    def number(self, mask: Mask) -> Value:
        """1, 0 or NaN."""
        plain = self.pick(mask.text, self.const(1.0), self.const(0.0))
        return self.pick(mask.unknown, self.const(_NAN), plain) if mask.unknown else plain

    def logic(self, op: str, a: Mask, b: Mask) -> Mask:
        """``and`` or ``or``; unknown where either side is."""
        unknown = a.unknown or b.unknown
        if a.unknown and b.unknown:
            unknown = self.bits("or", a.unknown, b.unknown)
        return Mask(self.bits(op, a.text, b.text), unknown)

    def invert(self, a: Mask) -> Mask:
        ones = "splat (i1 true)" if self.lanes > 1 else "true"
        return replace(a, text=self.bits("xor", a.text, ones))

    def choose(self, condition: Mask, then: Value, otherwise: Value) -> Value:
        """if(condition, then, otherwise), NaN where the condition is."""
        plain = self.pick(condition.text, then, otherwise)
        if condition.unknown is None:
            return plain
        return self.pick(condition.unknown, self.const(_NAN), plain)

    def min(self, a: Value, b: Value) -> Value:
        return self._extreme("olt", a, b)

    def max(self, a: Value, b: Value) -> Value:
        return self._extreme("ogt", a, b)

    def _extreme(self, predicate: str, a: Value, b: Value) -> Value:
        """The comparison gives b where b is NaN; where a is NaN that is put right."""
        if self._is_number(b):
            a, b = b, a
        if self._is_number(a):
            return self.pick(self.fcmp(predicate, a, b), a, b)
        plain = self.pick(self.fcmp(predicate, a, b), a, b)
        return self.pick(self.fcmp("uno", a, a), a, plain)

    # Whole numbers -----------------------------------------------------------------------------

    def round(self, x: Value) -> Value:
        """Nearest whole number, halves to even; large numbers are whole already."""
        magic = self.const(_MAGIC)
        near = self.sub(self.add(x, magic), magic)
        small = self.fcmp("olt", self.abs(x), self.const(_WHOLE))
        return self.pick(small, near, x)

    def floor(self, x: Value) -> Value:
        near = self.round(x)
        above = self.fcmp("ogt", near, x)
        return self.pick(above, self.sub(near, self.const(1.0)), near)

    def parity(self, y: Value) -> Value:
        """1 for even, -1 for odd, NaN for not whole: the sign that a negative base takes."""
        half = self.mul(y, self.const(0.5))
        even = self.fcmp("oeq", self.floor(half), half)
        is_whole = self.fcmp("oeq", self.floor(y), y)
        sign = self.pick(even, self.const(1.0), self.const(-1.0))
        return self.pick(is_whole, sign, self.const(_NAN))

    # Elementary functions ----------------------------------------------------------------------

    def exp(self, x: Value) -> Value:
        """2^k exp(r) with r = x - k ln 2 (Cody and Waite 1980); overflow inf, underflow 0."""
        low, high = self.const(-800.0), self.const(800.0)
        x = self.pick(self.fcmp("olt", x, low), low, x)
        x = self.pick(self.fcmp("ogt", x, high), high, x)
        magic = self.const(_MAGIC)
        shifted = self.add(self.mul(x, self.const(c.LOG2_E)), magic)
        k = self.sub(shifted, magic)
        r = self.sub(x, self.mul(k, self.const(c.LN2_HIGH)))
        r = self.sub(r, self.mul(k, self.const(c.LN2_LOW)))
        tail = self.mul(self.mul(r, r), self.polynomial(r, c.EXP))
        size = self.add(self.const(1.0), self.add(r, tail))
        if self.avx512:
            return self._avx512("scalef", f"{self.t} {size.text}, {self.t} {k.text}")
        # The scale is applied in two halves: 2^k itself may be outside the range of doubles where
        # the result is not. k + 2048 is positive, so a logical shift halves it.
        whole = self.put(f"bitcast {self.t} {shifted.text} to {self.i}")
        biased = self.put(f"sub {self.i} {whole}, {self.whole(_MAGIC_BITS - 2048)}")
        half = self.put(f"lshr {self.i} {biased}, {self.whole(1)}")
        rest = self.put(f"sub {self.i} {biased}, {half}")
        for part in (half, rest):
            exponent = self.put(f"add {self.i} {part}, {self.whole(1023 - 1024)}")
            shift = self.put(f"shl {self.i} {exponent}, {self.whole(52)}")
            scale = Value(self.put(f"bitcast {self.i} {shift} to {self.t}"))
            size = self.mul(size, scale)
        return size

    def ln(self, x: Value) -> Value:
        """k ln 2 + ln(m) with m in [1/sqrt 2, sqrt 2), through s = (m-1)/(m+1)."""
        if self.avx512:
            return self._ln_avx512(x)
        tiny = self.fcmp("olt", x, self.const(2.0**-1022))
        scaled = self.pick(tiny, self.mul(x, self.const(2.0**54)), x)
        bits = self.put(f"bitcast {self.t} {scaled.text} to {self.i}")
        # Move the exponent so that the mantissa lands around 1: 0x3FE6A09E667F3BCD is 1/sqrt 2.
        root = 0x3FE6A09E667F3BCD
        offset = self.put(f"sub {self.i} {bits}, {self.whole(root)}")
        positive = self.put(f"add {self.i} {offset}, {self.whole(1024 << 52)}")
        exponent = self.put(f"lshr {self.i} {positive}, {self.whole(52)}")
        cut = self.put(f"shl {self.i} {exponent}, {self.whole(52)}")
        mantissa = self.put(f"sub {self.i} {bits}, {cut}")
        mantissa = self.put(f"add {self.i} {mantissa}, {self.whole(1024 << 52)}")
        m = Value(self.put(f"bitcast {self.i} {mantissa} to {self.t}"))
        counted = self.put(f"add {self.i} {exponent}, {self.whole(_MAGIC_BITS - 1024)}")
        k = Value(self.put(f"bitcast {self.i} {counted} to {self.t}"))
        k = self.sub(k, self.const(_MAGIC))
        k = self.pick(tiny, self.sub(k, self.const(54.0)), k)
        found = self._ln_parts(k, m)
        found = self.pick(self.fcmp("olt", x, self.const(_INF)), found, x)
        found = self.pick(self.fcmp("oeq", x, self.const(0.0)), self.const(-_INF), found)
        return self.pick(self.fcmp("olt", x, self.const(0.0)), self.const(_NAN), found)

    def _ln_parts(self, k: Value, m: Value) -> Value:
        """k ln 2 + ln(m)."""
        one = self.const(1.0)
        s = self.div(self.sub(m, one), self.add(m, one))
        z = self.mul(s, s)
        tail = self.mul(self.mul(s, z), self.polynomial(z, c.LOG))
        tail = self.add(tail, self.mul(k, self.const(c.LN2_LOW)))
        found = self.add(self.add(s, s), tail)
        return self.add(self.mul(k, self.const(c.LN2_HIGH)), found)

    def _ln_avx512(self, x: Value) -> Value:
        """The processor takes x apart, the odd numbers too: the exponent of 0 is -inf, of inf inf,
        and the mantissa of a negative number NaN."""
        k = self._avx512("getexp", f"{self.t} {x.text}")
        # Mantissa in [1, 2); NaN for a negative number, but 1 for -0.
        m = self._avx512("getmant", f"{self.t} {x.text}, i32 12")
        large = self.fcmp("ogt", m, self.const(2.0**0.5))
        m = self.pick(large, self.mul(m, self.const(0.5)), m)
        k = self.pick(large, self.add(k, self.const(1.0)), k)
        return self._ln_parts(k, m)

    def _avx512(self, name: str, arguments: str) -> Value:
        """An instruction of AVX-512 on whole vectors, rounding as usual."""
        call = f"call {self.t} @llvm.x86.avx512.mask.{name}.pd.512"
        return Value(self.put(f"{call}({arguments}, {self.t} zeroinitializer, i8 -1, i32 4)"))

    def log10(self, x: Value) -> Value:
        return self.mul(self.ln(x), self.const(c.LOG10_E))

    def powbound(self, exponent: Value) -> Value:
        """0 for a finite exponent other than 0, else NaN: bases from here on up need no ``powfix``."""
        finite = self.fcmp("olt", self.abs(exponent), self.const(_INF))
        other = self.fcmp("one", exponent, self.const(0.0))
        return self.pick(self.bits("and", finite, other), self.const(0.0), self.const(_NAN))

    def powfix(
        self,
        size: Value,
        base: Value,
        exponent: Value,
        bound: Value,
        parity: Callable[[], Value],
    ) -> Value:
        """C's pow from ``size``, exp(exponent ln |base|).

        Where every base is at least ``bound``, that is it already; the rest is a branch seldom taken.
        """
        fine = self.fcmp("oge", base, bound)
        if self.lanes > 1:
            packed = self.put(f"bitcast {self.b} {fine} to i{self.lanes}")
            fine = self.put(f"icmp eq i{self.lanes} {packed}, -1")
        name, before = self.new()[1:], self.block
        self.do(f"br i1 {fine}, label %{name}.fine, label %{name}.odd, !prof !0")
        self.do(f"{name}.odd:")
        found = self._odd_power(size, base, exponent, parity())
        after = self.block
        self.do(f"br label %{name}.fine")
        self.do(f"{name}.fine:")
        ways = f"[ {size.text}, %{before} ], [ {found.text}, %{after} ]"
        return Value(self.put(f"phi {self.t} {ways}"))

    def _odd_power(self, size: Value, base: Value, exponent: Value, parity: Value) -> Value:
        """What exp(exponent ln |base|) cannot know, for any numbers whatever."""
        negative = self.fcmp("olt", base, self.const(0.0))
        found = self.pick(negative, self.mul(size, parity), size)
        # A fractional power of minus infinity is infinity or 0, not NaN.
        fractional = self.fcmp("uno", parity, parity)
        endless = self.pick(fractional, self.const(-_INF), self.const(_NAN))
        found = self.pick(self.fcmp("oeq", base, endless), size, found)
        one, zero = self.const(1.0), self.const(0.0)
        found = self.pick(self.fcmp("oeq", base, one), one, found)
        unit = self.fcmp("oeq", self.abs(base), one)
        unbounded = self.fcmp("oeq", self.abs(exponent), self.const(_INF))
        found = self.pick(self.bits("and", unit, unbounded), one, found)
        return self.pick(self.fcmp("oeq", exponent, zero), one, found)

    def sin(self, x: Value) -> Value:
        return self._helper("sin", x)

    def cos(self, x: Value) -> Value:
        return self._helper("cos", x)

    def tan(self, x: Value) -> Value:
        return self.div(self.sin(x), self.cos(x))

    def tanh(self, x: Value) -> Value:
        return self._helper("tanh", x)

    def _helper(self, name: str, x: Value) -> Value:
        """Seldom used functions are called, not inlined: they keep the kernel's code small."""
        if name not in self.helpers:
            self.helpers[name] = _HELPERS[name](Emitter(self.lanes, avx512=self.avx512))
        return Value(self.put(f"call {self.t} @fw.{name}({self.t} {x.text})"))

    # Lookups -----------------------------------------------------------------------------------

    def lookup(
        self, name: str, x: Value, xs: Sequence[float], ys: Sequence[float], extrapolate: bool
    ) -> Value:
        """Linear between points. Few points: a chain of selects; many: a binary search."""
        if len(xs) == 1:
            return self.add(self.const(ys[0]), self.mul(x, self.const(0.0)))
        slopes = [
            (y1 - y0) / (x1 - x0) for x0, x1, y0, y1 in zip(xs, xs[1:], ys, ys[1:], strict=False)
        ]
        inner = x
        if not extrapolate:
            low, high = self.const(xs[0]), self.const(xs[-1])
            inner = self.pick(self.fcmp("olt", x, low), low, x)
            inner = self.pick(self.fcmp("ogt", x, high), high, inner)
        if len(xs) <= 17:
            left, base, slope = (self.const(v) for v in (xs[0], ys[0], slopes[0]))
            for knot, y, gradient in zip(xs[1:-1], ys[1:-1], slopes[1:], strict=True):
                past = self.fcmp("oge", inner, self.const(knot))
                left = self.pick(past, self.const(knot), left)
                base = self.pick(past, self.const(y), base)
                slope = self.pick(past, self.const(gradient), slope)
        else:
            left, base, slope = self._search(name, inner, xs, ys, slopes)
        found = self.add(base, self.mul(slope, self.sub(inner, left)))
        if not extrapolate:
            found = self.pick(
                self.fcmp("oge", inner, self.const(xs[-1])), self.const(ys[-1]), found
            )
        return found

    def slope(
        self, name: str, x: Value, xs: Sequence[float], ys: Sequence[float], extrapolate: bool
    ) -> Value:
        """The derivative of ``lookup``: that of the segment to the right of a knot, NaN for NaN."""
        if len(xs) == 1:
            return self.mul(x, self.const(0.0))
        slopes = [
            (y1 - y0) / (x1 - x0) for x0, x1, y0, y1 in zip(xs, xs[1:], ys, ys[1:], strict=False)
        ]
        if len(xs) <= 17:
            found = self.const(slopes[0])
            for knot, gradient in zip(xs[1:-1], slopes[1:], strict=True):
                found = self.pick(self.fcmp("oge", x, self.const(knot)), self.const(gradient), found)
        else:
            found = self._search(name, x, xs, ys, slopes)[2]
        if not extrapolate:
            zero = self.const(0.0)
            found = self.pick(self.fcmp("olt", x, self.const(xs[0])), zero, found)
            found = self.pick(self.fcmp("oge", x, self.const(xs[-1])), zero, found)
        return self.pick(self.fcmp("uno", x, x), x, found)

    def gate(self, bar: Value, value: Value) -> Value:
        """``value``, but 0 where ``bar`` is 0: what is not chosen has no derivative, not NaN."""
        return self.pick(self.fcmp("oeq", bar, self.const(0.0)), self.const(0.0), value)

    def _search(
        self, name: str, x: Value, xs: Sequence[float], ys: Sequence[float], slopes: Sequence[float]
    ) -> tuple[Value, Value, Value]:
        """Knot, value and slope of the segment of ``x`` by halving; NaN finds the first."""
        count = len(slopes)
        size = 1 << (count - 1).bit_length()
        table = f"@table.{len(self.helpers)}.{self._count}"
        padded = [[*xs[:count]], [*ys[:count]], [*slopes]]
        fills = (_NAN, 0.0, 0.0)  # no number, not even infinity, is beyond NaN
        for part, (values, fill) in enumerate(zip(padded, fills, strict=True)):
            numbers = values + [fill] * (size - count)
            bits = (struct.unpack("<Q", struct.pack("<d", v))[0] for v in numbers)
            body = ", ".join(f"double 0x{b:016X}" for b in bits)
            text = f"{table}.{part} = private constant [{size} x double] [{body}]"
            self.helpers[f"{table}.{part}"] = text
        index = self.whole(0) if self.lanes == 1 else "zeroinitializer"
        width = size // 2
        while width:
            probe = self.put(f"add {self.i} {index}, {self.whole(width)}")
            past = self.fcmp("oge", x, self._gather(f"{table}.0", probe))
            index = self.put(f"select {self.b} {past}, {self.i} {probe}, {self.i} {index}")
            width //= 2
        found = [self._gather(f"{table}.{part}", index) for part in range(3)]
        return found[0], found[1], found[2]

    def _gather(self, table: str, index: str) -> Value:
        if self.lanes == 1:
            pointer = self.put(f"getelementptr inbounds double, ptr {table}, i64 {index}")
            return Value(self.put(f"load double, ptr {pointer}, align 8"))
        pointers = self.put(f"getelementptr inbounds double, ptr {table}, {self.i} {index}")
        ones = f"<{self.lanes} x i1> splat (i1 true)"
        kind = f"<{self.lanes} x ptr>"
        call = f"call {self.t} @llvm.masked.gather.{self.suffix}.v{self.lanes}p0"
        return Value(self.put(f"{call}({kind} {pointers}, i32 8, {ones}, {self.t} poison)"))


# Functions that are called ------------------------------------------------------------------------


def _function(name: str, emit: Emitter, body: Iterable[str], result: str) -> str:
    lines = "\n".join(body)
    head = f"define internal {emit.t} @fw.{name}({emit.t} %x) noinline nounwind #0"
    return f"{head} {{\n{lines}\n  ret {emit.t} {result}\n}}\n"


def _tanh(emit: Emitter) -> str:
    """A polynomial near 0; elsewhere 1 - 2/(exp(2|x|) + 1) with the sign of x."""
    x = Value("%x")
    size = emit.abs(x)
    z = emit.mul(x, x)
    small = emit.add(x, emit.mul(emit.mul(x, z), emit.polynomial(z, c.TANH)))
    power = emit.exp(emit.add(size, size))
    one = emit.const(1.0)
    large = emit.sub(one, emit.div(emit.const(2.0), emit.add(power, one)))
    large = emit.pick(emit.fcmp("olt", x, emit.const(0.0)), emit.neg(large), large)
    near = emit.fcmp("olt", size, emit.const(c.TANH_SMALL))
    found = emit.pick(near, small, large)
    found = emit.pick(emit.fcmp("uno", x, x), x, found)
    return _function("tanh", emit, emit.lines, found.text)


def _trigonometric(name: str, shift: int, emit: Emitter) -> str:
    """Reduction by multiples of pi/2 in three parts, then a polynomial on [-pi/4, pi/4].

    Lanes with |x| beyond ``TRIG_LARGE`` are left to the C library, one by one.
    """
    x, lanes = Value("%x"), emit.lanes
    magic = emit.const(_MAGIC)
    shifted = emit.add(emit.mul(x, emit.const(c.TWO_OVER_PI)), magic)
    k = emit.sub(shifted, magic)
    r = x
    for part in c.HALF_PI_PARTS:
        r = emit.sub(r, emit.mul(k, emit.const(part)))
    z = emit.mul(r, r)
    sine = emit.add(r, emit.mul(emit.mul(r, z), emit.polynomial(z, c.SIN)))
    square = emit.mul(emit.mul(z, z), emit.polynomial(z, c.COS))
    cosine = emit.add(emit.sub(emit.const(1.0), emit.mul(z, emit.const(0.5))), square)
    quarter = emit.put(f"bitcast {emit.t} {shifted.text} to {emit.i}")
    quarter = emit.put(f"add {emit.i} {quarter}, {emit.whole(shift)}")
    odd = emit.put(f"and {emit.i} {quarter}, {emit.whole(1)}")
    swap = emit.put(f"icmp ne {emit.i} {odd}, {emit.whole(0)}")
    turn = emit.put(f"and {emit.i} {quarter}, {emit.whole(2)}")
    flip = emit.put(f"icmp ne {emit.i} {turn}, {emit.whole(0)}")
    found = emit.pick(swap, cosine, sine)
    found = emit.pick(flip, emit.neg(found), found)
    far = emit.fcmp("ugt", emit.abs(x), emit.const(c.TRIG_LARGE))
    if lanes == 1:
        anywhere = far
    else:
        packed = emit.put(f"bitcast {emit.b} {far} to i{lanes}")
        anywhere = emit.put(f"icmp ne i{lanes} {packed}, 0")
    emit.do(f"br i1 {anywhere}, label %far, label %near")
    emit.do("far:")
    if lanes == 1:
        text = emit.put(f"call double @flywheel_{name}(double %x)")
    else:
        text = found.text
        for lane in range(lanes):
            one = emit.put(f"extractelement {emit.t} %x, i32 {lane}")
            value = emit.put(f"call double @flywheel_{name}(double {one})")
            text = emit.put(f"insertelement {emit.t} {text}, double {value}, i32 {lane}")
        text = emit.pick(far, Value(text), found).text
    emit.do(f"ret {emit.t} {text}")
    emit.do("near:")
    return _function(name, emit, emit.lines, found.text)


_HELPERS: Mapping[str, Callable[[Emitter], str]] = {
    "tanh": _tanh,
    "sin": lambda emit: _trigonometric("sin", 0, emit),
    "cos": lambda emit: _trigonometric("cos", 1, emit),
}
