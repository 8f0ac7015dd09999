"""Writes a compiled program's graph as C and as numpy: the competitors compute what the kernel does.

Both get the graph after the kernel's own passes, so they share its common subexpressions, its hoisting
of what only parameters decide, and its inverted divisors. What they do not get is the repair of powers
(``powfix``): C calls ``pow``, or with ``split`` the bare ``exp(y log|x|)`` of the graph, which is
cheaper than the kernel's guarded power.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flywheel.kernel.ir import Pace, Program

LANES = 8
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


@dataclass(frozen=True)
class Style:
    """How one kind of C spells things."""

    kind: str
    """``scalar`` one member at a time; ``loop`` eight in a ``#pragma omp simd`` loop; ``vector`` eight
    in a vector of gcc."""
    split: bool
    """Powers as exp and log instead of ``pow``."""

    @property
    def real(self) -> str:
        return "v8" if self.kind == "vector" else "double"

    @property
    def lanes(self) -> int:
        return 1 if self.kind == "scalar" else LANES


def to_c(program: Program, method: str, style: Style) -> str:
    """C++ source of ``run(inputs, series, out, groups, steps, every, start, dt)``; arrays as the
    kernel's: inputs [groups][P][lanes], series [steps+1][3][S], out [groups][saves][V][lanes]."""
    return _C(program, method, style).text()


