"""A study's runs, levers and derivatives, against closed forms, runs of the model and differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flywheel as fw
from flywheel.errors import UnknownNameError, UsageError
from flywheel.solve.check_gradient import check_gradient
from flywheel.solve.study import Study

SHOP = """model shop "A shop"
time 2000 to 2012 [year] step 1/8 save 1/4
param talk [1/year] = 0.6 in 0.2 .. 1.2
param churn [1/year] = 0.15
param town = 900
param price [USD] = 4
param opening [year] = 2002
param first = 30
stock guests = first gains coming loses leaving
stock cash = 0 gains income
flow coming = talk * guests * (1 - guests / town) * (4 / price) ^ 1.5
flow leaving = churn * guests
flow income = guests * (price - 3) * bonus
aux bonus = 1 + step(0.2, opening)
outcome profit = total income discount 6%
outcome crowd = guests at 2012
lever dearer = price by 10% at 2004
lever cheap = price to price * 0.8 at 2007
lever louder = talk to 0.9
lever kinder = churn by -20%
scenario hand: price = 4.4 from 2004
scenario both: price = 4.4 from 2004, price = 3.6 from 2007
scenario early: price = 3.2 from 2003, price = 3.6 from 2006
scenario loud: talk = 0.9 from 2000, churn = 0.12 from 2000
scenario half: talk = 0.75 from 2005
scenario dear: price = 5 from 2003
scenario dear_dearer: price = 5 from 2003, price = 5.4 from 2004
"""


@pytest.fixture(scope="module")
def shop() -> fw.Model:
    return fw.parse(SHOP)


def study(model: fw.Model, **options: object) -> Study:
    return Study(model, "profit", [4.0, 12.0], **options)  # type: ignore[arg-type]


def by_scenario(model: fw.Model, name: str, **options: object) -> np.ndarray:
    return study(model, scenario=name, **options).value


# Closed forms -----------------------------------------------------------------------------------

LOGISTIC = """model logistic "Logistic growth"
time 0 to 20 step 1/16 save 1/4
param r = 0.5
param k = 1000
param start = 10
stock x = start gains grow
flow grow = r * x * (1 - x / k)
"""


def test_logistic_growth_has_its_closed_sensitivities() -> None:
    """Elasticities to r, K and x0, tangent and adjoint; step 1/16, so to 1e-5."""
    one = Study(fw.parse(LOGISTIC), "x", [10.0, 20.0])
    base = np.array([0.5, 1000.0, 10.0])
    names = ["r", "k", "start"]
    gradient = one.gradient([*names, "x"])
    elasticities = gradient.values[:, :3] * base / one.value[:, np.newaxis]
    expected = [[2.000702, 0.595818, 0.404182], [0.044745, 0.995480, 0.004520]]
    np.testing.assert_allclose(elasticities, expected, rtol=1e-5, atol=5e-7)
    np.testing.assert_allclose(gradient.values[1, :3], [89.089222, 0.991026, 0.449946], rtol=2e-5)
    np.testing.assert_array_equal(gradient.of("x"), gradient.of("start"))
    moved = one.tangent(names, ["x"])[:, 0]
    times = one.times
    grown = 1.0 + 99.0 * np.exp(-0.5 * times)
    exact = np.stack([
        1000.0 * 99.0 * times * np.exp(-0.5 * times) / grown**2,
        (1.0 - np.exp(-0.5 * times)) / grown**2,
        1e4 * np.exp(-0.5 * times) / grown**2,
    ], axis=1)  # fmt: skip
    assert (np.abs(moved - exact) / np.abs(exact).max(axis=0)).max() < 1e-6
    np.testing.assert_allclose(gradient.values[:, :3], moved[[40, 80]], rtol=1e-12)


BASS = """model bass "Diffusion of an innovation"
time 0 to 24 step 1/128 save 1/16
param p = 0.03
param q = 0.38
stock f = 0 gains adopt
flow adopt = (p + q * f) * (1 - f)
outcome peak_time = time of q - p - 2 * q * f <= 0
"""


def test_bass_diffusion_has_its_closed_sensitivities() -> None:
    """Elasticities of F to p and q, and the time of the peak, to 1e-6 of the digits given."""
    model = fw.parse(BASS)
    one = Study(model, "f", [5.0, 10.0, 20.0])
    gradient = one.gradient(["p", "q"])
    elasticities = gradient.values * [0.03, 0.38] / one.value[:, np.newaxis]
    np.testing.assert_allclose(elasticities[:, 0], [0.735008, 0.230605, 0.005712], atol=6e-7)
    np.testing.assert_allclose(elasticities[:, 1], [0.838615, 0.549836, 0.024969], atol=6e-7)
    top = Study(model, "peak_time")
    # Between saves the crossing is taken as straight: 1/16 apart, so good to 1e-4 at least.
    assert top.value[0] == pytest.approx(6.192619, abs=1e-4)
    slopes = top.gradient(["p", "q"]).values[0]
    p, q = 0.03, 0.38
    time = math.log(q / p) / (p + q)
    exact = [(-1 / p - time) / (p + q), (1 / q - time) / (p + q)]
    np.testing.assert_allclose(slopes, exact, rtol=1e-3)


# Runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_runs_are_runs_of_the_model(shop: fw.Model, method: str) -> None:
    one = study(shop, method=method)
    rows = np.array([[0.7, 40.0, 900.0], [0.5, 10.0, 500.0]])
    found = one.run(["talk", "first", "TOWN"], rows)
    for n, (talk, first, town) in enumerate(rows):
        run = shop.run(method=method, talk=talk, first=first, town=town)
        assert found.outcomes[n, 1] == pytest.approx(run.outcomes["profit"], rel=1e-13)
        np.testing.assert_allclose(found.column("guests")[n], run["guests"], rtol=1e-13)
    stocks = one.run(["guests", "talk"], [[55.0, 0.7]])
    assert stocks.column("guests")[0, 0] == 55.0
    run = shop.run(method=method, guests=55.0, talk=0.7)
    np.testing.assert_allclose(stocks.column("guests")[0], run["guests"], rtol=1e-13)


def test_a_baseline_of_its_own(shop: fw.Model) -> None:
    """Scenario, overrides and step make the baseline; everything else is measured from it."""
    one = study(shop, scenario="dear", overrides={"talk": 0.5}, step=1 / 16)
    run = shop.run(scenario="dear", talk=0.5, step=1 / 16)
    assert one.value[1] == pytest.approx(run.outcomes["profit"], rel=1e-13)
    assert one.base("talk") == 0.5
    again = one.run(["churn"], [[0.15]])
    np.testing.assert_allclose(again.outcomes[0], one.value, rtol=1e-13)
    h = 1e-5
    moved = one.run(["talk"], [[0.5 + h], [0.5 - h]]).outcomes
    np.testing.assert_allclose(
        one.gradient(["talk"]).of("talk"), (moved[0] - moved[1]) / (2 * h), rtol=1e-7
    )


def test_since_turns_what_follows_and_nothing_before(shop: fw.Model) -> None:
    later = Study(shop, "profit", [4.0, 7.0], since=2005.0)
    found = later.run(["talk"], [[0.9]])
    before = later.times < 2005.0
    np.testing.assert_array_equal(found.column("guests")[0][before], later.column("guests")[before])
    higher = found.column("coming")[0] > later.column("coming") * (1 + 1e-9)
    np.testing.assert_array_equal(higher, ~before)
    elsewhere = later.run(["talk"], [[0.9]], since=2007.0)
    assert later.value[1] < elsewhere.outcomes[0, 1] < found.outcomes[0, 1]
    whole = later.run(["talk", "guests"], [[0.9, 50.0]], since=2000.0)
    run = shop.run(talk=0.9, guests=50.0)
    np.testing.assert_allclose(whole.column("guests")[0], run["guests"], rtol=1e-13)


def test_noise_is_the_same_for_all_members() -> None:
    text = 'model n "n"\ntime 0 to 4 step 1/4\nparam p = 1\nstock s = 0 gains f\n'
    text += "flow f = p * noise(0, 1)\n"
    one = Study(fw.parse(text), "s", [1.0, 4.0], seed=5)
    found = one.run(["p"], np.arange(20.0)[:, np.newaxis]).outcomes
    np.testing.assert_allclose(found, np.arange(20.0)[:, np.newaxis] * one.value, rtol=1e-12)
    other = Study(fw.parse(text), "s", [1.0, 4.0], seed=6)
    assert (other.value != one.value).all()
    np.testing.assert_allclose(one.gradient(["p"]).of("p"), one.value, rtol=1e-12)


# Derivatives ------------------------------------------------------------------------------------


@pytest.mark.parametrize("since", [None, 2003.0, 2006.25])
@pytest.mark.parametrize("outcome", ["profit", "bonus", "coming", "leaving"])
def test_gradients_are_slopes_of_runs_from_any_time_on(
    shop: fw.Model, outcome: str, since: float | None
) -> None:
    one = Study(shop, outcome, [1.0, 5.75], since=since)
    names = ["talk", "churn", "town", "price"] + (["first"] if since is None else [])
    gradient = one.gradient(names)
    assert set(gradient.method) == {"adjoint"}
    for k, name in enumerate(names):
        base = one.base(name)
        h = 1e-5 * base
        moved = one.run([name], [[base + h], [base - h]]).outcomes
        expected = (moved[0] - moved[1]) / (2 * h)
        size = np.abs(one.value) / base
        assert (np.abs(gradient.values[:, k] - expected) / size).max() < 1e-8, name
    np.testing.assert_allclose(
        gradient.profile.sum(axis=1), gradient.values, rtol=1e-12, atol=1e-12
    )
    if since is not None:
        first = one.times.searchsorted(since)
        assert (gradient.profile[:, : first + 1] == 0.0).all()
        assert set(one.gradient().names) == set(shop.params)


@pytest.mark.parametrize("outcome", ["coming", "guests", "bonus"])
def test_what_acts_at_once_counts_when_a_horizon_ends_within_the_first_save(
    shop: fw.Model, outcome: str
) -> None:
    one = Study(shop, outcome, [0.1, 0.25], since=2003.0)
    gradient = one.gradient(["talk", "price"])
    for k, name in enumerate(("talk", "price")):
        base = one.base(name)
        moved = one.run([name], [[base * (1 + 1e-5)], [base * (1 - 1e-5)]]).outcomes
        expected = (moved[0] - moved[1]) / (2e-5 * base)
        np.testing.assert_allclose(gradient.values[:, k], expected, rtol=1e-8)
    np.testing.assert_allclose(gradient.profile.sum(axis=1), gradient.values, rtol=1e-13)


def test_the_profile_says_when(shop: fw.Model) -> None:
    """Row n of the profile is what a push between two saves does."""
    one = study(shop)
    gradient = one.gradient(["talk"])
    schedule = one.schedule(["louder"], one.times)
    _, slopes = schedule.gradient(np.zeros((1, len(one.times) - 1)))
    move = one.move(one.levers(["louder"])[0])
    np.testing.assert_allclose(
        gradient.profile[:, 1:, 0] * move, slopes[:, 0], rtol=1e-9, atol=1e-12
    )


def test_times_of_events_have_differences_and_say_so(shop: fw.Model) -> None:
    one = study(shop)
    assert one.event_inputs == {"opening"}
    gradient = one.gradient()
    how = dict(zip(gradient.names, gradient.method, strict=True))
    assert how.pop("opening") == "fd"
    assert set(how.values()) == {"adjoint"}
    step = one.difference_step("opening")
    assert step == 0.25
    moved = one.run(["opening"], [[2002 + step], [2002 - step]]).outcomes
    np.testing.assert_array_equal(gradient.of("opening"), (moved[0] - moved[1]) / (2 * step))
    # A fifth less of income from then on: d profit / d opening is minus the bonus at that time.
    income = float(one.column("income")[one.times == 2002.0][0]) / 1.2 * 0.2
    np.testing.assert_allclose(gradient.of("opening"), -income * 1.06**-2.0, rtol=1e-2)
    assert np.isnan(gradient.profile[:, :, gradient.names.index("opening")]).all()
    assert np.isnan(one.tangent(["opening"], ["cash"])).all()


def test_tangents_of_any_variable_over_time(shop: fw.Model) -> None:
    one = study(shop)
    names = [n for n in one.inputs if n != "opening"]
    columns = ["guests", "income", "bonus", "coming"]
    found = one.tangent(names, columns)
    assert found.shape == (len(one.times), 4, len(names))
    for k, name in enumerate(names):
        base = one.base(name)
        h = 1e-5 * (abs(base) or 1.0)
        moved = one.run([name], [[base + h], [base - h]])
        for n, column in enumerate(columns):
            up, down = moved.column(column)
            slope = (up - down) / (2 * h)
            size = np.abs(one.column(column)).max() / (abs(base) or 1.0)
            assert (np.abs(found[:, n, k] - slope) / size).max() < 1e-7, (name, column)


# Levers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_a_lever_is_the_scenario_written_by_hand(shop: fw.Model, method: str) -> None:
    one = study(shop, method=method)
    pulled = one.pull(["dearer"], [[1.0], [0.0], [2.5]])
    np.testing.assert_allclose(
        pulled.outcomes[0], by_scenario(shop, "hand", method=method), rtol=1e-13
    )
    np.testing.assert_allclose(pulled.outcomes[1], one.value, rtol=1e-13)
    dear = one.run(["price"], [[5.0]], since=2004.0)
    np.testing.assert_allclose(pulled.outcomes[2], dear.outcomes[0], rtol=1e-13)
    both = one.pull(["louder", "kinder"], [[1.0, 1.0]])
    np.testing.assert_allclose(
        both.outcomes[0], by_scenario(shop, "loud", method=method), rtol=1e-13
    )


def test_levers_begin_when_they_are_told_to(shop: fw.Model) -> None:
    one = study(shop)
    pulled = one.pull(["louder"], [[0.5], [0.5]], at=np.array([[2005.0], [2012.0]]))
    np.testing.assert_allclose(pulled.outcomes[0], by_scenario(shop, "half"), rtol=1e-13)
    np.testing.assert_allclose(pulled.outcomes[1], one.value, rtol=1e-13)
    # Without a time of its own a lever begins at the study's since.
    later = Study(shop, "profit", [7.0], since=2005.0).pull(["louder"], [[0.5]])
    np.testing.assert_allclose(later.outcomes[0, 0], by_scenario(shop, "half")[1], rtol=1e-13)


@pytest.mark.parametrize("order", [("dearer", "cheap"), ("cheap", "dearer")])
def test_two_levers_on_one_parameter_add_up_from_their_own_times_on(
    shop: fw.Model, order: tuple[str, str]
) -> None:
    """In whatever order they are named; 0.1 and -0.2 of the price, from 2004 and 2007 on."""
    one = study(shop)
    found = one.pull(order, [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(found.outcomes[0], by_scenario(shop, "both"), rtol=1e-13)
    first = one.pull(["dearer"], [[1.0]]).outcomes[0]
    second = one.pull(["cheap"], [[1.0]]).outcomes[0]
    expected = (first, second) if order[0] == "dearer" else (second, first)
    np.testing.assert_allclose(found.outcomes[1:], expected, rtol=1e-13)
    at = [[2003.0 if name == "cheap" else 2006.0 for name in order]]
    early = one.pull(order, [[1.0, 1.0]], at=np.array(at))
    np.testing.assert_allclose(early.outcomes[0], by_scenario(shop, "early"), rtol=1e-13)


def test_a_lever_moves_what_the_scenario_has_made_of_its_parameter(shop: fw.Model) -> None:
    one = study(shop, scenario="dear")
    pulled = one.pull(["dearer"], [[1.0]])
    np.testing.assert_allclose(pulled.outcomes[0], by_scenario(shop, "dear_dearer"), rtol=1e-13)


# Schedules --------------------------------------------------------------------------------------


def test_a_schedule_is_levers_in_periods_with_exact_slopes(shop: fw.Model) -> None:
    one = study(shop)
    levers = ["louder", "dearer", "cheap"]
    plan = one.schedule(levers, [2001.0, 2004.0, 2006.5, 2012.0])
    assert plan.periods == 3
    np.testing.assert_allclose(plan.outcomes(np.zeros((1, 3, 3)))[0], one.value, rtol=1e-13)
    middle = np.array([[[0.0, 0.5, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    batch, place = one.pushable(("talk",), 1)
    row = one.extended(batch.system)
    row[place["@edge:0"]], row[place["@edge:1"]] = 2004.0, 2006.5
    row[place["talk@push:0"]] = 0.15
    values = batch.values(row[np.newaxis], one.target.columns)
    by_hand = one.target.read(values, {k: np.array([v]) for k, v in one.params.items()})
    np.testing.assert_allclose(plan.outcomes(middle), by_hand, rtol=1e-13)
    rng = np.random.default_rng(2)
    point = rng.uniform(0.1, 0.9, (3, 3))
    value, slopes = plan.gradient(point)
    np.testing.assert_allclose(value, plan.outcomes(point[np.newaxis])[0], rtol=1e-13)
    assert slopes.shape == (2, 3, 3)
    h = 1e-5
    moved = point + h * np.eye(9).reshape(9, 3, 3) * np.array([1, -1])[:, None, None, None]
    ends = plan.outcomes(moved.reshape(18, 3, 3)).reshape(2, 9, 2)
    expected = ((ends[0] - ends[1]) / (2 * h)).T.reshape(2, 3, 3)
    np.testing.assert_allclose(slopes, expected, rtol=1e-5, atol=1e-6)
    # What is done after a horizon does nothing to it.
    assert (slopes[0, :, 1:] == 0.0).all() or one.horizons[0] > 4.0


# The check of the gradient ----------------------------------------------------------------------


def test_the_check_passes_where_gradients_are_right(shop: fw.Model) -> None:
    for one in (study(shop), study(shop, method="euler"), study(shop).dialled(),
                Study(shop, "crowd", [2.0], since=2005.0)):  # fmt: skip
        found = check_gradient(one)
        assert found
        assert found.ok
        assert found.worst < 1e-6
        assert "agree with differences of runs" in found.explain()
        assert "일치합니다" in found.explain("ko")
        assert found.left_out == ("opening",)
    assert check_gradient(study(shop), directions=5).errors.shape == (10, 2)
    again, other = check_gradient(study(shop), seed=4), check_gradient(study(shop), seed=5)
    assert (again.exact == check_gradient(study(shop), seed=4).exact).all()
    assert (again.exact != other.exact).any()


@pytest.mark.parametrize("name", ["core_flywheel", "aws", "devices", "ebay", "opw"])
def test_the_check_passes_on_the_library(name: str) -> None:
    """Among them learning curves that start on their corner, and a rule that is switched on by 1."""
    model = fw.load(name)
    found = check_gradient(Study(model, next(iter(model.outcomes))))
    assert found.ok, found.explain()
    assert found.corners.any() == (name in ("aws", "devices"))


JUMP = """model jump "A flow that jumps with a stock"
time 0 to 16 step 1/4
param r = 1
param level = 10
param fast = 3
stock s = 0 gains f
flow f = if(s >= level, fast, r)
outcome end = s at 16
"""


def test_the_check_fails_where_a_condition_jumps_and_names_it() -> None:
    """In a fixed-step run the moment of the jump is a whole number of steps: exact is not enough."""
    one = Study(fw.parse(JUMP), "end", method="euler")
    found = check_gradient(one)
    assert not found
    assert found.worst > 0.1
    assert found.jumps == ("f",)
    assert "do not agree" in found.explain()
    assert "make these jump: f" in found.explain()
    assert "일치하지 않습니다" in found.explain("ko")
    assert "wrong" in repr(found)


def test_the_check_fails_when_a_gradient_is_wrong(
    shop: fw.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flywheel.solve.batch import Batch

    right = Batch.gradient

    def wrong(self: Batch, *args: object, **more: object) -> object:
        values, found = right(self, *args, **more)  # type: ignore[arg-type]
        return values, found * 1.001

    monkeypatch.setattr(Batch, "gradient", wrong)
    assert not check_gradient(study(shop)).ok


def test_the_check_accepts_one_side_of_a_corner_and_says_so() -> None:
    text = """model corner "A corner"
