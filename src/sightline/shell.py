"""Searches typed into a terminal, one after the other: with completion, history, colours and help.

What a search is run with, and who knows what may stand at the cursor, is given from outside: a data directory or a server.
Lines that begin with a colon are for the shell itself (`:help` lists them).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.styles import Style

from sightline.errors import SightlineError, UserError, nearest
from sightline.search import registry
from sightline.search.completion import place_of
from sightline.search.syntax.layout import lay_out

_TOKENS = re.compile(
    r"(?P<comment>```.*?(?:```|\Z))|(?P<string>\"(?:\\.|[^\"\\])*\"?)|(?P<macro>`[^`]*`?)|(?P<pipe>[|\[])|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<number>(?<![\w.])\d[\w.]*)|(?P<operator>[=<>!+*/%(),\]-])",
    re.S,
)
_WORDS = frozenset(("and", "or", "not", "by", "as", "in", "over", "where", "into", "from", "against", "output", "outputnew"))
STYLE = Style.from_dict(
    {
        "command": "bold ansicyan",
        "function": "ansiblue",
        "string": "ansigreen",
        "number": "ansimagenta",
        "keyword": "ansicyan",
        "macro": "ansiblue",
        "comment": "italic ansibrightblack",
        "operator": "ansibrightblack",
        "prompt": "bold",
    }
)


class Backend(Protocol):
    """What runs searches and completes them. Errors are those of `sightline.errors`."""

    def suggest(self, text: str) -> tuple[int, list[dict[str, str]]]:
        """Where the replaced part of the text begins, and suggestions with label, kind, insert and detail."""

    def run(self, text: str, earliest: str, latest: str) -> None:
        """Run a search and print its rows."""

    def explain(self, text: str, earliest: str, latest: str) -> None:
        """Print the stages of a search."""


@dataclass
class Shell:
    """The loop. `tell` prints a line for the person; `failed` prints an error with the search it is about."""

    backend: Backend
    tell: Callable[[str], None]
    failed: Callable[[Exception, str], None]
    earliest: str = ""
    latest: str = ""

    def answer(self, line: str) -> bool:
        """Do what a typed text asks for. False when it asks to leave."""
        text = line.strip()
        if not text:
            return True
        try:
            if text.startswith(":"):
                return self._own_command(text)
            self.backend.run(text, self.earliest, self.latest)
        except SightlineError as error:
            self.failed(error, text)
        except KeyboardInterrupt:
            # Ctrl-C ends the search that runs; Ctrl-D leaves.
            self.tell("cancelled")
        return True

    def _own_command(self, text: str) -> bool:
        name, _, rest = text[1:].partition(" ")
        rest = rest.strip()
        known = {
            "quit": None,
            "help": lambda: self._help(rest),
            "range": lambda: self._range(rest),
            "explain": lambda: self.backend.explain(rest, self.earliest, self.latest),
            "format": lambda: self.tell(lay_out(rest)),
        }
        if name not in known:
            raise UserError(f'there is no command ":{name}", wanted one of: {", ".join(f":{k}" for k in known)}')
        action = known[name]
        if action is None:
            return False
        action()
        return True

    def _range(self, rest: str) -> None:
        parts = rest.split()
        if len(parts) > 2:
            raise UserError(f':range wants an earliest and a latest time, such as ":range -24h now", got "{rest}"')
        self.earliest, self.latest = (*parts, "", "")[:2]
        self.tell(f"from {self.earliest or 'the beginning'} to {self.latest or 'now'}")

    def _help(self, name: str) -> None:
        if not name:
            self.tell(_HELP)
            return
        registry.load()
        entry = registry.COMMANDS.get(name.lower()) or registry.FUNCTIONS.get(name) or registry.AGGREGATES.get(name)
        if entry is None:
            every = [*registry.COMMANDS, *registry.FUNCTIONS, *registry.AGGREGATES]
            raise UserError(f'there is no command or function "{name}"', hint=nearest(name, every))
        described = entry.describe()
        parts = [described["summary"]]
        parts += [f"{key}: {described[key]}" for key in ("syntax", "example") if described[key]]
        if described["notes"]:
            parts.append(described["notes"])
        self.tell("\n\n".join(parts))


_HELP = """A search is run with Enter; a line goes on while a bracket or a quote is open, or it ends with a pipe or a backslash.
Tab completes, Up and Down walk through the history, Ctrl-R looks through it, Ctrl-D leaves.