class _C:
    def __init__(self, program: Program, method: str, style: Style) -> None:
        if program.pipes or program.noises or program.lookups:
            raise ValueError("the benchmark translates models without pipelines, noise and tables")
        self.program = program
        self.method = method
        self.style = style
        nodes, paces = program.graph.nodes, program.graph.paces
        roots = [*program.rates, *program.outputs]
        live = self._live(roots)
        starts = self._live(program.initials)
        self.run_nodes = sorted({n for n in live if paces[n] is Pace.RUN} | starts)
        self.step_nodes = sorted(n for n in live if paces[n] is Pace.STEP)
        rates = self._live(program.rates)
        self.stage_nodes = sorted(n for n in rates if paces[n] is Pace.STAGE)
        self.save_nodes = sorted(n for n in live - rates if paces[n] is Pace.STAGE)
        self.nodes = nodes

    def _live(self, roots: Iterable[int]) -> set[int]:
        """What the roots need, a power needing only what this style reads of it."""
        nodes = self.program.graph.nodes
        seen: set[int] = set()
        pending = list(roots)
        while pending:
            node = pending.pop()
            if node not in seen:
                seen.add(node)
                args = nodes[node].args
                if nodes[node].op == "powfix":
                    args = args[:1] if self.style.split else args[1:3]
                pending.extend(args)
        return seen

    # Expressions -------------------------------------------------------------------------------

    def name(self, node: int) -> str:
        found = self.nodes[node]
        if found.op == "const":
            value = float.fromhex(str(found.data))
            return f"C({value!r})" if value == value else 'C(__builtin_nan(""))'
        return f"n{node}"

    def expression(self, node: int) -> str:
        found = self.nodes[node]
        arg = [self.name(a) for a in found.args]
        op = found.op
        lane = "[l]" if self.style.kind == "loop" else ""
        if op in _INFIX:
            return f"{arg[0]} {_INFIX[op]} {arg[1]}"
        if op in _COMPARE:
            return f"{arg[0]} {_COMPARE[op]} {arg[1]} ? C(1.0) : C(0.0)"
        match op:
            case "neg":
                return f"-{arg[0]}"
            case "not":
                return f"{arg[0]} == C(0.0) ? C(1.0) : C(0.0)"
            case "and" | "or":
                sign = "&" if op == "and" else "|"
                return f"(({arg[0]} != C(0.0)) {sign} ({arg[1]} != C(0.0))) ? C(1.0) : C(0.0)"
            case "if":
                return f"{arg[0]} != C(0.0) ? {arg[1]} : {arg[2]}"
            case "min":
                return f"{arg[0]} < {arg[1]} ? {arg[0]} : {arg[1]}"
            case "max":
                return f"{arg[0]} > {arg[1]} ? {arg[0]} : {arg[1]}"
            case "exp" | "ln" | "sqrt" | "abs":
                return f"F({op})({arg[0]})"
            case "powfix":
                return arg[0] if self.style.split else f"F(pow)({arg[1]}, {arg[2]})"
            case "input":
                return f"in[{found.data}]{lane}"
            case "state":
                return f"{'z' if self.method == 'rk4' else 'y'}[{found.data}]{lane}"
            case "start" | "dt":
                return f"C({op})"
            case "series0":
                return f"C(series[{found.data}])"
            case "series":
                return f"C(row[{found.data}])"
            case "time":
                return "C(t)"
            case "steptime":
                return "C(tk)"
        raise ValueError(f"the benchmark does not translate {op}")

    def block(self, nodes: Iterable[int], indent: str) -> list[str]:
        real = self.style.real
        return [
            f"{indent}const {real} n{n} = {self.expression(n)};"
            for n in nodes
            if self.nodes[n].op != "const"
        ]

    # The function ------------------------------------------------------------------------------

    def text(self) -> str:
        return "\n".join([self._head(), *(self._loop() if self._is_loop else self._plain())]) + "\n"

    @property
    def _is_loop(self) -> bool:
        return self.style.kind == "loop"

    def _head(self) -> str:
        lines = ["#include <math.h>"]
        if self.style.kind == "vector":
            lines += [
                "#include <immintrin.h>",
                "typedef double v8 __attribute__((vector_size(64)));",
                'extern "C" v8 _ZGVeN8v_exp(v8); extern "C" v8 _ZGVeN8v_log(v8);',
                'extern "C" v8 _ZGVeN8vv_pow(v8, v8);',
                "static inline v8 C(double x) { return v8{x,x,x,x,x,x,x,x}; }",
                "#define F(name) v_##name",
                "#define v_exp _ZGVeN8v_exp",
                "#define v_ln _ZGVeN8v_log",
                "#define v_pow _ZGVeN8vv_pow",
                "static inline v8 v_sqrt(v8 x) { return (v8)_mm512_sqrt_pd((__m512d)x); }",
                "static inline v8 v_abs(v8 x) { return (v8)_mm512_abs_pd((__m512d)x); }",
            ]
        else:
            lines += [
                "#define C(x) ((double)(x))",
                "#define F(name) s_##name",
                "#define s_exp exp",
                "#define s_ln log",
                "#define s_pow pow",
                "#define s_sqrt sqrt",
                "#define s_abs fabs",
            ]
        return "\n".join(lines)

    def _signature(self) -> list[str]:
        real, lane = self.style.real, "[8]" if self._is_loop else ""
        kind = f"double (*__restrict {{}}){lane}" if self._is_loop else f"{real} *__restrict {{}}"
        states, lanes = len(self.program.states), self.style.lanes
        saves = "(steps / every + 1)"
        return [
            'extern "C" void run(const double *__restrict inputs, const double *__restrict series,',
            "    double *__restrict outputs, long groups, long steps, long every, double start,",
            "    double dt) {",
            f"  {real} y[{states}]{lane} __attribute__((aligned(64)));",
            f"  {real} z[{states}]{lane} __attribute__((aligned(64)));",
            f"  {real} sum[{states}]{lane} __attribute__((aligned(64)));",
            "  for (long g = 0; g < groups; g++) {",
            f"    const {kind.format('in')} = (const {kind.format('')})"
            f"(inputs + g * {len(self.program.inputs) * lanes});",
            f"    {kind.format('out')} = ({kind.format('')})"
            f"(outputs + g * {saves} * {len(self.program.outputs) * lanes});",
        ]

    def _tables(self) -> list[str]:
        return [
            "  static const double times[] = {0, 0.5, 0.5, 1};",
            "  static const double weight[] = {1 / 6., 1 / 3., 1 / 3., 1 / 6.};",
            "  static const double reach[] = {0.5, 0.5, 1, 0};",
            "  static const int place[] = {0, 1, 1, 2};",
        ]

    def _stage_head(self) -> list[str]:
        count = len(self.program.series)
        if self.method == "euler":
            return [
                "      { const double t = tk; (void)t;",
                f"        const double *row = series + k * 3 * {count}; (void)row;",
                "        const int first = 1;",
            ]
        return [
            "      for (int s = 0; s < 4; s++) {",
            "        const double t = tk + times[s] * dt; (void)t;",
            f"        const double *row = series + (k * 3 + place[s]) * {count}; (void)row;",
            "        const int first = s == 0;",
        ]

    def _update(self, state: int, rate: str, lane: str) -> list[str]:
        if self.method == "euler":
            return [f"y[{state}]{lane} += dt * {rate};"]
        i = f"[{state}]{lane}"
        return [
            f"sum{i} += weight[s] * dt * {rate};",
            f"if (s < 3) z{i} = y{i} + reach[s] * dt * {rate}; else {{ y{i} = sum{i}; z{i} = sum{i}; }}",
        ]

    def _plain(self) -> list[str]:
        """Scalar or vector: nodes are variables, the compiler places them."""
        program = self.program
        code = self._signature()
        code[3:3] = self._tables()
        code += self.block(self.run_nodes, "    ")
        for state, node in enumerate(program.initials):
            code.append(f"    y[{state}] = z[{state}] = sum[{state}] = {self.name(node)};")
        code.append("    for (long k = 0; k <= steps; k++) {")
        code.append("      const double tk = start + k * dt;")
        code += self.block(self.step_nodes, "      ")
        code += self._stage_head()
        code += self.block(self.stage_nodes, "        ")
        code.append("        if (first && k % every == 0) {")
        code += self.block(self.save_nodes, "          ")
        code.append(f"          auto *to = out + k / every * {len(program.outputs)};")
        for number, node in enumerate(program.outputs):
            code.append(f"          to[{number}] = {self.name(node)};")
        code.append("        }")
        for state, node in enumerate(program.rates):
            code += ["        " + line for line in self._update(state, self.name(node), "")]
        code += ["      }", "    }", "  }", "}"]
        return code

    def _loop(self) -> list[str]:
        """Eight lanes in loops that the compiler vectorises; slow values wait in arrays."""
        program = self.program
        code = self._signature()
        code[3:3] = self._tables()
        slow = [n for n in [*self.run_nodes, *self.step_nodes] if self.nodes[n].op != "const"]
        row = {n: number for number, n in enumerate(slow)}
        states = len(program.states)
        # Static, so that the compiler sees plain memory and vectorises every loop.
        code[:0] = [
            f"static double a[{len(slow)}][8] __attribute__((aligned(64)));",
            f"static double d[{states}][8] __attribute__((aligned(64)));",
        ]
        pragma = "#pragma omp simd simdlen(8)\n"
        head = "for (int l = 0; l < 8; l++) {"

        def computed(nodes: list[int], indent: str, known: list[int]) -> list[str]:
            lines = [f"{pragma}{indent}{head}"]
            lines += [f"{indent}  const double n{n} = a[{row[n]}][l];" for n in known]
            lines += self.block(nodes, indent + "  ")
            return lines

        code += computed(self.run_nodes, "    ", [])
        code += [f"      a[{row[n]}][l] = n{n};" for n in self.run_nodes if n in row]
        for state, node in enumerate(program.initials):
            i = f"[{state}][l]"
            code.append(f"      y{i} = z{i} = sum{i} = {self.name(node)};")
        code.append("    }")
        code.append("    for (long k = 0; k <= steps; k++) {")
        code.append("      const double tk = start + k * dt;")
        known = [n for n in self.run_nodes if n in slow]
        code += computed(self.step_nodes, "      ", known)
        code += [f"        a[{row[n]}][l] = n{n};" for n in self.step_nodes if n in row]
        code.append("      }")
        code += self._stage_head()
        code.append("        if (first && k % every == 0) {")
        code.append(f"          auto *to = out + k / every * {len(program.outputs)};")
        everything = sorted({*self.stage_nodes, *self.save_nodes})
        code += computed(everything, "          ", slow)
        for number, node in enumerate(program.outputs):
            code.append(f"            to[{number}][l] = {self.name(node)};")
        code += ["          }", "        }"]
        code += computed(self.stage_nodes, "        ", slow)
        for state, node in enumerate(program.rates):
            code.append(f"          d[{state}][l] = {self.name(node)};")
        code.append("        }")
        code.append(f"        for (int i = 0; i < {states}; i++) {{")
        if self.method == "euler":
            code.append(f"{pragma}          {head} y[i][l] += dt * d[i][l]; }}")
        else:
            code.append(f"{pragma}          {head} sum[i][l] += weight[s] * dt * d[i][l]; }}")
            code.append("          if (s < 3) {")
            code.append(
                f"{pragma}            {head} z[i][l] = y[i][l] + reach[s] * dt * d[i][l]; }}"
            )
            code.append("          } else {")
            code.append(f"{pragma}            {head} y[i][l] = z[i][l] = sum[i][l]; }}")
            code.append("          }")
        code += ["        }", "      }", "    }", "  }", "}"]
        return code


