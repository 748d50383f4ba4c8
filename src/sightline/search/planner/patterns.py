"""What a PCRE pattern asks for, and how much of it the engine's own matcher can answer.

Enters: a pattern that PCRE has accepted. Leaves: a `Translation`: the engine's spelling of the same pattern where there is
one, the cases in which the two would differ, and otherwise a looser pattern that sorts out most texts before PCRE sees them.

The engine matches in linear time, so it knows no look-around, no back-references and no atomic groups. Where both know
something, they do not always mean the same; each difference is written down where it is dealt with. The tests run both
matchers on random patterns and texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

MOST_REPEATS = 1000
"""The engine refuses larger counts, also as the product of nested ones."""
MOST_INSTRUCTIONS = 30_000
"""Estimated size of the engine's program above which PCRE is asked instead: a refusal would stop the search."""
ANYTHING = "(?s:.*)"


@dataclass(frozen=True)
class Translation:
    """A pattern as the engine reads it."""

    fast: str | None = None
    """The pattern that means the same to the engine, with the same groups; None where only PCRE will do."""
    first_only: bool = False
    """`fast` finds the same first match, but may take more text with it, so that the next match is another."""
    line_end: bool = False
    """The two differ for a text that ends with a line feed, before which `$` also matches."""
    empty: bool = False
    """The pattern may match without taking text: where the next match begins is then told differently."""
    tests: tuple[tuple[str, bool], ...] = ()
    """Patterns of the engine that the text must match (True) or must not match besides `fast`."""
    superset: str | None = None
    """A pattern of the engine that matches wherever this one does, None where that is everywhere or not known."""


@lru_cache(maxsize=1000)
def translate(pattern: str) -> Translation:
    """The translation of a pattern. PCRE must have accepted it."""
    try:
        reader = _Reader(pattern)
        body = reader.alternatives()
    except (_Unknown, RecursionError):
        return Translation()
    if _size(body) > MOST_INSTRUCTIONS:
        return Translation()
    superset = None if _all_empty(body) else _with_flags(_Writer(exact=False).body(body))
    try:
        return _exact(body, superset)
    except _Inexact:
        return Translation(superset=superset)


class _Unknown(Exception):
    """A construct that is not understood well enough to say anything about the pattern."""


class _Inexact(Exception):
    """The engine cannot do the same."""


# ---- nodes -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Atom:
    """Something of fixed width: a character, a class, or an anchor (width 0), as the engine writes it."""

    text: str
    width: int = 1
    size: int = 1
    anchor: str = ""
    """start, end, line or word for an anchor; `end` is `$`, which the last line feed does not hide."""


@dataclass(frozen=True)
class _Flags:
    """`(?i)` in the middle of a sequence."""

    text: str


@dataclass(frozen=True)
class _Slow:
    """What only PCRE can do; `superset` matches whatever it may take."""

    superset: str = ANYTHING


@dataclass(frozen=True)
class _Group:
    opening: str
    body: tuple[tuple[_Node, ...], ...]
    name: str | None = None
    """The name of a capturing group, "" for one without a name, None for a group that captures nothing."""


@dataclass(frozen=True)
class _Look:
    ahead: bool
    negative: bool
    body: tuple[tuple[_Node, ...], ...]


@dataclass(frozen=True)
class _Atomic:
    body: tuple[tuple[_Node, ...], ...]


@dataclass(frozen=True)
class _Repeat:
    node: _Node
    low: int
    high: int | None
    text: str
    possessive: bool = False


_Node = _Atom | _Flags | _Slow | _Group | _Look | _Atomic | _Repeat
_Body = Sequence[Sequence[_Node]]


# ---- reading ---------------------------------------------------------------------------------------------------------

