"""Functions of time: now, writing and reading times, moving them.

Times are seconds since 1970; days, weeks and months are those of the search's time zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.errors import SearchError
from sightline.search.functions.arguments import constant_text, int64, number
from sightline.search.functions.by_row import zone_of_text, zone_text
from sightline.search.functions.calendar import Zone
from sightline.search.functions.time_formats import read_time, write_time
from sightline.search.planner import values as v
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import function
from sightline.search.time import MONTHS, SECONDS, Shift, Snap, modifier_steps, parse_time
from sightline.store.udf import row_function

if TYPE_CHECKING:
    from sightline.search.context import Context


@function("now", minimum=0, maximum=0)
def now(arguments: list[Value], context: Context) -> Value:
    """The second in which the search started, in all rows and all calls the same.

    Syntax: now()
    Example: index=web | eval age_s=now()-_time
    """
    return v.integer(int(context.now // 1))


@function("time", minimum=0, maximum=0)
def time_(arguments: list[Value], context: Context) -> Value:
    """The time on the clock when the row is computed, with decimals.

    Syntax: time()
    Example: | makeresults | eval a=time()
    """
    micros = v.call("toUnixTimestamp64Micro", v.call("now64", v.integer(6), type=Type.INT), type=Type.INT)
    return v.call("divide", micros, v.integer(1_000_000), type=Type.FLOAT)


@function("strftime", minimum=2, maximum=2)
def strftime(arguments: list[Value], context: Context) -> Value:
    """A time as text.

    Syntax: strftime(<time>, "<format>")
    Example: | makeresults | eval day=strftime(_time, "%Y-%m-%d"), at=strftime(_time, "%H:%M:%S.%3N")

    Conversions are those of C: %Y %y %C %G %g, %m %b %B, %d %e %j, %a %A %u %w, %U %V %W, %H %k %I %l %p %P, %M, %S, %s,
    %T %R %r %X, %F %D %x, %c %+, %z %:z %Ez %Z, %n %t %%; and %N %Q %f for fractions of a second with a number of digits
    (%3N). A `-` after the percent sign (%-d) takes leading zeros away. What is no number gives NULL. A format
    that differs by row is read row by row and so more slowly; one that cannot be gives NULL.
    """
    if v.is_null(arguments[1]):
        return Literal(Type.TEXT, None)
    if not isinstance(arguments[1], Literal):
        time, form = v.as_float(number(arguments[0])), v.as_text(arguments[1])
        return v.call("write_time", time, form, v.text(zone_text(context.zone)), type=Type.TEXT)
    form = constant_text(arguments[1], "the format of strftime")
    return write_time(number(arguments[0]), form, Zone.of(context.zone))


@function("strptime", minimum=2, maximum=2)
def strptime(arguments: list[Value], context: Context) -> Value:
    """The time that a text tells, in seconds since 1970; NULL for text that does not match the format.

    Syntax: strptime(<text>, "<format>")
    Example: | makeresults | eval t=strptime("2023-11-14 22:13:20", "%Y-%m-%d %H:%M:%S")

    Conversions are those of `strftime`. Text behind what the format asks for is ignored; blanks match any blanks; a fraction of
    a second may be missing with the point in front of it. A time without a zone is one of the search's zone; without a date
    it is today, without a year this year. A format that differs by row is read row by row and so more slowly.
    """
    if v.is_null(arguments[1]):
        return Literal(Type.FLOAT, None)
    if not isinstance(arguments[1], Literal):
        zone, now = v.text(zone_text(context.zone)), v.real(float(context.now))
        return v.call("read_time", v.as_text(arguments[0]), v.as_text(arguments[1]), zone, now, type=Type.FLOAT)
    form = constant_text(arguments[1], "the format of strptime")
    return read_time(v.as_text(arguments[0]), form, Zone.of(context.zone), context.now)


@function("relative_time", minimum=2, maximum=2)
def relative_time(arguments: list[Value], context: Context) -> Value:
    """A time moved and snapped by a time modifier.

    Syntax: relative_time(<time>, "<modifier>")
    Example: | makeresults | eval yesterday=relative_time(now(), "-1d@d")

    The steps of the modifier are taken from left to right: `-1d` moves, `@d` goes down to the start of the day. A modifier
    that differs by row is read row by row and so more slowly.
    """
    time, modifier = number(arguments[0]), arguments[1]
    if modifier.type is Type.NULL:
        return Literal(Type.FLOAT, None)
    if not isinstance(modifier, Literal):
        zone = v.text(zone_text(context.zone))
        return v.call("relative_time", v.as_float(time), v.as_text(modifier), zone, type=Type.FLOAT)
    text = constant_text(modifier, "the modifier of relative_time")
    if text.strip().lower() in ("now", "now()"):
        return time
    text = text.strip()
    steps = modifier_steps(text[3:] if text.lower().startswith("now") else text)
    if isinstance(time, Literal) and time.value is not None:
        return v.number(parse_time(text, float(time.value), context.zone)) if steps else time
    return _moved(time, steps, Zone.of(context.zone))


def _moved(time: Value, steps: list[Shift | Snap], zone: Zone) -> Value:
    """The steps as arithmetic on whole seconds; the fraction is carried along until a snap drops it."""
    fraction: Value | None = None
    seconds = time
    if time.type is Type.FLOAT:
        below = v.call("floor", time, type=Type.FLOAT)
        fraction = v.call("minus", time, below, type=Type.FLOAT)
        seconds = v.as_integer(below)
    more_s = 0.0
    for step in steps:
        if isinstance(step, Snap):
            fraction, more_s = None, 0.0
            seconds = zone.to_utc(zone.snapped(zone.to_local(seconds), step.unit, step.weekday))
        elif step.unit in MONTHS:
            seconds = zone.to_utc(zone.plus_months(zone.to_local(seconds), step.count * MONTHS[step.unit]))
        elif step.unit in ("d", "w"):
            days = int64(step.count * int(SECONDS[step.unit]))
            seconds = zone.to_utc(v.call("plus", zone.to_local(seconds), days, type=Type.INT))
        elif SECONDS[step.unit] < 1:
            more_s += step.count * SECONDS[step.unit]
        else:
            seconds = v.call("plus", seconds, int64(step.count * int(SECONDS[step.unit])), type=Type.INT)
    if fraction is not None:
        seconds = v.call("plus", seconds, fraction, type=Type.FLOAT)
    return v.call("plus", seconds, v.real(more_s), type=Type.FLOAT) if more_s else seconds


@row_function("relative_time", ("Float64", "String", "String"), "Float64")
def move_time(time: float, modifier: str, zone: str) -> float | None:
    """The time moved by a modifier that differs by row; None for text that is none. `zone` is a name or seconds."""
    try:
        return parse_time(modifier, time, zone_of_text(zone)) if modifier.strip()[:1] in ("+", "-", "@") else None
    except (SearchError, OverflowError, ValueError):
        return None
