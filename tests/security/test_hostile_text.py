"""Hostile text: nothing of it runs, nothing of it is taken for a model, nothing outside is read."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import pytest

from flywheel import language
from flywheel.errors import FlywheelError, LimitError, ModelError, UsageError
from flywheel.model import Model

CORPUS = Path(__file__).parent / "corpus" / "expressions.txt"
HEAD = "model m\ntime 0 to 1 [year] step 1\n"


def payloads() -> list[str]:
    lines = CORPUS.read_text(encoding="utf-8").split("\n")
    kept = [line for line in lines if line.strip() and not (line.startswith("# ") or line == "#")]
    return [_unescaped(line) for line in kept]


def _unescaped(line: str) -> str:
    if "\\" not in line:
        return line
    return line.encode("ascii").decode("unicode_escape")


PAYLOADS = payloads()

# Where a payload is put. In each of these places no payload is part of a sound model.
PLACES = {
    "equation": "aux a = {}",
    "part of an equation": "aux a = 1 + {} * 2",
    "argument": "aux a = max(1, {})",
    "value": "param a = {}",
    "range": "param a = 1 in {} .. 2",
    "unit": "param a [{}] = 1",
    "points": "table a of b = (0, {}) (1, 1)",
    "start": "stock a = {}",
    "condition": "param a = 1\ncheck c: when a = {} then time >= 0",
    "module": "use {} as a",
    "path": 'data a = "{}"',
}



def is_sound(place: str, payload: str) -> bool:
    """A plain name is a fine unit; that nobody has declared it is for the unit check to say."""
    return place == "unit" and unicodedata.normalize("NFKC", payload).isidentifier()


_events: list[str] = []
_listening = False
_DANGEROUS = ("compile", "exec", "import", "open", "os.", "subprocess.", "socket.", "ctypes.",
              "pickle.", "marshal.", "code.", "shutil.", "object.__")  # fmt: skip
_LOOKING = ("os.listdir", "os.scandir")
"""Looking which models there are, for a name that is not one of them."""


def _hook(event: str, args: tuple[object, ...]) -> None:
    if _listening and event.startswith(_DANGEROUS) and event not in _LOOKING:
        _events.append(f"{event} {args!r}"[:200])


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    """Whatever is imported when first needed is imported before anybody listens."""
    for text in ("aux a = smoth(1)", "aux a = b +", "aux a = ×", 'data a = "x.csv"', "use x as y"):
        with pytest.raises(ModelError):
            language.parse(HEAD + text)
    sys.addaudithook(_hook)


def parse(text: str) -> Model:
    """Parse, and fail if the interpreter did anything that a reader of text has no business doing."""
    global _listening
    _events.clear()
    _listening = True
    try:
        return language.parse(text)
    finally:
        _listening = False
        assert _events == [], text


def test_the_corpus_is_large() -> None:
    assert len(set(PAYLOADS)) >= 200


@pytest.mark.parametrize("place", PLACES)
def test_no_trick_is_taken_for_a_model(place: str) -> None:
    accepted = []
    for payload in PAYLOADS:
        text = HEAD + PLACES[place].replace("{}", payload)
        try:
            parse(text)
        except ModelError as error:
            if not all(finding.message for finding in error.findings):
                accepted.append(f"no sentence for {payload!r}")
        else:
            if not is_sound(place, payload):
                accepted.append(payload)
    assert accepted == []


def test_no_trick_is_a_line() -> None:
    for payload in PAYLOADS:
        if payload.startswith("#"):
            continue  # a comment
        for text in (f"{HEAD}{payload}", f"{payload}\n{HEAD}", payload):
            with pytest.raises(ModelError):
                parse(text)


def parsed_unless_forbidden(text: str) -> Model | None:
    """The model; None when a character was refused that may stand nowhere, and nothing else was."""
    codes: set[str] = set()
    try:
        return parse(text)
    except ModelError as error:
        codes = {finding.code for finding in error.findings}
    assert codes == {"forbidden-character"}, text
    return None


def test_a_trick_in_a_label_is_text_and_stays_text() -> None:
    """Labels, documentation and sources may say anything printable; they come back as they were."""
    for payload in PAYLOADS:
        quoted = payload.replace("\\", "\\\\").replace('"', '\\"')
        text = f'{HEAD}param p "{quoted}" = 1 from guess "{quoted}"\n    "{quoted}"\n'
        model = parsed_unless_forbidden(text)
        if model is None:
            continue
        param = model.params["p"]
        assert param.label == param.doc == payload
        assert param.evidence is not None
        assert param.evidence.source == payload
        assert parse(language.print_model(model)) == model


def test_a_trick_in_a_comment_is_nothing() -> None:
    plain = parse(f"{HEAD}param p = 1")
    for payload in PAYLOADS:
        model = parsed_unless_forbidden(f"{HEAD}param p = 1  # {payload}")
        if model is None:
            continue
        assert model == plain
        assert parse(language.format_text(f"{HEAD}param p = 1  # {payload}")) == plain


def test_messages_cannot_steer_a_terminal() -> None:
    """A message quotes the line; what it quotes cannot colour, hide or reverse what follows."""
    for payload in PAYLOADS:
        try:
            parse(f"{HEAD}aux a = {payload}")
        except ModelError as error:
            shown = str(error).replace("\n", "")
            bad = [c for c in shown if not c.isprintable()]
            assert not bad, (payload, bad)


# Paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with a secret beside it, links to it, and things that are no files."""
    (tmp_path / "secret.csv").write_text("year,value\n2000,42\n", encoding="utf-8")
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (home / "good.csv").write_text("year,value\n2000,1\n", encoding="utf-8")
    (home / "data" / "good.csv").write_text("year,value\n2000,2\n", encoding="utf-8")
    (home / "link.csv").symlink_to(tmp_path / "secret.csv")
    (home / "out").symlink_to(tmp_path)
    (home / "inside.csv").symlink_to(home / "good.csv")
    (home / "round.csv").symlink_to(home / "round.csv")
    if hasattr(os, "mkfifo"):
        os.mkfifo(home / "pipe.csv")
    return home


