"""Every error is one line with place, expectation, what came and one remedy."""

import inspect

import pytest

from drivetrain.core import errors
from drivetrain.core.errors import ContractError, DrivetrainError, Value


def made(kind: type[DrivetrainError] = ContractError, got: object = "n/a") -> DrivetrainError:
    return kind(
        where="column 'age', row 17",
        expected="a number",
        got=Value(got),
        remedy="Add {value} to missing_values.",
        code="DT104",
    )


def tree() -> list[type[DrivetrainError]]:
    members = inspect.getmembers(errors, inspect.isclass)
    return [kind for _, kind in members if issubclass(kind, DrivetrainError)]


def test_the_line_shows_place_expectation_value_remedy_and_code() -> None:
    assert made().line() == (
        "column 'age', row 17: expected a number, got 'n/a'. Add 'n/a' to missing_values. [DT104]"
    )


@pytest.mark.parametrize(
    "value", ["secret-value", 123456789, {"secret": 1}, ["secret"], b"secret", 1.5e300]
)
def test_the_private_line_never_holds_the_value(value: object) -> None:
    line = made(got=value).private_line()

    assert "secret" not in line
    assert "123456789" not in line
    assert "column 'age', row 17" in line


def test_the_private_line_names_kind_and_length() -> None:
    assert "a text of 3 characters" in made(got="n/a").private_line()


def test_a_long_value_is_cut() -> None:
    assert len(made(got="x" * 10_000).line()) < 400


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_tree_can_be_made_and_drawn(kind: type[DrivetrainError]) -> None:
    error = made(kind)

    assert error.exit_status in (1, 2, 3, 70)
    assert kind.__name__ in (errors.__doc__ or "")
    assert "\n" not in error.line()
