"""Learning rates: DeePMD-kit's to the last digit, limits, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.train.schedules import SCHEDULES

# (type, settings, steps of the run) and the rates at steps by DeePMD-kit 3.2.0.
FROZEN = json.loads((Path(__file__).parent / "data" / "schedules.json").read_text())


@pytest.mark.parametrize(("kind", "settings", "steps", "rates"), FROZEN)
def test_rates_are_those_of_deepmd_kit_to_the_last_digit(
    kind: str, settings: dict[str, Any], steps: int, rates: dict[str, str]
) -> None:
    schedule = SCHEDULES[kind](start_lr=1e-3, **settings)
    assert {step: schedule.rate(int(step), steps).hex() for step in rates} == rates


def test_hand_worked_rates() -> None:
    halved = SCHEDULES["exp"](start_lr=8.0, stop_lr=1.0, decay_steps=10, decay_rate=0.5)
    assert [halved.rate(t, 100) for t in (0, 9, 10, 29, 30, 99)] == [8, 8, 4, 2, 1, 1]
    smooth = halved.with_(smooth=True)
    assert smooth.rate(5, 100) == pytest.approx(8.0 * 0.5**0.5)
    warm = SCHEDULES["cosine"](start_lr=1.0, stop_lr=0.0, warmup_steps=4, warmup_start_factor=0.5)
    assert [warm.rate(t, 12) for t in (0, 1, 2, 3, 4)] == [0.5, 0.625, 0.75, 0.875, 1.0]
    assert warm.rate(8, 12) == pytest.approx(0.5)
    assert warm.rate(12, 12) == 0.0
    late = SCHEDULES["wsd"](start_lr=4.0, stop_lr=1.0, decay_phase_ratio=0.5, decay_type="linear")
    assert [late.rate(t, 8) for t in (0, 4, 5, 6, 7, 8)] == [4.0, 4.0, 3.25, 2.5, 1.75, 1.0]
    inverse = late.with_(decay_type="inverse_linear")
    assert inverse.rate(6, 8) == pytest.approx(1.0 / (0.5 / 1.0 + 0.5 / 4.0))


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
@pytest.mark.parametrize("steps", [1, 2, 7, 100, 5001])
def test_rates_never_rise_and_end_where_they_should(kind: str, steps: int) -> None:
    schedule = SCHEDULES[kind](start_lr=1e-3, stop_lr_ratio=1e-3)
    schedule.check(steps)
    rates = np.array([schedule.rate(t, steps) for t in range(steps + 1)])
    assert rates[0] == 1e-3
    assert (np.diff(rates) <= 0.0).all()
    assert rates[-1] == pytest.approx(1e-6, rel=2e-3)


def test_short_runs_decay_more_often() -> None:
    schedule = SCHEDULES["exp"](start_lr=1e-3)
    assert [schedule.period(n) for n in (3, 99, 1000, 1010, 5000, 5001)] == [
        1,
        1,
        11,
        100,
        100,
        5000,
    ]
    fixed = SCHEDULES["exp"](start_lr=1e-3, decay_rate=0.9)
    assert fixed.period(3) == 5000


def test_factor_for_several_processes() -> None:
    schedule = SCHEDULES["exp"](start_lr=1e-3)
    assert schedule.worker_factor(4) == 4.0
    assert schedule.with_(scale_by_worker="sqrt").worker_factor(4) == 2.0
    assert schedule.with_(scale_by_worker="none").worker_factor(4) == 1.0


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("exp", {"start_lr": 0.0}, r"learning_rate\.start_lr: 0\.0; it is above 0"),
        ("exp", {"stop_lr": 1e-8, "stop_lr_ratio": 0.1}, "stop_lr: contradicts stop_lr_ratio"),
        ("exp", {"stop_lr": 0.0, "stop_lr_ratio": 0.1}, "stop_lr: contradicts stop_lr_ratio"),
        ("exp", {"warmup_steps": 3, "warmup_ratio": 0.1}, "warmup_steps: contradicts warmup_ratio"),
        ("exp", {"stop_lr": 1.0}, r"learning_rate\.stop_lr: the rate ends at 1\.0"),
        ("exp", {"stop_lr_ratio": 2.0}, r"learning_rate\.stop_lr_ratio: the rate ends"),
        ("exp", {"stop_lr": -1.0}, r"learning_rate\.stop_lr: the rate ends at -1\.0"),
        ("exp", {"warmup_steps": -1}, r"learning_rate\.warmup_steps: -1"),
        ("exp", {"warmup_ratio": 1.0}, r"learning_rate\.warmup_ratio: 1\.0; it is below 1"),
        ("exp", {"scale_by_worker": "cubic"}, r"learning_rate\.scale_by_worker: 'cubic'"),
        ("exp", {"decay_steps": 0}, r"learning_rate\.decay_steps: 0; it is above 0"),
        ("exp", {"decay_rate": 1.1}, r"learning_rate\.decay_rate: 1\.1"),
        ("wsd", {"stop_lr": 0.0}, "above 0 for type 'wsd'"),
        ("wsd", {"decay_phase_ratio": 0.0}, r"learning_rate\.decay_phase_ratio: 0\.0"),
        ("wsd", {"decay_type": "steep"}, r"learning_rate\.decay_type: 'steep'; allowed:"),
    ],
)
def test_settings_without_meaning_are_refused(
    kind: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(DPError, match=message):
        SCHEDULES[kind](**{"start_lr": 1e-3, **settings})


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
@pytest.mark.parametrize("warmup", [10, 5000])
def test_a_run_may_end_before_its_warm_up(kind: str, warmup: int) -> None:
    schedule = SCHEDULES[kind](start_lr=1e-3, warmup_steps=warmup, warmup_start_factor=0.2)
    schedule.check(10)
    whole = schedule.with_(warmup_steps=10_000)
    assert whole.rate(2500, 20_000) == pytest.approx(4e-4)
    for step in (0, 1, 9, 10):
        line = 1e-3 * (0.2 + 0.8 * step / warmup)
        assert schedule.rate(step, 10) == pytest.approx(line, rel=1e-14)
    told = schedule.remark(10)
    assert told is not None
    assert told.startswith(f"learning_rate.warmup_steps: the warm-up takes {warmup} steps and")
    assert schedule.remark(warmup + 1) is None
    assert schedule.with_(warmup_steps=0).remark(0) is None


def test_a_rate_that_reaches_zero_too_early_is_refused() -> None:
    schedule = SCHEDULES["exp"](start_lr=1e-3, stop_lr=0.0, decay_steps=10, decay_rate=0.5)
    schedule.check(500)
    with pytest.raises(
        DPError, match=r"fallen to 5\.6e-20 at step 540 of 10000, too little"
    ) as error:
        schedule.check(10000)
    assert "raise stop_lr, decay_rate or decay_steps" in str(error.value)
    SCHEDULES["cosine"](start_lr=1e-3, stop_lr=0.0, warmup_steps=1).check(2)