@pytest.mark.parametrize("path", ["good.csv", "data/good.csv", "./good.csv", "inside.csv"])
def test_files_of_the_models_folder_are_read(folder: Path, path: str) -> None:
    model = language.parse(f'{HEAD}data d = "{path}"', folder=folder)
    assert model.data["d"].points


@pytest.mark.parametrize(
    "path",
    [
        "../secret.csv", "data/../../secret.csv", "data/..", "..", "./../secret.csv",
        "out/secret.csv", "link.csv", "round.csv", "/etc/passwd", "//etc/passwd", "~/secret.csv",
        "~root/x", "C:/secret.csv", "c:secret.csv", "file:///etc/passwd", "http://a/b.csv",
        "..\\\\secret.csv", "\\\\\\\\server\\\\share", "data", ".", "", " ", "pipe.csv", "/dev/zero",
        "/proc/self/environ", "good.csv\u202e", "good.csv\u0000", "good.csv\n", "x" * 65_536,
        "a/" * 5_000 + "x.csv", "good.csv/x", "good.csv/../../secret.csv", "%2e%2e/secret.csv",
        "\uff0e\uff0e/secret.csv", "..;/secret.csv", "con:", "nul.csv", "data/./../../secret.csv",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_models_folder(folder: Path, path: str) -> None:
    with pytest.raises(ModelError) as caught:
        language.parse(f'{HEAD}data d = "{path}"', folder=folder)
    assert "42" not in str(caught.value)


def test_a_file_that_opens_as_another_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError):
        language.load_file(f"{folder}/good.csv\0.fly")


@pytest.mark.parametrize("name", ["../secret", "out.secret", "/etc/passwd", "..", "con:", "secret/x"])
def test_no_module_is_read_from_elsewhere(folder: Path, name: str) -> None:
    model = "model secret\ntime 0 to 1 [year] step 1\n"
    (folder.parent / "secret.fly").write_text(model, encoding="utf-8")
    (folder / "linked.fly").symlink_to(folder.parent / "secret.fly")
    for text in (f"use {name} as s", f'use "{name}" as s', "use linked as s"):
        with pytest.raises(ModelError):
            language.parse(f"{HEAD}{text}\naux a = s.on", folder=folder)


def test_modules_cannot_multiply_without_end(folder: Path) -> None:
    """Ten uses of a model that uses ten, and so on: refused when the names are too many."""
    lines = "".join(f"param p{n} = 1\n" for n in range(50))
    (folder / "m0.fly").write_text(f"model m0\n{HEAD.partition(chr(10))[2]}{lines}", "utf-8")
    for level in range(1, 6):
        uses = "".join(f"use m{level - 1} as u{n}\n" for n in range(10))
        text = f"model m{level}\n{HEAD.partition(chr(10))[2]}{uses}"
        (folder / f"m{level}.fly").write_text(text, encoding="utf-8")
    with pytest.raises(LimitError, match="limit: variables"):
        language.load_file(folder / "m5.fly")


# Data


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\n\n", b"year,value\n2000,=cmd()\n", b"year,value\n2000,nan\n", b"year,value\n2000,inf\n",
        b"year,value\n2000,1e999\n", b"year,value\nnan,1\n", b"year,value\n2000,1\n2000,2\n",
        b'year,value\n2000,"1\n', b"year,value\n2000,\0\n", b"year,value\n2000,\xff\n",
        b"\xff\xfey\0e\0", b"year,value\n2000,1_000\n", "year,value\n2000,١\n".encode(),
        b"year,value\n" + b"x" * 200_000 + b",1\n", b"year,value\n2000\n",
        b"year,value\n2000,1;2\n", b"\x89PNG\r\n\x1a\n", b"year,value\n2000,0x10\n",
    ],
)  # fmt: skip
def test_hostile_data_is_refused_with_its_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "d.csv").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        language.parse(f'{HEAD}data d = "d.csv"', folder=tmp_path)
    finding = caught.value.findings[0]
    assert "d.csv" in finding.message
    assert finding.span is not None
    assert finding.span.line == 3