_SPACE = r"\t-\r "
"""`\\s` of PCRE; the engine's leaves the vertical tab out."""
_HORIZONTAL = "\\t \\x{a0}\\x{1680}\\x{180e}\\x{2000}-\\x{200a}\\x{202f}\\x{205f}\\x{3000}"
_VERTICAL = "\\n-\\r\\x{85}\\x{2028}\\x{2029}"
_SETS = {"s": (_SPACE, 1), "h": (_HORIZONTAL, 8), "v": (_VERTICAL, 6), "d": (r"\d", 1), "w": (r"\w", 2)}
_CONTROLS = {"a": 7, "e": 27, "f": 12, "n": 10, "r": 13, "t": 9}
_QUANTIFIER = re.compile(r"([*+?])|\{\s*(\d*)\s*(,?)\s*(\d*)\s*\}")
_POSIX = re.compile(r"\[:\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]")
_NAMED = re.compile(r"P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)'")
_FLAGS = re.compile(r"([imsxU]*)(?:-([imsxU]*))?([:)])")
_HARMLESS_VERBS = re.compile(r"\(\*(?:SKIP|PRUNE|THEN|COMMIT|MARK|FAIL|F)?(?::[^)]*)?\)")


def _inverse(text: str) -> str:
    """A set of the engine's turned around, for use inside of another set."""
    points: list[tuple[int, int]] = []
    for low, high in re.findall(r"(\\x\{\w+\}|\\[tnr]|.)(?:-(\\x\{\w+\}|\\[tnr]|.))?", text):
        points.append((_code(low), _code(high) if high else _code(low)))
    out, start = "", 0
    for low, high in sorted(points):
        if low > start:
            out += f"{_class_escaped(start)}-{_class_escaped(low - 1)}"
        start = high + 1
    return out + f"{_class_escaped(start)}-\\x{{10ffff}}"


def _code(text: str) -> int:
    if text.startswith("\\x{"):
        return int(text[3:-1], 16)
    return _CONTROLS[text[1]] if text.startswith("\\") else ord(text)


def _escaped(code: int) -> str:
    """A character as the engine reads it anywhere."""
    c = chr(code)
    if c.isascii() and (c.isalnum() or c in " _-=,:;/@%&!~<>#'\""):
        return c
    return c if code > 159 else f"\\x{{{code:x}}}"


