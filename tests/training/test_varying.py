"""Numbers that change in the course of a run: exact at the ends, functions of the step, refused where senseless."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import given, strategies as st

from ganzoo.cli import main
from ganzoo.config import Schedule
from ganzoo.errors import UsageError
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo.training import checkpoint
from ganzoo.training.schedule import Clock
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

MakeTrainer = Callable[..., Trainer]
numbers = st.floats(-1e6, 1e6)


@given(numbers, numbers, st.sampled_from(["linear", "cosine", "step"]), st.integers(1, 1000), st.integers(1, 1000))
def test_both_ends_are_exact(start: float, to: float, curve: str, until: int, steps: int) -> None:
    schedule = convert_schedule({"from": start, "to": to, "until": until, "curve": curve})
    assert schedule.at(0, steps) == start
    assert schedule.at(until, steps) == schedule.at(until + 5, steps) == to
    inside = [schedule.at(step, steps) for step in range(until)]
    assert all(min(start, to) - 1e-6 <= value <= max(start, to) + 1e-6 for value in inside)


def convert_schedule(table: dict[str, Any]) -> Schedule:
    return msgspec.convert(table, Schedule)


@pytest.mark.parametrize(
    ("curve", "quarter", "middle"),
    [("linear", 3.25, 2.5), ("cosine", 1 + 3 * (1 + 2**-0.5) / 2, 2.5), ("step", 4.0, 4.0)],
)
def test_a_quarter_and_the_middle(curve: str, quarter: float, middle: float) -> None:
    """From 4 to 1, by a share of the run."""
    schedule = convert_schedule({"from": 4, "to": 1, "until": "50%", "curve": curve})
    assert schedule.at(50, 400) == pytest.approx(quarter)
    assert schedule.at(100, 400) == pytest.approx(middle)
    assert schedule.at(200, 400) == schedule.at(399, 400) == 1.0


TABLE = {"from": 4e-3, "to": 1e-3, "until": 6, "curve": "cosine"}


def rates(trainer: Trainer) -> tuple[float, float, Any]:
    (group,) = trainer.optimizations["generator"]._optimizer.param_groups
    return group["lr"], group["betas"][1], trainer.objective.penalties[0].weight


SETTINGS: dict[str, Any] = {
    "loss": "non-saturating",
    "steps": 8,
    "generator": {"lr": TABLE, "betas": [0.0, {"from": 0.9, "to": 0.99, "until": 6}]},
    "penalties": {"r1": {"weight": {"from": 2.0, "to": 0.5, "until": "75%"}}},
    "ema_kimg": {"from": 0.01, "to": 0.1, "curve": "step", "until": 4},
}


def test_values_at_the_start_in_the_middle_and_at_the_end_and_after_a_rollback(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("wgan-gp", critic_steps=1, **SETTINGS)
    seen, snapshot = [], None
    for step in range(8):
        if step == 3:
            snapshot = checkpoint.take(trainer)
        trainer.step()
        seen.append(tuple(map(float, rates(trainer))))
    assert seen[0] == pytest.approx((4e-3, 0.9, 2.0))
    assert seen[3] == pytest.approx((2.5e-3, 0.945, 1.25))
    assert seen[6] == seen[7] == pytest.approx((1e-3, 0.99, 0.5))
    assert snapshot is not None
    checkpoint.put_back(trainer, snapshot, "a rollback")
    trainer.lr_factor = 0.5
    trainer.step()
    assert tuple(map(float, rates(trainer))) == pytest.approx((1.25e-3, 0.945, 1.25))


def test_a_resumed_run_is_the_same_to_the_byte(train: Callable[..., TrainResult], tmp_path: Path) -> None:
    whole = train("wgan-gp", critic_steps=1, checkpoint_every=4, **SETTINGS).run
    # A run that ended early: its later checkpoint and its end are gone.
    (whole / "checkpoints" / "step-00000008.safetensors").rename(tmp_path / "end")
    for name in ("outcome.json", "samples.png"):
        (whole / name).unlink()
    train("wgan-gp", resume=str(whole))
    assert (whole / "checkpoints" / "step-00000008.safetensors").read_bytes() == (tmp_path / "end").read_bytes()


def test_the_configuration_keeps_the_tables(train: Callable[..., TrainResult], tmp_path: Path) -> None:
    result = train("wgan-gp", critic_steps=1, **SETTINGS)
    config = Run.find(str(result.run), tmp_path).config
    assert config.to_dict()["generator"]["lr"] == TABLE
    assert config.to_dict()["generator"]["betas"][1] == {"from": 0.9, "to": 0.99, "until": 6, "curve": "linear"}
    assert resolve(zoo(), "wgan-gp", config.to_dict()).config.to_dict() == config.to_dict()


@pytest.mark.parametrize(
    ("settings", "problem", "hint"),
    [
        (
            {"generator": {"lr": {**TABLE, "until": 0}}},
            "'generator.lr.until': neither a number",
            "until = 1000, ",
        ),
        (
            {"generator": {"lr": {**TABLE, "until": -5}}},
            "'generator.lr.until': neither a number",
            "until = 1000, ",
        ),
        (
            {"ema_kimg": {**TABLE, "until": "0%"}},
            "'ema_kimg.until': neither a number",
            "until = 1000, ",
        ),
        (
            {"ema_kimg": {**TABLE, "until": "100%\n"}},
            "'ema_kimg.until': neither a number",
            "until = 1000, ",
        ),
        (
            {"ema_kimg": {**TABLE, "until": "120%"}},
            "'ema_kimg.until': neither a number",
            "until = 1000, ",
        ),
        (
            {"ema_kimg": {**TABLE, "curve": "sine"}},
            "'ema_kimg.curve': invalid enum value 'sine'",
            "choose one of: linear",
        ),
        ({"ema_kimg": {"from": 1.0}}, "'ema_kimg': object missing required field `to`", "--set ema_kimg='{from = "),
        ({"ema_kimg": {**TABLE, "til": 5}}, "'ema_kimg': object contains unknown field `til`", "--set ema_kimg='{from"),
        ({"ema_kimg": {**TABLE, "to": 0.0}}, "'ema_kimg': expected `float` > 0.0", "a number, such as 0.001"),
        ({"generator": {"lr": {**TABLE, "from": -1}}}, "'generator.lr': expected `float` > 0.0", "a number, such as"),
        (
            {"generator": {"betas": [0.5, {"from": 0.9, "to": 1.0}]}},
            "'generator': betas must be at least 0 and less than 1, and 1 is not",
            "for the defaults: ganzoo models show MODEL",
        ),
        (
            {"generator": {"betas": [0.5, {"from": 0.9}]}},
            "'generator.betas[1]': object missing required field `to`",
            "{from = 2e-4, to = 1e-5, until = ",
        ),
        (
            {"generator": {"betas": [0.5, {"from": 0.9, "to": 0.99, "till": 3}]}},
            "'generator.betas[1]': object contains unknown field `till`",
            "{from = 2e-4, to = 1e-5, until = ",
        ),
        (
            {"generator": {"betas": [0.5, {"from": 0.9, "to": 0.99, "curve": "x"}]}},
            "'generator.betas[1].curve': invalid enum value 'x'",
            "choose one of: linear, cosine, step",
        ),
        ({"held_out": TABLE}, "'held_out': expected `float`, got `object`", "a number, such as 0.001"),
        ({"batch": {"from": 8, "to": 16}}, "'batch': expected `int`, got `object`", "a whole number, such as 8"),
        (
            {"options": {"width": {"from": 8, "to": 16}}},
            "'options.width': expected `int",
            "a whole number, such as 8",
        ),
        (
            {"augment": "diffaugment", "augment_options": {"policy": {"from": 0.0, "to": 1.0}}},
            "'augment_options.policy': expected `array`",
            "choose one of: colour, translation, cutout",
        ),
    ],
)
def test_what_makes_no_schedule(settings: dict[str, Any], problem: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(zoo(), "vanilla", settings)
    assert str(caught.value).startswith(f"configuration key {problem}")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


def test_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rate = '{from = 2e-4, to = 1e-5, until = "50%", curve = "cosine"}'
    assert main(["train", "--model", "vanilla", "--set", f"generator.lr={rate}", "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert (
        'lr = { from = 0.0002, to = 1e-05, until = "50%", curve = "cosine" }' in printed or "[generator.lr]" in printed
    )
    (tmp_path / "c.toml").write_text(printed)
    assert main(["train", "--config", "c.toml", "--print-config"]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("key", ["generator.lr", "discriminator.betas", "ema_kimg"])
@pytest.mark.parametrize(("until", "refused"), [(6, False), ("50%", True)])
def test_more_steps_where_a_schedule_is_a_share_of_them(
    train: Callable[..., TrainResult], until: int | str, refused: bool, key: str
) -> None:
    """Wherever it is, in a list, too."""
    schedule = {"from": 1e-3, "to": 1e-4, "until": until}
    table, _, option = key.rpartition(".")
    value = [schedule, 0.99] if option == "betas" else schedule
    run = str(train("vanilla", steps=8, **({table: {option: value}} if table else {option: value})).run)
    if not refused:
        train("vanilla", resume=run, steps=9)
        return
    with pytest.raises(UsageError, match=rf"(?m)would change the schedule of {key} of the 8 before$"):
        train("vanilla", resume=run, steps=9)


def test_progress_goes_from_0_to_1_in_place(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("vanilla", steps=4)
    place, seen = trainer.clock.progress.data_ptr(), []
    for _ in range(6):
        trainer.step()
        seen.append(float(trainer.clock.progress))
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert trainer.objective.progress is not None
    assert trainer.objective.progress.data_ptr() == place == trainer.clock.progress.data_ptr()


def test_a_constant_schedule_is_the_constant(make_trainer: MakeTrainer) -> None:
    """To the bit, in fp32 weights after some steps."""
    one = make_trainer("wgan-gp", loss="non-saturating", penalties={"r1": {"weight": 0.5}}, critic_steps=1)
    same = {"from": 0.5, "to": 0.5}
    other = make_trainer("wgan-gp", loss="non-saturating", penalties={"r1": {"weight": same}}, critic_steps=1)
    for _ in range(3):
        one.step()
        other.step()
    pairs = zip(one.discriminator.parameters(), other.discriminator.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


@dataclass(frozen=True, slots=True)
class Widths:
    width: float
    widths: tuple[float, ...]


def test_numbers_in_tuples_and_in_classes_with_slots_change_too() -> None:
    clock = Clock(10, torch.zeros((), dtype=torch.float64))
    changing = convert_schedule({"from": 1, "to": 2})
    options = Widths(1.0, ())
    for name, value in (("width", changing), ("widths", (4.0, changing))):
        object.__setattr__(options, name, value)
    given = clock.numbers(options)
    clock.set(5)
    assert (float(given.width), *map(float, given.widths)) == (1.5, 4.0, 1.5)
    assert getattr(options, "width") is changing  # noqa: B009 - no float, whatever its class says
