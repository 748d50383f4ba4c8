"""The one list of what the language has: commands, eval functions and aggregates.

A command is a dataclass decorated with `@command`; its docstring is its reference entry (first line: summary; lines that
start with `Syntax:` and `Example:`; then notes). Parser, printer, help, completion and the reference read this registry.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sightline.errors import SearchError, Span, UserError, nearest
from sightline.search.syntax.arguments import Arguments, print_options, written_options
from sightline.search.syntax.tree import Stage

if TYPE_CHECKING:
    from sightline.search.context import Context
    from sightline.search.planner.relation import Relation
    from sightline.search.planner.values import Value


@dataclass
class Command:
    """What every command is: options as dataclass fields, then reading, printing and meaning.

    A subclass must implement `lower`; one that takes more than options overrides `read` and `print_arguments`.
    `lower` must not change the relation it is given, and may run earlier parts through the context.
    """

    command_name: ClassVar[str] = ""
    kind: ClassVar[str] = "streaming"
    """streaming, transforming, generating, dataset or orchestrating."""
    generating: ClassVar[bool] = False
    """Whether it may stand first and makes its own rows."""
    begins: ClassVar[bool] = False
    """Whether it may stand first though it makes no rows of its own, and then works on none."""
    anywhere: ClassVar[bool] = False
    """Whether a generating command may also follow others (one with `append=t` always may)."""
    repeatable: ClassVar[bool] = False
    """For one of kind dataset: whether it only gives rows, so that it may run a second time for a preview."""
    runs_brackets: ClassVar[bool] = False
    """Whether its brackets are pipelines that it runs; what stands in those of other commands gives text for their place."""
    fills_brackets: ClassVar[bool] = False
    """Whether its brackets hold text with places to fill in, which is a search only then."""

    reads_options_of: ClassVar[tuple[type, ...]] = ()
    """Classes whose declared options `read` takes beside the command's own."""

    @classmethod
    def read(cls, arguments: Arguments) -> Command:
        """The command from its arguments. Raises SearchError with a span."""
        found = arguments.options(cls)
        error = arguments.unknown_option(cls)
        if error:
            raise error
        arguments.finish()
        return cls(**found)

    def print_arguments(self) -> list[str]:
        """The arguments as they would be typed, one string a part."""
        return print_options(self)

    def needs(self, after: frozenset[str] | None) -> frozenset[str] | None:
        """The fields of its input that it and what follows read, given those read `after` it; None is any field.

        A Python step before it then takes only these out of the engine. Without certainty the answer must be None.
        """
        return None

    def streams(self) -> bool:
        """Whether it treats rows as they come, so that it may stand in a branch of `multisearch`."""
        return self.kind in ("streaming", "generating")

    def lower(self, relation: Relation, context: Context) -> Relation:
        """The relation that this command makes of another one."""
        raise AssertionError(f"{self.command_name} has no meaning")

    def __str__(self) -> str:
        return " ".join([self.command_name, *self.print_arguments()])


@dataclass(frozen=True)
class CommandEntry:
    """A command as help and completion show it."""

    name: str
    command: type[Command]
    aliases: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """Summary, syntax, example and options, from the docstring and the declarations."""
        document = describe_docstring(self.command)
        options = [
            {
                "name": name,
                "type": f.metadata["type"].__name__,
                "default": f.default if f.default is not dataclasses.MISSING else None,
                "choices": list(f.metadata["choices"]),
                "help": f.metadata["help"],
            }
            for name, f in written_options(self.command).items()
        ]
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "kind": self.command.kind,
            "options": options,
        } | document


@dataclass(frozen=True)
class FunctionEntry:
    """An eval function: `lower(arguments, context) -> Value`, with how many arguments it takes."""

    name: str
    lower: Callable[..., Value]
    minimum: int
    maximum: int | None
    raw: bool
    """Whether it gets unlowered expressions (functions that bind a name or look a value up)."""

    def describe(self) -> dict[str, Any]:
        """Name, summary and syntax from the docstring."""
        return {"name": self.name, "kind": "eval"} | describe_docstring(self.lower)


@dataclass(frozen=True)
class AggregateEntry:
    """An aggregate: `lower(argument, given: AggregateInput) -> Value` over the rows of a group."""

    name: str
    lower: Callable[..., Value]
    needs_field: bool
    ordered: bool
    """Whether the answer depends on the order of rows."""
    parameterised: bool = False
    """Whether its name ends in a number (`perc95`)."""

    def describe(self) -> dict[str, Any]:
        """Name, summary and syntax from the docstring."""
        return {"name": self.name, "kind": "aggregate"} | describe_docstring(self.lower)


@dataclass(frozen=True)
class Refusal:
    """Why a command that Splunk documents does not run here, and what to use instead."""

    reason: str
    instead: str

    def error(self, name: str, span: Span | None = None) -> SearchError:
        """What a search that names the command is told."""
        found = SearchError(f"{name} does not run here: {self.reason}", span, hint=self.instead)
        found.command = name
        return found


class UnknownCommand(SearchError):
    """A search names a command that neither runs here nor is documented by Splunk: a misspelling, or an app's script."""

    def __init__(self, name: str, span: Span) -> None:
        hint = nearest(name, COMMANDS) or "commands that a Splunk app brings as scripts do not run here"
        super().__init__(f'there is no command "{name}"', span, hint=hint)
        self.name = name