@dataclass
class _Reader:
    """A cursor over a pattern; methods are named after what they read."""

    pattern: str
    position: int = 0
    flags: frozenset[str] = frozenset()
    quoted: str = field(default="", init=False)

    def peek(self, size: int = 1) -> str:
        return self.pattern[self.position : self.position + size]

    def take(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.position)
        if found:
            self.position += len(text)
        return found

    def upto(self, text: str) -> str:
        end = self.pattern.find(text, self.position)
        if end < 0:
            raise _Unknown
        found = self.pattern[self.position : end]
        self.position = end + len(text)
        return found

    # -- sequences

    def alternatives(self) -> tuple[tuple[_Node, ...], ...]:
        """Branches up to a closing parenthesis or the end."""
        branches: list[tuple[_Node, ...]] = []
        sequence: list[_Node] = []
        while True:
            self.skip()
            if not self.quoted and (not self.peek() or self.peek() == ")"):
                branches.append(tuple(sequence))
                return tuple(branches)
            if not self.quoted and self.take("|"):
                branches.append(tuple(sequence))
                sequence = []
                continue
            node = self.atom()
            if node is not None:
                sequence.append(self.quantified(node))

    def skip(self) -> None:
        """Pass over what free spacing and comments leave out."""
        while not self.quoted:
            if self.take("(?#"):
                self.upto(")")
            elif self.take("\\Q\\E") or self.take("\\E"):
                pass
            elif "x" in self.flags and self.peek() in tuple(" \t\n\v\f\r"):
                self.position += 1
            elif "x" in self.flags and self.take("#"):
                end = self.pattern.find("\n", self.position)
                self.position = len(self.pattern) if end < 0 else end + 1
            else:
                return

    def quantified(self, node: _Node) -> _Node:
        while True:
            self.skip()
            match = None if self.quoted else _QUANTIFIER.match(self.pattern, self.position)
            if match is None or (match[1] is None and not (match[2] or match[4])):
                return node
            if isinstance(node, _Flags | _Look) or (isinstance(node, _Atom) and node.anchor):
                raise _Unknown
            self.position = match.end()
            low, high, text = self.counts(match)
            self.skip()
            possessive = self.take("+")
            if not possessive and self.take("?"):
                text += "?"
            node = _Repeat(node, low, high, text, possessive)

    @staticmethod
    def counts(match: re.Match[str]) -> tuple[int, int | None, str]:
        if match[1]:
            return {"*": (0, None, "*"), "+": (1, None, "+"), "?": (0, 1, "?")}[match[1]]
        low = int(match[2] or 0)
        high = low if not match[3] else int(match[4]) if match[4] else None
        return low, high, f"{{{low}}}" if high == low else f"{{{low},{'' if high is None else high}}}"

    def atom(self) -> _Node | None:
        if self.quoted:
            c, self.quoted = self.quoted[0], self.quoted[1:]
            return _Atom(_escaped(ord(c)))
        c = self.peek()
        self.position += 1
        if c == "\\":
            return self.escape()
        if c == "[":
            return self.characters()
        if c == "(":
            return self.group()
        if c == ".":
            return _Atom(".", size=6)
        if c == "^":
            return _Atom("^", 0, anchor="line" if "m" in self.flags else "start")
        if c == "$":
            return _Atom("$", 0, anchor="" if "m" in self.flags else "end")
        return _Atom(_escaped(ord(c)))

    # -- escapes

    def escape(self) -> _Node | None:
        c = self.peek()
        self.position += 1
        if c == "Q":
            end = self.pattern.find("\\E", self.position)
            self.quoted = self.pattern[self.position : end if end >= 0 else None]
            self.position = len(self.pattern) if end < 0 else end + 2
            return None
        if c.lower() in _SETS:
            text, size = _SETS[c.lower()]
            if len(text) == 2:
                return _Atom(self.cased(f"\\{c}") if c in "wW" else f"\\{c}", size=size)
            return _Atom(f"[{'^' if c.isupper() else ''}{text}]", size=size)
        if c == "N" and self.peek() != "{":
            return _Atom(r"[^\n]", size=6)
        if c in ("b", "B"):
            return _Atom(f"\\{c}", 0, anchor="word")
        if c == "A":
            return _Atom(r"\A", 0, anchor="start")
        if c == "z":
            return _Atom(r"\z", 0, anchor="last")
        if c == "Z":
            return _Atom("$" if "m" not in self.flags else r"\z", 0, anchor="end")
        if c in ("K", "G"):
            return _Slow("")
        if c == "R":
            return _Slow(rf"(?:\r\n|[{_VERTICAL}])")
        if c == "X":
            return _Slow("(?s:.)+")
        if c in ("p", "P"):
            self.property()
            return _Slow("(?s:.)")
        if c in ("g", "k") or c in "123456789":
            self.reference(c)
            return _Slow()
        return _Atom(_escaped(self.code(c)))

    def cased(self, text: str) -> str:
        """A set of ASCII that ignoring case does not widen: the engine would add the Kelvin sign and the long s."""
        return f"(?-i:{text})" if "i" in self.flags else text

    def code(self, c: str) -> int:
        """The character that an escape stands for, after its letter."""
        if c in _CONTROLS:
            return _CONTROLS[c]
        if c == "0":
            digits = re.compile(r"[0-7]{0,2}").match(self.pattern, self.position)
            assert digits is not None
            self.position = digits.end()
            return int(digits[0] or "0", 8)
        if c == "x":
            if self.take("{"):
                return int(self.upto("}").strip(), 16)
            digits = re.compile(r"[0-9a-fA-F]{0,2}").match(self.pattern, self.position)
            assert digits is not None
            self.position = digits.end()
            return int(digits[0] or "0", 16)
        if c.isalnum() or not c:
            raise _Unknown
        return ord(c)

    def property(self) -> None:
        if self.take("{"):
            self.upto("}")
        else:
            self.position += 1

    def reference(self, c: str) -> None:
        closing = {"{": "}", "<": ">", "'": "'"}.get(self.peek())
        if c in ("g", "k") and closing:
            self.position += 1
            self.upto(closing)
        elif c == "k":
            raise _Unknown
        else:
            # `\11` may be a back-reference or a character; either is something.
            digits = re.compile(r"[+-]?\d*").match(self.pattern, self.position)
            assert digits is not None
            self.position = digits.end()

    # -- classes

    def characters(self) -> _Node:
        """A class after its bracket."""
        out, size, slow, letters, words = "[", 0, False, False, False
        if self.take("^"):
            out += "^"
        first = True
        while first or self.peek() != "]":
            if not self.peek():
                raise _Unknown
            item = self.class_item()
            first = False
            if item is None:
                continue
            text, code = item
            slow = slow or text == "\\p" or ("i" in self.flags and text[:2] == "[:" and "er:" in text)
            words = words or text in ("\\w", "\\W") or text[:2] == "[:"
            letters = (
                letters or (code is None and len(text) > 2 and text[:2] != "[:") or (code is not None and _has_case(code))
            )
            if code is not None and self.peek() == "-" and self.peek(2) not in ("-]", "-"):
                saved = self.position
                self.position += 1
                other = self.class_item()
                if other is not None and other[1] is not None:
                    text += f"-{other[0]}"
                    letters = letters or other[1] - code > 25 or _has_case(other[1])
                else:
                    # Before a set the dash is itself.
                    self.position = saved
            out += text
            size += 2
        self.position += 1
        # Where letters stand beside such a set, ignoring case is wanted for them and not for the set.
        if slow or (words and letters and "i" in self.flags):
            return _Slow("(?s:.)")
        return _Atom(self.cased(out + "]") if words else out + "]", size=size + 8 * (out[1:2] == "^"))

    def class_item(self) -> tuple[str, int | None] | None:
        """One member of a class as the engine writes it, with its code where it is one character."""
        if self.peek(2) == "[:":
            match = _POSIX.match(self.pattern, self.position)
            if match is None:
                raise _Unknown
            self.position = match.end()
            return match[0], None
        c = self.peek()
        self.position += 1
        if c != "\\":
            return _class_escaped(ord(c)), ord(c)
        c = self.peek()
        self.position += 1
        if c in ("Q", "E"):
            if c == "E":
                return None
            quoted = self.upto("\\E")
            if not quoted:
                return None
            return "".join(_class_escaped(ord(x)) for x in quoted), None
        if c.lower() in _SETS:
            text, _ = _SETS[c.lower()]
            if len(text) == 2:
                return f"\\{c}", None
            return (_inverse(text) if c.isupper() else text), None
        if c in ("p", "P"):
            self.property()
            return "\\p", None
        if c == "b":
            return "\\x{8}", 8
        if c in "123456789":
            digits = re.compile(r"[0-7]{0,2}").match(self.pattern, self.position)
            if c in "89" or digits is None:
                raise _Unknown
            self.position = digits.end()
            code = int(c + digits[0], 8)
            return _class_escaped(code), code
        if c in ("N", "R", "X", "B"):
            raise _Unknown
        code = self.code(c)
        return _class_escaped(code), code

    # -- groups

    def group(self) -> _Node | None:
        """A group after its parenthesis."""
        if self.peek() == "*":
            match = _HARMLESS_VERBS.match(self.pattern, self.position - 1)
            if match is None:
                raise _Unknown
            self.position = match.end()
            return _Slow("")
        if not self.take("?"):
            return self.closed("(", "")
        named = _NAMED.match(self.pattern, self.position)
        if named:
            self.position = named.end()
            return self.closed("(", named[1] or named[2])
        for opening, ahead, negative in (("=", True, False), ("!", True, True), ("<=", False, False), ("<!", False, True)):
            if self.take(opening):
                return _Look(ahead, negative, self.inside())
        if self.take(">"):
            return _Atomic(self.inside())
        if self.take("|"):
            self.inside()
            return _Slow()
        if self.take("("):
            self.inside()
            self.inside()
            return _Slow()
        if re.compile(r"R|[+-]?\d|&|P>|P=").match(self.pattern, self.position):
            self.upto(")")
            return _Slow()
        match = _FLAGS.match(self.pattern, self.position)
        if match is None:
            raise _Unknown
        self.position = match.end()
        before = self.flags
        self.flags = (self.flags | set(match[1])) - set(match[2] or "")
        on, off = match[1].replace("x", ""), (match[2] or "").replace("x", "")
        text = on + (f"-{off}" if off else "")
        if match[3] == ")":
            return _Flags(f"(?{text})") if text else None
        body = self.inside(keep_flags=True)
        self.flags = before
        return _Group(f"(?{text}:", body)

    def inside(self, keep_flags: bool = False) -> tuple[tuple[_Node, ...], ...]:
        """The branches up to the closing parenthesis, which is taken. Flags set in them end there."""
        before = self.flags
        body = self.alternatives()
        if not self.take(")"):
            raise _Unknown
        if not keep_flags:
            self.flags = before
        return body

    def closed(self, opening: str, name: str | None) -> _Group:
        return _Group(opening, self.inside(), name)


