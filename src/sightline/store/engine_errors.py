"""What can go wrong in the engine, as exceptions the layers above can tell apart.

The engine reports everything as one text of the form `Code: 241. DB::Exception: ... (MEMORY_LIMIT_EXCEEDED)`.
Here the number is read once and becomes a class; nothing above `store/` looks into an engine's text.
"""

from __future__ import annotations

import re

from sightline.errors import EnvironmentTrouble, SightlineError, UserError

_CODE = re.compile(r"Code:\s*(\d+)\.")
_NAME = re.compile(r"\s*\(([A-Z][A-Z0-9_]+)\)\s*$")
_NOISE = re.compile(r"^(Streaming query failed:\s*)?Code:\s*\d+\.\s*(DB::Exception:\s*)?")
_SCOPE = re.compile(r":? In scope .*$|: while executing .*$|: While executing .*$", re.DOTALL)

_ROW_FUNCTION = re.compile(r"Python UDF '\w+' raised an exception at row \d+: (?:[\w.]+: )?(.*?)(?:\n\nAt:.*)?\Z", re.DOTALL)


class EngineError(SightlineError):
    """A statement failed. `code` is the engine's number (0 when it gave none), `name` its symbolic name."""

    def __init__(self, message: str, code: int = 0, name: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.name = name


class TimeLimitExceeded(EngineError):
    """The statement ran longer than its limit."""


class MemoryLimitExceeded(EngineError):
    """The statement, or all statements together, needed more memory than allowed."""


class DiskLimitExceeded(EngineError):
    """The statement was to write more of its rows to the disk than it may."""


class QueryCancelled(EngineError):
    """The statement was cancelled through `EmbeddedStore.cancel`."""


class EngineBusy(EngineError, EnvironmentTrouble):
    """Too many statements or parts at this moment, or no room on the disk; the same statement may succeed later."""


class ListTooLong(EngineError, UserError):
    """A row was to get a list of more values than the engine makes."""


class RowFunctionFailed(EngineError, UserError):
    """A function of `udf` refused a row's value."""


class NewText(EngineError):
    """A row has a text that was not among those that a statement was written for; another one has to be asked."""


NEW_TEXT = "a text that nobody had seen"
"""What a statement says that ends with `NewText`."""

_BY_CODE: dict[int, type[EngineError]] = {
    159: TimeLimitExceeded,
    160: TimeLimitExceeded,
    241: MemoryLimitExceeded,
    394: QueryCancelled,
    202: EngineBusy,
    243: EngineBusy,
    252: EngineBusy,
    # Faults of the disk: what was to be written is not to blame.
    74: EngineBusy,
    75: EngineBusy,
    76: EngineBusy,
    236: EngineBusy,
    425: EngineBusy,
}
"""159 TIMEOUT_EXCEEDED, 160 TOO_SLOW, 241 MEMORY_LIMIT_EXCEEDED, 394 QUERY_WAS_CANCELLED,
202 TOO_MANY_SIMULTANEOUS_QUERIES, 243 NOT_ENOUGH_SPACE, 252 TOO_MANY_PARTS, 74 CANNOT_READ_FROM_FILE_DESCRIPTOR,
75 CANNOT_WRITE_TO_FILE_DESCRIPTOR, 76 CANNOT_OPEN_FILE, 236 ABORTED, 425 SYSTEM_ERROR."""
_THROWN = 395
"""FUNCTION_THROW_IF_VALUE_IS_NON_ZERO."""
_TOO_LONG = re.compile(
    r"function range would produce (\d+) array elements, which is greater than the allowed maximum of (\d+)"
)
_TOO_MUCH_SPILLED = re.compile(r"Limit for temporary files size exceeded")
"""396 TOO_MANY_ROWS_OR_BYTES is the number of other limits too."""
_NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|File too large")
"""The system's words for a full disk, which the engine passes on under several numbers."""


def engine_error(text: str) -> EngineError:
    """The exception for an engine's error text: the class by its code, the text without the engine's decoration."""
    if refused := _ROW_FUNCTION.search(text.strip()):
        return RowFunctionFailed(refused.group(1), 800, "PYTHON_UDF_ERROR")
    if long := _TOO_LONG.search(text):
        return ListTooLong(f"a list of {int(long[1]):,} values is longer than {int(long[2]):,}", 69, "ARGUMENT_OUT_OF_BOUND")
    code_match = _CODE.search(text)
    code = int(code_match.group(1)) if code_match else 0
    name_match = _NAME.search(text)
    name = name_match.group(1) if name_match else ""
    if NEW_TEXT in text and code == _THROWN:
        return NewText(NEW_TEXT, code, name)
    message = _SCOPE.sub("", _NAME.sub("", _NOISE.sub("", text.strip()))).strip()
    kind = EngineBusy if _NO_ROOM.search(text) else _BY_CODE.get(code, EngineError)
    kind = DiskLimitExceeded if _TOO_MUCH_SPILLED.search(text) else kind
    return kind(message or text.strip(), code, name)
