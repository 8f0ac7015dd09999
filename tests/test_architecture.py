"""The house rules that a machine can check: imports point one way, and no model text is evaluated."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAW = tomllib.loads((ROOT / "tests" / "import_law.toml").read_text())["layers"]
FOLDERS = {
    "flywheel": ROOT / "flywheel",
    "flywheel.models": ROOT / "models",
    "flywheel.dashboard": ROOT / "dashboard",
}


@dataclass(frozen=True)
class Import:
    """``module`` of ours or a third party, from where, and whether only when a function runs."""

    module: str
    line: int
    lazy: bool
    typing: bool


def module_files() -> dict[str, Path]:
    """Every module of the package as it is installed, with its file."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((package, *parts))] = path
    return found


MODULES = module_files()


def imports(module: str, tree: ast.Module) -> Iterator[Import]:
    """The imports of a module, relative ones resolved, ``from package import module`` followed."""
    is_package = MODULES[module].name == "__init__.py"

    def visit(node: ast.AST, lazy: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                yield from visit(child, lazy, True)
            for child in node.orelse:
                yield from visit(child, lazy, typing)
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, lazy, typing)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                home = module.split(".")
                home = home[: len(home) - node.level + (1 if is_package else 0)]
                base = ".".join([*home, base] if base else home)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield Import(inner if inner in MODULES else base, node.lineno, lazy, typing)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, lazy or inside, typing)

    yield from visit(tree, False, False)


TREES = {module: ast.parse(path.read_text(), str(path)) for module, path in MODULES.items()}
IMPORTS = {module: tuple(imports(module, tree)) for module, tree in TREES.items()}


def layer_of(module: str) -> str:
    """The layer whose prefix is the longest that fits; ``flywheel`` itself owns only its __init__."""
    best, owner = "", None
    for layer, rule in LAW.items():
        for prefix in rule["modules"]:
            exact = module == prefix
            under = module.startswith(prefix + ".") and prefix != "flywheel"
            if (exact or under) and len(prefix) > len(best):
                best, owner = prefix, layer
    assert owner, f"{module} belongs to no layer of tests/import_law.toml"
    return owner


@pytest.mark.parametrize("module", MODULES)
def test_imports_keep_the_law(module: str) -> None:
    layer = layer_of(module)
    rule = LAW[layer]
    wrong = []
    for found in IMPORTS[module]:
        top = found.module.partition(".")[0]
        if top == "flywheel":
            other = layer_of(found.module)
            allowed = {layer, *rule["imports"], *(rule.get("typing", []) if found.typing else [])}
            if other not in allowed:
                wrong.append(f"line {found.line}: {layer} may not import {found.module} ({other})")
        elif top not in sys.stdlib_module_names:
            allowed = {*rule.get("packages", []), *rule.get("alone", {}).get(module, [])}
            if found.lazy or found.typing:
                allowed |= set(rule.get("lazily", []))
            if top not in allowed:
                when = "lazily" if found.lazy or found.typing else "when it is imported"
                wrong.append(f"line {found.line}: {layer} may not import {top} {when}")
    assert not wrong, f"{MODULES[module]}\n" + "\n".join(wrong)


def test_the_law_itself_points_one_way() -> None:
    graph = {layer: set(rule["imports"]) for layer, rule in LAW.items()}
    unknown = {name for names in graph.values() for name in names} - set(LAW)
    assert not unknown
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert order.index("errors") < order.index("model") < order.index("kernel")
    assert order.index("solve") < order.index("figures") < order.index("api") < order.index("cli")


def test_modules_import_each_other_in_no_circle() -> None:
    graph = {
        module: {
            found.module
            for found in IMPORTS[module]
            if found.module in MODULES and not found.lazy and not found.typing
        }
        - {module}
        for module in MODULES
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_nothing_in_the_package_names_dash() -> None:
    for module, found in IMPORTS.items():
        if not module.startswith("flywheel.dashboard"):
            assert not [one for one in found if one.module.startswith(("dash", "flask"))], module


FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
FORBIDDEN_MODULES = {
    "pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "yaml", "sympy", "joblib",
    "numexpr", "code", "codeop", "runpy",
}  # fmt: skip
FORBIDDEN_METHODS = {"sympify", "read_pickle", "to_pickle", "eval", "unsafe_load", "loads_pickle"}


@pytest.mark.parametrize("module", MODULES)
def test_no_text_is_ever_evaluated(module: str) -> None:
    for found in IMPORTS[module]:
        assert found.module.partition(".")[0] not in FORBIDDEN_MODULES, f"line {found.line}"
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Call):
            where = f"{MODULES[module]}:{node.lineno}"
            if isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS, where
            elif isinstance(node.func, ast.Attribute):
                assert node.func.attr not in FORBIDDEN_METHODS, where
                pickled = [k for k in node.keywords if k.arg == "allow_pickle"]
                assert not any(ast.unparse(k.value) == "True" for k in pickled), where


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_left_unfinished(module: str) -> None:
    source = MODULES[module].read_text()
    for word in ("TODO", "FIXME", "NotImplementedError", "XXX"):
        assert word not in source, word


@pytest.mark.parametrize("module", MODULES)
def test_only_the_command_line_prints(module: str) -> None:
    if layer_of(module) in ("cli", "dashboard"):
        return
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"{MODULES[module]}:{node.lineno}"


def test_every_module_says_what_it_is_for() -> None:
    silent = [module for module, tree in TREES.items() if not ast.get_docstring(tree)]
    assert not silent


def test_a_broken_law_would_be_seen() -> None:
    """The reading of imports itself: lazy, typing-only, relative, and ``from package import module``."""
    text = (
        "from flywheel import kernel\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import dash\n"
        "def f():\n    import scipy.integrate\n"
        "from . import reference\n"
    )
    found = list(imports("flywheel.kernel.system", ast.parse(text)))
    assert [(one.module, one.lazy, one.typing) for one in found] == [
        ("flywheel.kernel", False, False),
        ("typing", False, False),
        ("dash", False, True),
        ("scipy.integrate", True, False),
        ("flywheel.kernel.reference", False, False),
    ]
    assert layer_of("flywheel.checks.reality") == "checks_by_running"
    assert layer_of("flywheel.checks.units") == "checks"