def _has_case(code: int) -> bool:
    c = chr(code)
    return c.lower() != c.upper() or c in "\u212a\u017f"


def _class_escaped(code: int) -> str:
    c = chr(code)
    return c if c.isascii() and c.isalnum() or code > 159 else f"\\x{{{code:x}}}"


# ---- writing ---------------------------------------------------------------------------------------------------------


@dataclass
class _Writer:
    """Writes nodes in the engine's spelling: the same meaning, or with `exact` off something that matches more."""

    exact: bool
    line_end: bool = False
    repeats: int = 1

    def body(self, branches: _Body) -> str:
        return "|".join("".join(self.node(node) for node in branch) for branch in branches)

    def node(self, node: _Node) -> str:
        if isinstance(node, _Atom):
            return self.atom(node)
        if isinstance(node, _Flags):
            return node.text
        if isinstance(node, _Repeat):
            return self.repeat(node)
        if isinstance(node, _Group):
            # Groups go by number: where a name holds an underscore, the engine finds nothing.
            opening = node.opening if node.name is None else "(" if self.exact else "(?:"
            return f"{opening}{self.body(node.body)})"
        if self.exact:
            raise _Inexact
        if isinstance(node, _Atomic):
            return f"(?:{self.body(node.body)})"
        return node.superset if isinstance(node, _Slow) else ""

    def atom(self, node: _Atom) -> str:
        if node.anchor in ("end", "line"):
            self.line_end = True
        if node.anchor == "end":
            # To the engine this is the end of the text alone; the line feed behind it may be matched by what follows.
            return r"\z" if self.exact else ""
        return node.text

    def repeat(self, node: _Repeat) -> str:
        if self.exact and (node.possessive or (node.high != 1 and _empty(node.node))):
            # A group that took no text in its last round is told differently.
            raise _Inexact
        most = max(node.low, node.high or 0, 1)
        if self.repeats * most > MOST_REPEATS:
            if self.exact:
                raise _Inexact
            return ANYTHING
        self.repeats *= most
        inner = self.node(node.node)
        self.repeats //= most
        if not isinstance(node.node, _Atom | _Group):
            inner = f"(?:{inner})"
        elif len(inner) == 1 and not inner.isascii():
            # The engine looks for what must be there by bytes, and takes only the last one for repeated.
            inner = f"\\x{{{ord(inner):x}}}"
        return inner + node.text


