"""Functions that choose between values, and conditions on values."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING

from sightline.errors import LanguageError, SearchError, Span
from sightline.search.functions.arguments import any_text, condition
from sightline.search.planner import lower as planner
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import function
from sightline.search.syntax import tree
from sightline.search.syntax.predicates import read_predicate

if TYPE_CHECKING:
    from sightline.search.context import Context
    from sightline.search.planner.relation import Relation


@function("if", minimum=3, maximum=3)
def if_(arguments: list[Value], context: Context) -> Value:
    """One value where a condition is true, another one where it is false or NULL.

    Syntax: if(<condition>, <value>, <value>)
    Example: index=web | eval slow=if(duration_ms>1000, "yes", "no")
    """
    test, then, otherwise = arguments
    return v.choose(condition(test, "if"), then, otherwise)


@function("case", minimum=2, maximum=None)
def case(arguments: list[Value], context: Context) -> Value:
    """The value behind the first condition that is true; NULL when none is.

    Syntax: case(<condition>, <value>, ...)
    Example: index=web | eval class=case(status>=500, "error", status>=400, "client", true(), "ok")

    A value that stands alone at the end is the one when no condition is true; a number that stands for a condition is true
    unless it is 0. A warning says that Splunk refuses either.
    """
    if len(arguments) % 2 and arguments[-1].type is not Type.BOOL:
        context.tell_leniency(
            "case takes pairs of a condition and a value; the value alone at its end holds where no condition does"
        )
        arguments = [*arguments[:-1], v.TRUE, arguments[-1]]
    return _first_of_pairs("case", arguments, lambda test: condition(_truth_of_number(test, context), "case"))


def _truth_of_number(test: Value, context: Context) -> Value:
    """A number that is written where a condition of `case` stands as one; what is computed stays, for `condition` to refuse."""
    if not isinstance(test, Literal) or test.type not in (Type.INT, Type.FLOAT):
        return test
    always = "always" if test.value else "never"
    context.tell_leniency(f"case wants conditions; the number {test.value:g} in the place of one {always} holds")
    return v.TRUE if test.value else v.FALSE


@function("validate", minimum=2, maximum=None)
def validate(arguments: list[Value], context: Context) -> Value:
    """The value behind the first condition that is not true; NULL when all are.

    Syntax: validate(<condition>, <value>, ...)
    Example: index=web | eval problem=validate(isint(port), "no number", port<65536, "too large")
    """
    return _first_of_pairs("validate", arguments, lambda test: v.negation(v.is_true(condition(test, "validate"))))


def _first_of_pairs(name: str, arguments: list[Value], test_of: Callable[[Value], Value]) -> Value:
    if len(arguments) % 2:
        raise LanguageError(f"{name} takes pairs of a condition and a value, got {len(arguments)} arguments")
    tests = [test_of(test) for test in arguments[::2]]
    results = arguments[1::2]
    type = v.common_type([r.type for r in results])
    if type is Type.NULL:
        return v.NULL
    branches = [x for test, result in zip(tests, results, strict=True) for x in (v.is_true(test), v.cast(result, type))]
    return v.call("multiIf", *branches, v.cast(v.NULL, type), type=type)


@function("coalesce", "ifnull", minimum=1, maximum=None)
def coalesce(arguments: list[Value], context: Context) -> Value:
    """The first value that is not NULL.

    Syntax: coalesce(<value>, ...)
    Example: index=web | eval who=coalesce(user, client_ip, "nobody")

    Empty text is a value. The name `ifnull` means the same.
    """
    given = [a for a in arguments if a.type is not Type.NULL]
    if not given:
        return v.NULL
    type = v.common_type([a.type for a in given])
    same = [v.cast(a, type) for a in given]
    if len(same) == 1:
        return same[0]
    if type is not Type.MULTI:
        return v.call("coalesce", *same, type=type)
    tests = [x for value in same[:-1] for x in (v.is_present(value), value)]
    return v.call("multiIf", *tests, same[-1], type=type)


@function("null", minimum=0, maximum=0)
def null(arguments: list[Value], context: Context) -> Value:
    """No value; assigned to a field it removes the field.

    Syntax: null()
    Example: index=web | eval size=if(status=200, bytes, null())
    """
    return v.NULL


@function("nullif", minimum=2, maximum=2)
def nullif(arguments: list[Value], context: Context) -> Value:
    """The first value, or NULL where it equals the second.

    Syntax: nullif(<value>, <value>)
    Example: index=web | eval user=nullif(user, "-")
    """
    value, other = arguments
    if value.type is Type.NULL:
        return v.NULL
    return v.choose(v.compare("=", value, other), v.cast(v.NULL, value.type), value)


@function("true", minimum=0, maximum=0)
def true(arguments: list[Value], context: Context) -> Value:
    """The condition that is always true.

    Syntax: true()
    Example: index=web | eval level=case(status>=500, "bad", true(), "good")
    """
    return v.TRUE


@function("false", minimum=0, maximum=0)
def false(arguments: list[Value], context: Context) -> Value:
    """The condition that is never true.

    Syntax: false()
    Example: | makeresults | eval a=if(false(), 1, 0)
    """
    return v.FALSE


@function("match", minimum=2, maximum=2)
def match(arguments: list[Value], context: Context) -> Value:
    """Whether a regular expression matches anywhere in a text.

    Syntax: match(<text>, <regex>)
    Example: index=web | where match(uri, "^/api/v[0-9]+/")

    The case of letters counts unless the expression begins with `(?i)`; `.` stops at the end of a line. Of a multivalue
    any value may match. Look-around and back-references work, row by row and so more slowly.
    """
    value, pattern = arguments
    if pattern.type is Type.NULL or value.type is Type.NULL:
        return Literal(Type.BOOL, None)
    if not isinstance(pattern, Literal):
        text = v.as_text(pattern)
        return any_text(value, lambda item: regexes.matches_any(item, text))
    written = str(v.as_text(pattern).value)  # type: ignore[attr-defined]
    if regexes.closes_too_much(written):
        context.tell_leniency(
            f'the pattern "{written}" closes a parenthesis that it does not open; its last one is left out'
        )
        written = written[:-1]
    return any_text(value, lambda item: regexes.matches(item, written))


@function("like", minimum=2, maximum=2)
def like(arguments: list[Value], context: Context) -> Value:
    """Whether a whole text matches a pattern in which `%` is any text and `_` any character.

    Syntax: like(<text>, <pattern>) | <text> LIKE <pattern>
    Example: index=web | where like(uri, "/api/%")

    The case of letters counts. Of a multivalue any value may match.
    """
    return planner.like(*arguments)


@function("in", minimum=2, maximum=None)
def in_(arguments: list[Value], context: Context) -> Value:
    """Whether a value equals any of the others.

    Syntax: in(<value>, <choice>, ...) | <value> IN (<choice>, ...)
    Example: index=web | where in(status, 404, 410)
    """
    return planner.membership(arguments[0], arguments[1:])


@function("cidrmatch", minimum=2, maximum=2)
def cidrmatch(arguments: list[Value], context: Context) -> Value:
    """Whether an IP address, version 4 or 6, lies in a network.

    Syntax: cidrmatch(<network>, <address>)
    Example: index=web | where cidrmatch("10.0.0.0/8", client_ip)

    Text that is no address lies in no network. Of a multivalue any value may.
    """
    network, address = arguments
    if Type.NULL in (network.type, address.type):
        return Literal(Type.BOOL, None)
    if isinstance(network, Literal):
        given = str(v.as_text(network).value)  # type: ignore[attr-defined]
        try:
            network = v.text(str(ipaddress.ip_network(given.strip(), strict=False)))
        except ValueError:
            raise SearchError(f'cidrmatch wants a network such as 10.0.0.0/8, got "{given}"') from None
        usable: Value = v.TRUE
    else:
        network = v.as_text(network)
        shape = v.text(r"^(\d+\.\d+\.\d+\.\d+/([12]?\d|3[0-2])|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/(\d\d?|1[01]\d|12[0-8]))$")
        base = v.call("extract", network, v.text("^[^/]+"), type=Type.TEXT)
        usable = v.both([v.call("match", network, shape, type=Type.BOOL), v.is_address(base)])
        chosen = v.call("if", v.is_true(usable), network, v.text("0.0.0.0/32"), type=Type.TEXT)
        network = v.call("assumeNotNull", chosen, type=Type.TEXT)

    return any_text(address, lambda item: v.both([usable, v.is_in_network(item, network)]))


@function("searchmatch", raw=True)
def searchmatch(node: tree.FunctionCall, relation: Relation, context: Context) -> Value:
    """Whether a row matches the conditions of a search.

    Syntax: searchmatch("<conditions>")
    Example: index=web | eval bad=if(searchmatch("status>=500 OR timeout"), 1, 0)

    The conditions are those of the `search` command: values ignore case and may hold `*`, words are looked for in the raw
    text. They must be a constant text without subsearches and time bounds.
    """
    argument = node.arguments[0]
    if not isinstance(argument, tree.String):
        raise SearchError('searchmatch wants a constant text such as "status=404", got an expression', node.span)
    text = argument.value
    stage = tree.Stage("search", Span(0, 0), Span(0, len(text)), {}, text)
    try:
        return planner.lower_predicate(read_predicate(stage), relation, context)
    except SearchError as error:
        # Its place is one in the inner text.
        raise SearchError(f"searchmatch: {error.message}", argument.span, hint=error.hint) from None
