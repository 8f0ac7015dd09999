"""Code for processors other than this one: it must compile, stay within their instructions, and agree.

An x86-64 machine can run the code of every lesser one, so the numbers are compared too; elsewhere
only the assembly is looked at.
"""

from __future__ import annotations

import platform

import numpy as np
import pytest
from llvmlite import binding

from flywheel.kernel import llvm
from flywheel.kernel.assembly import fixed_step
from flywheel.kernel.expand import expand
from flywheel.kernel.ir import lower
from tests.kernel.compare import by_kernel
from tests.kernel.random_models import model

X86_64 = "x86_64-unknown-linux-gnu"
TARGETS = {
    "plain": ("x86-64", ""),
    "avx2": ("haswell", ""),
    "avx512": ("skylake-avx512", ""),
}
RUNS_X86 = platform.machine().lower() in ("x86_64", "amd64")


def assembly_for(cpu: str, features: str, seed: int) -> str:
    """The processor's assembly for a random model."""
    llvm.triple()  # sets LLVM up
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    text, _ = fixed_step(lower(expand(model(seed))), "rk4", llvm.LANES, X86_64)
    module = binding.parse_assembly(text)
    module.verify()
    target = binding.Target.from_triple(X86_64)
    return target.create_target_machine(cpu=cpu, features=features, opt=2).emit_assembly(module)


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize("name", TARGETS)
def test_code_keeps_to_the_instructions_of_its_target(name: str, seed: int) -> None:
    text = assembly_for(*TARGETS[name], seed)
    assert ("%zmm" in text) == (name == "avx512")
    assert ("%ymm" in text) == (name != "plain")
    assert ("vfmadd" in text) == (name != "plain")
    assert "mulpd" in text
    # No calls into a vector library, nor into the C library but for huge angles.
    called = {line.split()[1] for line in text.splitlines() if line.strip().startswith("callq")}
    own = {name for name in called if name.lstrip("*").startswith(("fw.", ".Lfw", "flywheel_"))}
    assert {name for name in called - own if not name.startswith("*")} == set()


@pytest.mark.skipif(not RUNS_X86, reason="runs x86-64 code: this is another kind of processor")
@pytest.mark.parametrize("name", ["plain", "avx2"])
def test_lesser_processors_get_the_same_numbers(name: str) -> None:
    if name == "avx2" and not binding.get_host_cpu_features().get("avx2"):
        pytest.skip("this processor has no AVX2 to run the code with")
    for seed in range(4):
        system = expand(model(seed))
        inputs = np.array(system.defaults) * np.linspace(0.9, 1.1, 3)[:, None]
        machine = llvm.target_machine(*TARGETS[name])
        other = llvm.FixedKernel(lower(system), "rk4", llvm.LANES, machine)
        plan = {"step": 0.125, "steps": 16, "every": 2, "seed": seed}
        ours = by_kernel(system, inputs, "rk4", **plan)
        theirs = by_kernel(system, inputs, "rk4", **plan, kernel=other)
        for n, variable in enumerate(system.visible):
            a, b = ours[..., n], theirs[..., n]
            if variable[0] in "sf" and variable[1:].isdigit():
                size = np.abs(a).max()
                assert np.abs(a - b).max() <= 1e-12 * size, (seed, variable)


def test_a_narrow_kernel_gives_the_same_numbers() -> None:
    """One lane, as on a processor without vectors at all."""
    for seed in range(4):
        system = expand(model(seed))
        inputs = np.array([system.defaults])
        plan = {"step": 0.125, "steps": 16, "every": 2, "seed": seed}
        narrow = llvm.FixedKernel(lower(system), "rk4", 1)
        wide = by_kernel(system, inputs, "rk4", **plan)
        thin = by_kernel(system, inputs, "rk4", **plan, kernel=narrow)
        places = [n for n, v in enumerate(system.visible) if v in ("s0", "s1", "s2")]
        assert np.allclose(wide[..., places], thin[..., places], rtol=1e-12, atol=1e-13)