def _with_flags(pattern: str) -> str:
    """The pattern for a matcher that lets a dot match the end of a line unless told."""
    return f"(?-s){pattern}" if "." in pattern else pattern


def _exact(body: _Body, superset: str | None) -> Translation:
    """The translation that means the same. Raises _Inexact."""
    first_only = False
    tests: list[tuple[str, bool]] = []
    writer = _Writer(exact=True)
    if len(body) == 1:
        rest, tests = _looks_at_start(body[0], writer)
        behind = _look_behind_at_start(rest)
        first_only = behind is not rest
        body = (behind,)
    branches: list[Sequence[_Node]] = []
    for branch in body:
        if branch and isinstance(branch[-1], _Look) and branch[-1].ahead and not branch[-1].negative:
            # What has to follow may as well be taken along, as long as nobody asks for the next match.
            branch = (*branch[:-1], _Group("(?:", branch[-1].body))
            first_only = True
        branches.append(branch)
    fast = writer.body(branches)
    return Translation(
        _with_flags(fast),
        first_only,
        writer.line_end,
        _all_empty(branches),
        tuple(tests),
        superset,
    )


def _looks_at_start(branch: Sequence[_Node], writer: _Writer) -> tuple[Sequence[_Node], list[tuple[str, bool]]]:
    """The branch without the look-aheads right behind `^`, and what these ask for as patterns of the whole text."""
    start = next((n for n, node in enumerate(branch) if not isinstance(node, _Flags)), len(branch))
    if start >= len(branch) or not isinstance(branch[start], _Atom) or branch[start].anchor != "start":  # type: ignore[union-attr]
        return branch, []
    flags = branch[:start]
    end = start + 1
    tests: list[tuple[str, bool]] = []
    while end < len(branch):
        look = branch[end]
        if not isinstance(look, _Look) or not look.ahead or _captures(look.body):
            break
        body = "".join(writer.node(flag) for flag in flags) + f"\\A(?:{writer.body(look.body)})"
        tests.append((_with_flags(body), not look.negative))
        end += 1
    return (*branch[: start + 1], *branch[end:]), tests