def test_data_that_are_too_large_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "d.csv").open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(LimitError, match="16 MiB"):
        language.parse(f'{HEAD}data d = "d.csv"', folder=tmp_path)


# Encodings


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("model m\n".encode("utf-16"), 1),
        ("model m\n".encode("utf-16-le"), 1),
        ("model m\n".encode("utf-32"), 1),
        (b"model m\n# caf\xe9\n", 2),
        (b"\xef\xbb\xbfmodel m\n# \xeb", 2),
        ("model m\n# \u20ac".encode("cp1252"), 2),
        ("model m\n# \ud55c\uad6d".encode("euc-kr"), 2),
        (b"model m\n# \xc0\xaf\n", 2),
        (b"model m\n# \xed\xa0\x80\n", 2),
        (b"model m\n\n# \xf5\x80\x80\x80\n", 3),
        (b"model m\0\n", 1),
        (bytes(range(256)), 2),
    ],
)
def test_a_wrong_encoding_is_named_with_its_line(tmp_path: Path, raw: bytes, line: int) -> None:
    (tmp_path / "m.fly").write_bytes(raw)
    with pytest.raises(ModelError) as caught:
        language.load_file(tmp_path / "m.fly")
    finding = caught.value.findings[0]
    assert finding.span is not None
    assert finding.span.line == line
    assert finding.code in ("wrong-encoding", "forbidden-character")


def test_errors_are_one_family() -> None:
    assert issubclass(ModelError, FlywheelError)
    assert issubclass(LimitError, ModelError)
