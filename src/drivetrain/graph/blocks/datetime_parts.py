"""Parts of a datetime, by integer arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import MISSING_TIME
from drivetrain.graph.block import GraphBuilder, Wire

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
DAYS_1970_TO_2000 = 10_957
DAYS_0000_MARCH_TO_1970 = 719_468  # the civil calendar below starts its years on 1 March
DAYS_400_YEARS = 146_097


@dataclass(frozen=True)
class DatetimeParts:
    """Take a datetime apart: INT64 [N], microseconds since 1970 in UTC, to FLOAT [N, parts].

    ==============  ===========================================================================
    part            meaning
    ==============  ===========================================================================
    days_since_2000 days and their fraction, negative before
    year            proleptic Gregorian, as Python's datetime counts, any int64
    month, day      1 to 12, 1 to 31
    weekday         Monday is 0
    hour, minute    0 to 23, 0 to 59
    day_of_year     1 to 366
    weekend         1 on Saturday and Sunday, else 0
    month_sin       sine of the month's place in the year; month_cos the cosine
    weekday_sin     sine of the day's place in the week; weekday_cos the cosine
    hour_sin        sine of the minute's place in the day; hour_cos the cosine
    ==============  ===========================================================================

    A missing cell makes every part NaN, or ``fill``.
    """

    column: Wire
    output: Wire
    parts: tuple[str, ...]
    fill: float | None = None

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.column,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        missing = graph.node("Equal", [self.column, graph.constant(MISSING_TIME, np.int64)])
        time = graph.node("Where", [missing, graph.constant(0, np.int64), self.column])
        clock = _Calendar(graph, time)
        axis = graph.constant([1], np.int64)
        columns = [
            graph.node("Unsqueeze", [graph.cast(PARTS[part](clock), TensorProto.FLOAT), axis])
            for part in self.parts
        ]
        matrix = graph.node("Concat", columns, axis=1)
        fill = graph.constant(np.nan if self.fill is None else self.fill, np.float32)
        graph.node(
            "Where",
            [graph.node("Unsqueeze", [missing, axis]), fill, matrix],
            to=self.output,
        )


@dataclass
class _Calendar:
    """Builds parts as INT64 or DOUBLE wires; equal nodes are shared by the builder.

    ``civil from days`` after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    """

    graph: GraphBuilder
    time: Wire
    _days: tuple[Wire, Wire] | None = field(default=None)

    def _op(self, op: str, wire: Wire, operand: Wire | int) -> Wire:
        if isinstance(operand, int):
            operand = self.graph.constant(operand, np.int64)
        return self.graph.node(op, [wire, operand])

    def floor_divide(self, wire: Wire, by: int) -> tuple[Wire, Wire]:
        """Return quotient and remainder >= 0; ONNX divides toward zero.

        The remainder is mended after the division, so nothing overflows near INT64_MIN.
        """
        quotient = self._op("Div", wire, by)
        rest = self._op("Sub", wire, self._op("Mul", quotient, by))
        below = self.graph.cast(self._op("Less", rest, 0), TensorProto.INT64)
        return self._op("Sub", quotient, below), self._op("Add", rest, self._op("Mul", below, by))

    def days(self) -> tuple[Wire, Wire]:
        """Return days since 1970 and microseconds of the day."""
        if self._days is None:
            self._days = self.floor_divide(self.time, DAY_US)
        return self._days

    def days_since_2000(self) -> Wire:
        day, rest = (self.graph.cast(wire, TensorProto.DOUBLE) for wire in self.days())
        whole = self.graph.node("Sub", [day, self._double(float(DAYS_1970_TO_2000))])
        fraction = self.graph.node("Div", [rest, self._double(float(DAY_US))])
        return self.graph.node("Add", [whole, fraction])

    def _double(self, value: float) -> Wire:
        return self.graph.constant(value, np.float64)

    def _civil(self) -> tuple[Wire, Wire, Wire, Wire]:
        """Return era of 400 years, year of the era, day of the March year, March month."""
        shifted = self._op("Add", self.days()[0], DAYS_0000_MARCH_TO_1970)
        era, day = self.floor_divide(shifted, DAYS_400_YEARS)
        year = self._op("Sub", day, self._op("Div", day, 1460))
        year = self._op("Add", year, self._op("Div", day, 36_524))
        year = self._op("Div", self._op("Sub", year, self._op("Div", day, 146_096)), 365)
        before = self._op("Add", self._op("Mul", year, 365), self._op("Div", year, 4))
        before = self._op("Sub", before, self._op("Div", year, 100))
        of_year = self._op("Sub", day, before)
        month = self._op("Div", self._op("Add", self._op("Mul", of_year, 5), 2), 153)
        return era, year, of_year, month

    def _is_early(self) -> Wire:
        """Return INT64 1 in January and February, which end the March year."""
        return self.graph.cast(self._op("Greater", self._civil()[3], 9), TensorProto.INT64)

    def year(self) -> Wire:
        era, year, _, _ = self._civil()
        return self._op("Add", self._op("Add", year, self._op("Mul", era, 400)), self._is_early())

    def month(self) -> Wire:
        month = self._op("Add", self._civil()[3], 3)
        return self._op("Sub", month, self._op("Mul", self._is_early(), 12))

    def day(self) -> Wire:
        _, _, of_year, month = self._civil()
        before = self._op("Div", self._op("Add", self._op("Mul", month, 153), 2), 5)
        return self._op("Add", self._op("Sub", of_year, before), 1)

    def day_of_year(self) -> Wire:
        _, year, of_year, _ = self._civil()
        is_fourth = self._op("Equal", self._op("Mod", year, 4), 0)
        is_hundredth = self._op("Equal", self._op("Mod", year, 100), 0)
        is_leap = self.graph.node("And", [is_fourth, self.graph.node("Not", [is_hundredth])])
        is_leap = self.graph.node("Or", [is_leap, self._op("Equal", year, 0)])
        late = self._op("Add", of_year, self.graph.cast(is_leap, TensorProto.INT64))
        late = self._op("Add", late, 60)
        early = self._op("Sub", of_year, 305)
        return self.graph.node("Where", [self._op("Greater", of_year, 305), early, late])

    def weekday(self) -> Wire:
        # 1970-01-01 was a Thursday.
        return self.floor_divide(self._op("Add", self.days()[0], 3), 7)[1]

    def weekend(self) -> Wire:
        return self._op("Greater", self.weekday(), 4)

    def hour(self) -> Wire:
        return self._op("Div", self.days()[1], 60 * MINUTE_US)

    def minute_of_day(self) -> Wire:
        return self._op("Div", self.days()[1], MINUTE_US)

    def minute(self) -> Wire:
        return self._op("Mod", self.minute_of_day(), 60)

    def month_of_year(self) -> Wire:
        return self._op("Sub", self.month(), 1)

    def wave(self, place: Wire, length: int, wave: Callable[..., np.ndarray]) -> Wire:
        """Look a wave up in a table, which is the same number on every machine and batch."""
        table = wave(2.0 * np.pi * np.arange(length) / length).astype(np.float32)
        return self.graph.node("Gather", [self.graph.constant(table), place], axis=0)


PARTS: dict[str, Callable[[_Calendar], Wire]] = {
    "days_since_2000": _Calendar.days_since_2000,
    "year": _Calendar.year,
    "month": _Calendar.month,
    "day": _Calendar.day,
    "weekday": _Calendar.weekday,
    "hour": _Calendar.hour,
    "minute": _Calendar.minute,
    "day_of_year": _Calendar.day_of_year,
    "weekend": _Calendar.weekend,
    "month_sin": lambda clock: clock.wave(clock.month_of_year(), 12, np.sin),
    "month_cos": lambda clock: clock.wave(clock.month_of_year(), 12, np.cos),
    "weekday_sin": lambda clock: clock.wave(clock.weekday(), 7, np.sin),
    "weekday_cos": lambda clock: clock.wave(clock.weekday(), 7, np.cos),
    "hour_sin": lambda clock: clock.wave(clock.minute_of_day(), 1440, np.sin),
    "hour_cos": lambda clock: clock.wave(clock.minute_of_day(), 1440, np.cos),
}