_SECOND_SEARCH = re.compile(r"\n\s*(index|sourcetype)\s*\Z")
"""What ends the arguments of a command where a line begins as searches do and cannot be read: two were put into one text."""
_GIVEN = re.compile(r', got "([^"]+)"\Z')
"""How an error ends that tells which argument is wrong."""
COMMANDS: dict[str, CommandEntry] = {}
REFUSALS: dict[str, Refusal] = {}
FUNCTIONS: dict[str, FunctionEntry] = {}
AGGREGATES: dict[str, AggregateEntry] = {}
_loaded = False


def command(name: str, *, kind: str = "streaming", aliases: tuple[str, ...] = ()) -> Callable[[type], type]:
    """Registers a command's dataclass under its name."""

    def register(cls: type) -> type:
        cls.command_name = name
        cls.kind = kind
        cls.generating = cls.generating or kind == "generating"
        entry = CommandEntry(name, cls, aliases)
        for key in (name, *aliases):
            assert key not in COMMANDS, f"two commands are named {key}"
            COMMANDS[key] = entry
        return cls

    return register


def function(
    *names: str, minimum: int = 1, maximum: int | None = 1, raw: bool = False
) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Registers an eval function under its names. `maximum=None` takes any number of arguments."""

    def register(lower: Callable[..., Value]) -> Callable[..., Value]:
        for name in names:
            assert name not in FUNCTIONS, f"two functions are named {name}"
            FUNCTIONS[name] = FunctionEntry(name, lower, minimum, maximum, raw)
        return lower

    return register


def aggregate(
    *names: str, needs_field: bool = True, ordered: bool = False, parameterised: bool = False
) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Registers an aggregate function under its names."""

    def register(lower: Callable[..., Value]) -> Callable[..., Value]:
        for name in names:
            assert name not in AGGREGATES, f"two aggregates are named {name}"
            AGGREGATES[name] = AggregateEntry(name, lower, needs_field, ordered, parameterised)
        return lower

    return register


def refuse(*names: str, reason: str, instead: str) -> None:
    """Declares documented commands that do not run here. `reason` completes the sentence "does not run here: ..."."""
    for name in names:
        assert name not in REFUSALS, f"{name} is refused twice"
        REFUSALS[name] = Refusal(reason, instead)


def load() -> None:
    """Import every module of commands and functions once, so that they register themselves."""
    global _loaded
    if _loaded:
        return
    import sightline.search.commands
    import sightline.search.functions

    for package in (sightline.search.commands, sightline.search.functions):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    _loaded = True


def read_command(stage: Stage) -> Command:
    """The command that a stage names, with its arguments read. Raises SearchError with command and span."""
    load()
    entry = COMMANDS.get(stage.name)
    if entry is None:
        refusal = REFUSALS.get(stage.name)
        if refusal is None:
            raise UnknownCommand(stage.name, stage.name_span)
        raise refusal.error(stage.name, stage.name_span)
    try:
        return entry.command.read(Arguments(stage) if _wants_words(entry.command) else stage)  # type: ignore[arg-type]
    except SearchError as error:
        if stage.subsearches and not entry.command.runs_brackets:
            from sightline.search.commands.filled import Filled

            return Filled.of(entry, stage)
        if not error.hint and error.span is not None:
            before = stage.text[stage.arguments.start : error.span.start]
            error.hint = "a second search begins here: a text holds one" if _SECOND_SEARCH.search(before) else ""
        raise error.at(place_of(stage, error), entry.name) from None
    except RecursionError:
        raise SearchError("the expression nests too deeply", stage.arguments, command=entry.name) from None


def place_of(stage: Stage, error: UserError) -> Span:
    """Where an error of a stage belongs that has no place: at the argument that it says it got, else at the command."""
    given = _GIVEN.search(error.message)
    if given:
        written = stage.text[stage.arguments.start : stage.arguments.end]
        found = [m.start() + stage.arguments.start for m in re.finditer(rf"(?<!\w){re.escape(given[1])}(?!\w)", written)]
        if len(found) == 1:
            return Span(found[0], found[0] + len(given[1]))
    return stage.name_span if stage.name_span.end > stage.name_span.start else stage.arguments


def fields_needed(commands: Sequence[Command], after: frozenset[str] | None) -> frozenset[str] | None:
    """The fields that these commands, one after the other, read of their input; None is any field."""
    for command in reversed(commands):
        after = command.needs(after)
    return after


def _wants_words(command: type[Command]) -> bool:
    return not getattr(command, "reads_stage", False)


def describe_docstring(thing: Any) -> dict[str, str]:
    """Summary, syntax, example and notes of a docstring. Syntax and example go on over lines that are indented."""
    lines = (inspect.getdoc(thing) or "").split("\n")
    found = {"summary": lines[0] if lines else "", "syntax": "", "example": "", "notes": ""}
    notes = []
    continued = ""
    for line in lines[1:]:
        key = next((key for key in ("Syntax:", "Example:") if line.startswith(key)), "")
        if key:
            continued = key[:-1].lower()
            found[continued] = line[len(key) :].strip()
        elif continued and line.startswith("    "):
            found[continued] += " " + line.strip()
        else:
            continued = ""
            notes.append(line)
    found["notes"] = "\n".join(notes).strip()
    return found