:range -24h now   the time range of the searches to come; :range alone is all time
:explain SPL      how a search would run
:format SPL       the search laid out, a stage a line
:help NAME        a command or function
:quit             leave"""


def is_unfinished(text: str) -> bool:
    """Whether a text goes on in the next line: something is open in it, or it ends with a pipe or a backslash."""
    stripped = text.rstrip()
    if stripped.endswith(("|", "\\")) and len(stripped) > 1:
        return True
    if place_of(text).quote:
        return True
    bare = re.sub(r'```.*?```|"(?:\\.|[^"\\])*"', "", text, flags=re.S)
    return bare.count("[") > bare.count("]") or bare.count("(") > bare.count(")")


def colours_of(text: str) -> StyleAndTextTuples:
    """A search text in coloured pieces."""
    registry.load()
    pieces: StyleAndTextTuples = []
    position, begins = 0, True
    for match in _TOKENS.finditer(text):
        if match.start() > position:
            pieces.append(("", text[position : match.start()]))
        kind, token = match.lastgroup or "", match.group()
        style = {"pipe": "operator", "word": ""}.get(kind, kind)
        if kind == "word":
            lowered = token.lower()
            if begins and lowered in registry.COMMANDS and (position > 0 or lowered == "search"):
                style = "command"
            elif text[match.end() : match.end() + 1] == "(" and (lowered in registry.FUNCTIONS or _is_aggregate(lowered)):
                style = "function"
            elif lowered in _WORDS:
                style = "keyword"
        if kind == "pipe":
            begins = True
        elif kind != "comment":
            begins = False
        pieces.append((f"class:{style}" if style else "", token))
        position = match.end()
    pieces.append(("", text[position:]))
    return pieces


def _is_aggregate(name: str) -> bool:
    return name in registry.AGGREGATES or name.rstrip("0123456789.") in registry.AGGREGATES


class SplLexer(Lexer):
    """Colours for the prompt."""

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        lines: list[StyleAndTextTuples] = [[]]
        for style, text, *_ in colours_of(document.text):
            first, *others = text.split("\n")
            lines[-1].append((style, first))
            lines.extend([(style, other)] for other in others)
        return lambda number: lines[number] if number < len(lines) else []


class SplCompleter(Completer):
    """Suggestions of the backend; what cannot be asked now is not suggested."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        if text.startswith(":"):
            return
        try:
            start, options = self._backend.suggest(text)
        except (SightlineError, OSError):
            return
        for option in options:
            yield Completion(
                option["insert"],
                start_position=start - len(text),
                display=option["label"],
                display_meta=option["detail"] or option["kind"],
            )


def history_of(path: Path) -> History:
    """The history kept in a file that only its owner reads; searches may hold what nobody else should see."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)


def history_path() -> Path:
    """Where the history of this person's searches is, as the XDG base directories say."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "sightline" / "history"


def read_lines(backend: Backend, prompt: str = "> ") -> Iterator[str]:
    """What the person types, a search at a time, until Ctrl-D."""
    keys = KeyBindings()
    unfinished = Condition(lambda: is_unfinished(session.default_buffer.document.text))

    @keys.add("enter", filter=unfinished)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    session: PromptSession[str] = PromptSession(
        [("class:prompt", prompt)],
        style=STYLE,
        lexer=SplLexer(),
        completer=SplCompleter(backend),
        complete_while_typing=False,
        history=history_of(history_path()),
        enable_history_search=False,
        key_bindings=keys,
        prompt_continuation=lambda width, line, wrapped: " " * width,
        multiline=False,
    )
    while True:
        try:
            yield session.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