def _look_behind_at_start(branch: Sequence[_Node]) -> Sequence[_Node]:
    """The branch with a look-behind of fixed width at its start taken along, so that the leftmost match stays so."""
    start = next((n for n, node in enumerate(branch) if not isinstance(node, _Flags)), len(branch))
    look = branch[start] if start < len(branch) else None
    if not isinstance(look, _Look) or look.ahead or look.negative or _captures(look.body):
        return branch
    if len({_width(inner) for inner in look.body}) != 1 or not _width(look.body[0]):
        return branch
    return (*branch[:start], _Group("(?:", look.body), *branch[start + 1 :])


def _captures(body: _Body) -> bool:
    return any(
        isinstance(node, _Group)
        and (node.name is not None or _captures(node.body))
        or isinstance(node, _Look | _Atomic)
        and _captures(node.body)
        or isinstance(node, _Repeat)
        and _captures(((node.node,),))
        for branch in body
        for node in branch
    )


def _width(sequence: Sequence[_Node]) -> int | None:
    """How many characters a sequence takes, None where that differs."""
    total = 0
    for node in sequence:
        if isinstance(node, _Atom):
            total += node.width
        elif isinstance(node, _Group):
            widths = {_width(branch) for branch in node.body}
            width = widths.pop() if len(widths) == 1 else None
            if width is None:
                return None
            total += width
        elif isinstance(node, _Repeat):
            width = _width((node.node,))
            if width is None or node.low != node.high:
                return None
            total += width * node.low
        elif not isinstance(node, _Flags):
            return None
    return total


def _all_empty(body: _Body) -> bool:
    """Whether some branch may match without taking text."""
    return any(all(_empty(node) for node in branch) for branch in body)


def _empty(node: _Node) -> bool:
    if isinstance(node, _Atom):
        return node.width == 0
    if isinstance(node, _Group | _Atomic):
        return _all_empty(node.body)
    if isinstance(node, _Repeat):
        return node.low == 0 or _empty(node.node)
    if isinstance(node, _Slow):
        return node.superset in ("", ANYTHING)
    return True


def _size(body: _Body) -> int:
    total = 0
    for branch in body:
        for node in branch:
            if isinstance(node, _Atom):
                total += node.size
            elif isinstance(node, _Group | _Atomic | _Look):
                total += 2 + _size(node.body)
            elif isinstance(node, _Repeat):
                total += _size(((node.node,),)) * max(node.low, node.high or 0, 1)
    return total
