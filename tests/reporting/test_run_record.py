"""What a run's directory says of itself: how it ended, who is at it, and what was drawn."""

import contextlib
import fcntl
import json
from collections.abc import Callable

import pytest

from ganzoo.errors import ExitCode, IntegrityError
from ganzoo.records.outcome import Outcome
from ganzoo.records.run import Run


def test_an_outcome_is_read_back_until_the_run_goes_on(make_run: Callable[..., Run]) -> None:
    run = make_run()
    assert run.outcome() is None
    outcome = Outcome(state="stopped", step=20, reason="SIGTERM", versions={"last": "net:1"})
    run.record_outcome(outcome)
    assert Run.find(str(run.directory), run.directory).outcome() == outcome
    run.rewind(30)
    assert run.outcome() is None


@pytest.mark.parametrize("content", ["{[", '{"state": "lost", "step": 1}', '{"state": "failed"}', "[]"])
def test_a_damaged_outcome_is_named(make_run: Callable[..., Run], content: str) -> None:
    run = make_run()
    (run.directory / "outcome.json").write_text(content)
    with pytest.raises(IntegrityError) as caught:
        run.outcome()
    assert str(caught.value).startswith(f"{run.directory / 'outcome.json'} cannot be read: ")
    assert caught.value.hint == "remove it; all else is in order"
    assert caught.value.exit_code == ExitCode.INTEGRITY


def test_a_bit_of_an_outcome_that_fell_over_is_seen(make_run: Callable[..., Run]) -> None:
    run = make_run()
    outcome = Outcome(state="finished", step=20, versions={"last": "net:1"})
    run.record_outcome(outcome)
    path = run.directory / "outcome.json"
    whole = path.read_bytes()
    for place in range(0, 8 * len(whole), 7):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        with contextlib.suppress(IntegrityError):
            assert run.outcome() == outcome
    path.write_text(json.dumps({"state": "finished", "step": 20, "versions": {"last": "net:1"}}))  # of an older ganzoo
    assert run.outcome() == outcome


def test_samples_come_by_step_and_later_ones_go_with_a_rewind(make_run: Callable[..., Run]) -> None:
    run = make_run(samples=[30, 100_000_000, 4])
    (run.directory / "samples" / "step-mine.png").touch()
    assert list(run.samples()) == [4, 30, 100_000_000]
    run.rewind(30)
    assert list(run.samples()) == [4, 30]
    assert (run.directory / "samples" / "step-mine.png").exists()


def test_a_run_is_in_use_while_it_is_locked(make_run: Callable[..., Run]) -> None:
    run = make_run()
    assert not run.in_use()
    with run.locked():
        assert run.in_use()
    assert not run.in_use()
    with (run.directory / "lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # looking left nothing locked


def test_lines_that_a_crash_cut_short_do_not_count(make_run: Callable[..., Run]) -> None:
    run = make_run()
    with run.metrics_log.open("a") as file:
        file.write('{"step": 40, "lo')
    assert [entry["step"] for entry in run.reports()] == [10, 20, 30]
    assert run.all_evaluations() == []