# numpy ----------------------------------------------------------------------------------------

_NUMPY_INFIX = {**_INFIX, **_COMPARE}
_NUMPY_CALLS = {
    "exp": "np.exp",
    "ln": "np.log",
    "sqrt": "np.sqrt",
    "abs": "np.abs",
    "min": "np.minimum",
    "max": "np.maximum",
    "and": "np.logical_and",
    "or": "np.logical_or",
    "not": "np.logical_not",
    "if": "np.where",
}


def to_numpy(program: Program, method: str) -> Callable[..., object]:
    """``run(inputs (P, members), series, steps, every, start, dt) -> (saves, V, members)``."""
    c = _C(program, method, Style("scalar", split=False))

    def name(node: int) -> str:
        found = c.nodes[node]
        if found.op == "const":
            return repr(float.fromhex(str(found.data)))
        return f"n{node}"

    def line(node: int) -> str:
        found = c.nodes[node]
        arg = [name(a) for a in found.args]
        if found.op in _NUMPY_INFIX:
            return f"{arg[0]} {_NUMPY_INFIX[found.op]} {arg[1]}"
        if found.op in _NUMPY_CALLS:
            return f"{_NUMPY_CALLS[found.op]}({', '.join(arg)})"
        leaves = {"series0": "series[0, 0, {}]", "series": "series[k, place, {}]"}
        match found.op:
            case "neg":
                return f"-{arg[0]}"
            case "powfix":
                return f"np.power({arg[1]}, {arg[2]})"
            case "input":
                return f"inputs[{found.data}]"
            case "state":
                return f"y[{found.data}]"
            case "series0" | "series":
                return leaves[found.op].format(found.data)
            case "start" | "dt":
                return found.op
            case "time":
                return "t"
            case "steptime":
                return "tk"
        raise ValueError(f"the benchmark does not translate {found.op}")

    def block(nodes: list[int], indent: int) -> list[str]:
        space = " " * indent
        return [f"{space}n{n} = {line(n)}" for n in nodes if c.nodes[n].op != "const"]

    states, count = len(program.states), len(program.outputs)
    text = [
        "def run(inputs, series, steps, every, start, dt):",
        "    members = inputs.shape[1]",
        f"    saved = np.empty((steps // every + 1, {count}, members))",
        *block(c.run_nodes, 4),
        f"    state = np.empty(({states}, members))",
        *(f"    state[{i}] = {name(n)}" for i, n in enumerate(program.initials)),
        f"    slope = np.empty(({states}, members))",
        "    for k in range(steps + 1):",
        "        tk = start + k * dt",
        *block(c.step_nodes, 8),
        "        def rates(t, y, place, to):",
        *block(c.stage_nodes, 12),
        "            if to is not None:",
        *block(c.save_nodes, 16),
        *(f"                to[{i}] = {name(n)}" for i, n in enumerate(program.outputs)),
        "            slope = np.empty_like(y)",
        *(f"            slope[{i}] = {name(n)}" for i, n in enumerate(program.rates)),
        "            return slope",
        "        to = saved[k // every] if k % every == 0 else None",
        "        k1 = rates(tk, state, 0, to)",
    ]
    if method == "euler":
        text.append("        state = state + dt * k1")
    else:
        text += [
            "        k2 = rates(tk + dt / 2, state + dt / 2 * k1, 1, None)",
            "        k3 = rates(tk + dt / 2, state + dt / 2 * k2, 1, None)",
            "        k4 = rates(tk + dt, state + dt * k3, 2, None)",
            "        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)",
        ]
    text.append("    return saved")
    import numpy as np

    space: dict[str, Callable[..., object]] = {"np": np}  # type: ignore[dict-item]
    exec("\n".join(text), space)  # noqa: S102 - text that this file wrote
    return space["run"]
