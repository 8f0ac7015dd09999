"""``use … as …`` and pairs of rules, as text: read, printed, refused with both files named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import flywheel as fw
from flywheel.errors import ModelError
from flywheel.language import format_text, load_file, parse, print_model

ADS = """model advertising "Ads"
time 0 to 8 [year] step 1/8 save 1/2
unit person
unit Mp = 1e6 person
param growth [1/year] = 0.2 in 0 .. 1 from guess
stock traffic [Mp] = 10 gains arriving
flow arriving [Mp/year] = growth * traffic
param tau [year] = 1.5 in 1 .. 2 from guess
aux advertisers [Mp] = smooth(traffic, tau)
param half [Mp] = 10 in 1 .. 20 from guess
aux effect [1] = half / (half + advertisers)
loop R1 = traffic -> arriving -> traffic
outcome late [Mp] = traffic at 8
check sound: traffic >= 0
"""
HOST = """model host "Host"
time 0 to 8 [year] step 1/8 save 1/2
param rate [1/year] = 0.3 in 0 .. 1 from guess
stock customers [Mp] = 2 gains joining
flow joining [Mp/year] = rate * customers
    desired rate * customers / 2
use advertising as ads "The ads" with traffic = customers, half = 8
    "What ads do."
    ko "광고"
    override rate = rate * ads.effect  # fewer join where ads are loud
scenario no_ads "Off": ads.on = 0 from 4
scenario wanted: joining.desired = 1
check less: when ads.on = 0 then customers >= base(customers)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "advertising.fly").write_text(ADS, encoding="utf-8")
    (tmp_path / "host.fly").write_text(HOST, encoding="utf-8")
    return tmp_path


def mistakes(text: str, folder: Path | None) -> list[tuple[str, int, str]]:
    with pytest.raises(ModelError) as caught:
        parse(text, folder=folder)
    return [
        (f.code, f.span.line if f.span else 0, f"{f.message} {f.hint}")
        for f in caught.value.findings
    ]


def test_a_host_runs_with_its_module_and_without(folder: Path) -> None:
    model = fw.load(folder / "host.fly")
    full, late = model.run(), model.run(scenario="no_ads")
    assert full["customers"][-1] < late["customers"][-1]
    early = full.time <= 4
    assert np.array_equal(full["customers"][early], late["customers"][early])
    assert model.run(scenario="wanted")["joining"][0] == full["joining"][0] / 2
    assert full.outcomes["ads.late"] == full["customers"][-1]
    assert model.check(strict=True)


def test_a_printed_host_is_the_same_model_and_stays_as_it_is(folder: Path) -> None:
    model = load_file(folder / "host.fly")
    text = print_model(model)
    assert parse(text, folder=folder) == model
    assert format_text(text) == text
    assert format_text(format_text(HOST)) == format_text(HOST)
    assert "# fewer join where ads are loud" in format_text(HOST)
    assert parse(HOST, folder=folder).hash == model.hash


def test_the_hash_sees_a_change_in_a_module(folder: Path) -> None:
    before = load_file(folder / "host.fly").hash
    (folder / "advertising.fly").write_text(ADS.replace("= 1.5", "= 1.6"), encoding="utf-8")
    assert load_file(folder / "host.fly").hash != before


def test_mistakes_at_the_seam_name_their_line(folder: Path) -> None:
    head = "model bad\ntime 0 to 8 [year] step 1/8 save 1/2\n"
    found = mistakes(
        head + "unit person = 2 kg\n"
        "aux x [kg] = adz.effect\n"
        "use advertisin as a1 with traffic = 3\n"
        "use advertising as ads with trafic = x, half = x\n"
        "    override ads.effct = 3\n"
        "aux a.b [1] = 1\n"
        "aux q [1] = a1.foo\n",
        folder,
    )
    assert [(code, line) for code, line, _ in found] == [
        ("unit-conflict", 3),
        ("unknown-name", 4),
        ("unknown-module", 5),
        ("unknown-name", 6),
        ("unknown-name", 7),
        ("dotted-name", 8),
    ]
    texts = [text for *_, text in found]
    assert "advertising.fly:3" in texts[0]
    assert "ads.effect" in texts[1]
    assert "did you mean advertising?" in texts[2]
    assert "did you mean traffic?" in texts[3]


def test_units_across_the_seam_name_both_files(folder: Path) -> None:
    text = HOST.replace("traffic = customers", "traffic = joining")
    model = fw.parse(text, folder=folder)
    findings = [f for f in model.check(strict=True).findings if f.severity == "error"]
    assert findings
    shown = "\n".join(f.render() for f in findings)
    assert "traffic = joining" in shown
    assert "advertising.fly:6" in shown


def test_mistakes_inside_a_module_are_shown_in_its_own_lines(folder: Path) -> None:
    (folder / "advertising.fly").write_text(ADS.replace("growth *", "grwth *"), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        load_file(folder / "host.fly")
    places = [str(f.span) for f in caught.value.findings]
    assert any("host.fly:7" in place for place in places)
    assert any("advertising.fly:7" in place for place in places)
    assert len(places) == 2


def test_models_that_use_each_other_are_refused(folder: Path) -> None:
    (folder / "a.fly").write_text(
        "model a\ntime 0 to 1 [year] step 1/8\nuse b as b\n", encoding="utf-8"
    )
    (folder / "b.fly").write_text(
        "model b\ntime 0 to 1 [year] step 1/8\nuse a as a\n", encoding="utf-8"
    )
    with pytest.raises(ModelError, match="circle: a -> b -> a"):
        load_file(folder / "a.fly")


def test_a_module_is_a_name_and_never_a_path(folder: Path) -> None:
    outside = folder.parent / "outside.fly"
    outside.write_text(ADS, encoding="utf-8")
    (folder / "link.fly").symlink_to(outside)
    head = "model m\ntime 0 to 1 [year] step 1/8\n"
    assert mistakes(head + "use link as l\n", folder)[0][0] == "unknown-module"
    assert mistakes(head + "use ../outside as l\n", folder)
    assert mistakes(head + 'use "../outside" as l\n', folder)
    assert mistakes(head + "use absent as l\n", folder / "nowhere")[0][0] == "unknown-module"


def test_shipped_models_can_be_used_from_anywhere() -> None:
    model = fw.parse("model m\ntime 1997 to 2000 [year] step 1/16\nuse core_flywheel as core\n")
    alone = fw.load("core_flywheel").run(stop=2000)
    mine = model.run(save=0.25)
    assert np.allclose(mine["core.customers"], alone["customers"], rtol=1e-12)


def test_a_module_with_another_clock_must_say_when_it_starts(tmp_path: Path) -> None:
    (tmp_path / "advertising.fly").write_text(ADS, encoding="utf-8")
    head = "model m\ntime 2010 to 2020 [year] step 1/8 save 1/2\n"
    found = mistakes(head + "use advertising as ads\n", tmp_path)
    assert found[0][:2] == ("module-clock", 3)
    assert "use advertising as ads from 2010" in found[0][2]
    text = head + "use advertising as ads from 2012 with growth = 0.1\n"
    model = fw.parse(text, folder=tmp_path)
    assert model.check(strict=True)
    assert "from 2012 with growth = 0.1" in print_model(model)
    assert parse(print_model(model), folder=tmp_path) == parse(text, folder=tmp_path)
    assert model.run()["ads.traffic"][0] == model.run()["ads.traffic"][4] == 10.0