time 0 to 4 step 1/4
param a = 2
param b = 2
stock s = 0 gains f
flow f = max(a, b) ^ 2
outcome end = s at 4
"""
    one = Study(fw.parse(text), "end")
    np.testing.assert_allclose(one.gradient(["a", "b"]).values[0], [16.0, 0.0], rtol=1e-14)
    found = check_gradient(one)
    assert found.ok
    assert found.corners.any()
    assert "corner" in found.explain()
    assert "한쪽 기울기" in found.explain("ko")


def test_the_check_says_when_it_cannot_judge() -> None:
    text = LOGISTIC + "outcome never = time of x > 2000\n"
    found = check_gradient(Study(fw.parse(text), "never"))
    assert not found.ok
    assert "could not be judged" in found.explain()


# Wrong input ------------------------------------------------------------------------------------


def test_wrong_input_is_answered_with_sentences(shop: fw.Model) -> None:
    one = study(shop)
    with pytest.raises(UsageError, match="method rk4 or euler, not 'lsoda'"):
        study(shop, method="lsoda")
    with pytest.raises(UsageError, match=r"2003.1 is no saved time; the nearest is 2003 \(saved"):
        Study(shop, "profit", [2.0], since=2003.1)
    with pytest.raises(UnknownNameError, match="talkk"):
        one.run(["talkk"], [[1.0]])
    with pytest.raises(UsageError, match="income follows from other variables and cannot be set"):
        one.run(["income"], [[1.0]])
    with pytest.raises(UsageError, match="a name is given twice"):
        one.run(["talk", "TALK"], [[1.0, 2.0]])
    with pytest.raises(UsageError, match="2 names need rows of as many numbers, not 1"):
        one.run(["talk", "churn"], [[1.0]])
    with pytest.raises(
        UsageError, match="guests is a stock: it can be set at the start, not at 2003"
    ):
        one.run(["guests"], [[1.0]], since=2003.0)
    with pytest.raises(UnknownNameError, match=r"lever.*dearest"):
        one.pull(["dearest"], [[1.0]])
    with pytest.raises(UsageError, match="1 levers need as many intensities, not 2"):
        one.pull(["dearer"], [[1.0, 2.0]])
    with pytest.raises(UsageError, match="at least two saved times in ascending order"):
        one.schedule(None, [2001.0])
    with pytest.raises(UsageError, match="at least two saved times in ascending order"):
        one.schedule(None, [2004.0, 2001.0])
    with pytest.raises(UsageError, match="is no saved time"):
        one.schedule(None, [2001.0, 2001.1])
    with pytest.raises(UsageError, match="at least one direction"):
        check_gradient(one, directions=0)
    with pytest.raises(UnknownNameError):
        study(shop, scenario="nothing")
    with pytest.raises(UnknownNameError):
        study(shop, overrides={"nothing": 1.0})
