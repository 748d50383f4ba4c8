"""The file of rules: what is wrong is said with line and key, and nothing of a wrong file is in force."""

import pytest

from sightline.config import RuleSettings
from sightline.errors import UserError
from sightline.sourcetypes import FollowedRules, builtin_rules, patterns, read_rules
from sightline.sourcetypes.times import FormatProblem, read_format


def body(text):
    """A file whose third line begins what is given for the sourcetype `app`."""
    return "sourcetypes:\n  app:\n" + "\n".join("    " + line for line in text.split("\n")) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("evnts: {}", "line 3: sourcetypes.app.evnts: unknown key, wanted one of: like, description"),
        ("events: {begin: '^a', end: 'b'}", 'line 3: sourcetypes.app.events.end: there is "begin" as well'),
        ("events:\n  begin: '(?=x)'", 'line 4: sourcetypes.app.events.begin: look-ahead "(?=" is not supported'),
        ("events: {form: xml}", 'wanted one of line, whole, json, csv, tsv, w3c, container, got "xml"'),
        ("events: {max_lines: 0}", 'wanted a whole number from 1 to 100,000, got "0"'),
        ("events: {split: 'a|(b)'}", "the first group says what lies between two events"),
        ("events: [a]", "sourcetypes.app.events: wanted an object with some of begin, continue"),
        ("time: {format: '%Y-%Q-%d'}", '"%Y-%Q-%d" has a day but no month'),
        ("time: {format: '%G'}", 'sourcetypes.app.time.format: unknown "%G", wanted one of: %A'),
        ("time: {zone: Rome}", 'unknown time zone "Rome", wanted a name such as Europe/Rome'),
        ("time: {within: 901}", "wanted a whole number from 1 to 900"),
        ("time: {received: true, zone: UTC}", "with received: true there is nothing else to say"),
        ("time: {field: ts, after: x}", "a time in a field is all of the field"),
        ("mask: {match: '(a)', with: '\\2'}", '"\\2" names a group, but the pattern has 1'),
        ("mask: {match: 'a', with: '\\n'}", 'a backslash wants the number of a group or another backslash, got "\\n"'),
        ("mask: {with: 'x'}", "sourcetypes.app.mask: wanted a match"),
        ("drop: [{name: x}]", "sourcetypes.app.drop[0]: wanted one of match and unless"),
        ("drop: [{match: a, unless: b}]", "wanted one of match and unless"),
        (
            "drop: {match: a, in: 'a..b'}",
            'sourcetypes.app.drop.in: wanted text, host, source, or the name of a field, got "a..b"',
        ),
        ("route: {match: a}", "sourcetypes.app.route: wanted an index"),
        ("route: {match: a, index: 'A b'}", "an index name wants lower case letters"),
        ("set: {match: a}", "wanted one of host, source, sourcetype"),
        ("fields: 'no (group) has a name'", "a field wants a group with a name"),
        ("fields: {match: '(a)(b)', names: [x]}", "1 names for 2 groups"),
        ("fields: {separator: ab}", 'wanted one character, "tab" or "space", got "ab"'),
        ("like: log4", 'no rules for "log4", wanted one of: _json, access_combined'),
        ("charset: klingon", 'unknown character set "klingon", wanted one of: UTF-8'),
        ("drop: 'a++'", 'a possessive "++" is not supported'),
        ("drop: '(a)\\1'", 'a back-reference "\\1" is not supported'),
        ("drop: a\ndrop: b", "line 4: sourcetypes.app.drop: the key is there twice"),
        ('drop: "\\d"', "line 3: not valid YAML: found unknown escape character 'd'"),
        ("drop: [a", "line 4: not valid YAML"),
        ("fields: [" + ", ".join(["'(?<a>b)'"] * 51) + "]", "51 steps are more than the 50"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, message):
    with pytest.raises(UserError) as caught:
        read_rules(body(text))
    assert message in str(caught.value)
    assert str(caught.value).startswith("sourcetypes.yml, line ")


def test_hints_lead_to_what_was_meant():
    with pytest.raises(UserError) as caught:
        read_rules(body("like: log4"))
    assert caught.value.hint == 'did you mean "log4j"?'
    with pytest.raises(UserError) as caught:
        read_rules(body('drop: "\\d"'))
    assert "single quotes" in caught.value.hint


def test_like_takes_over_what_is_not_said_and_may_not_go_in_a_circle():
    rules = read_rules("sourcetypes:\n  b: {like: a, time: {zone: Europe/Rome}}\n  a: {like: log4j, drop: x}\n")
    found = rules.find("b")
    assert found.breaking == rules.find("log4j").breaking
    assert (found.timing.zone, found.drops[0].condition.pattern, found.origin) == (
        "Europe/Rome",
        "x",
        "sourcetypes.yml, line 2",
    )
    with pytest.raises(UserError, match="goes in a circle: a -> b -> a"):
        read_rules("sourcetypes:\n  a: {like: b}\n  b: {like: a}\n")
    own = read_rules("sourcetypes:\n  log4j: {like: log4j, drop: x}\n").find("log4j")
    assert own.breaking.begin and own.drops


def test_rules_whose_patterns_fit_add_their_steps_to_the_rule_of_the_name():
    rules = read_rules(
        "sourcetypes:\n  'app:*': {drop: a, events: {form: whole}}\n  '*': {drop: b, time: {zone: Europe/Rome}}\n"
        "  app:x: {drop: c, events: {form: line}}\n"
    )
    found = {
        name: ([d.condition.pattern for d in rule.drops], rule.breaking.form, rule.timing.zone)
        for name in ("app:x", "app:y", "other", "csv")
        if (rule := rules.find(name))
    }
    assert found == {
        "app:x": (["c", "a", "b"], "line", "Europe/Rome"),
        "app:y": (["a", "b"], "whole", "Europe/Rome"),
        "other": (["b"], "", "Europe/Rome"),
        "csv": (["b"], "csv", "Europe/Rome"),
    }
    assert read_rules("").find("csv").origin == "built in"
    assert read_rules("").find("other") is None
    assert read_rules("").find("syslog") is not None
    assert read_rules("").find("syslog", is_text=False) is None


def test_a_file_is_bounded():
    with pytest.raises(UserError, match="2 sourcetypes are more than the 1 allowed"):
        read_rules("sourcetypes: {a: {}, b: {}}", settings=RuleSettings(max_sourcetypes=1))
    with pytest.raises(UserError, match="has more than 10 characters"):
        read_rules("sourcetypes: {}", settings=RuleSettings(max_file_bytes=10))


def test_the_engine_has_the_last_word_about_a_pattern():
    with pytest.raises(UserError, match=r"line 3: sourcetypes\.app\.drop: no good"):
        read_rules(body("drop: 'x'"), check=lambda pattern: "no good" if pattern == "x" else "")


def test_built_in_rules_say_what_they_are_for():
    assert [rule.name for rule in builtin_rules() if not rule.description] == []
    assert all(rule.origin == "built in" for rule in builtin_rules())


# ---- following the file


def test_a_change_is_followed_and_a_wrong_version_leaves_the_one_before(tmp_path):
    file = tmp_path / "sourcetypes.yml"
    told = []
    rules = FollowedRules(tmp_path, read_rules, told.append)
    assert rules.current().find("app") is None
    file.write_text("sourcetypes: {app: {drop: a}}")
    assert rules.current().find("app").drops
    file.write_text("sourcetypes: {app: {drop: '(?=a)'}}")
    assert rules.current().find("app").drops[0].condition.pattern == "a"
    assert "look-ahead" in rules.problem
    assert told == [rules.problem]
    again = FollowedRules(tmp_path, read_rules)
    assert again.current().find("app").drops[0].condition.pattern == "a"
    assert "look-ahead" in again.problem
    file.write_text("sourcetypes: {app: {drop: bb}}")
    assert again.current().find("app").drops[0].condition.pattern == "bb"
    assert again.problem == ""
    file.unlink()
    assert again.current().find("app") is None


def test_a_wrong_file_with_nothing_good_before_it_is_refused(tmp_path):
    (tmp_path / "sourcetypes.yml").write_text("sourcetypes: {app: {dorp: a}}")
    with pytest.raises(UserError, match=r'line 1: sourcetypes\.app\.dorp: unknown key.*did you mean "drop"'):
        FollowedRules(tmp_path, read_rules)


# ---- patterns and formats


def test_groups_are_found_and_taken_away():
    assert patterns.groups(r"(?<a>x)(?P<b>[(]y)(?:z)(\(w)\Q(\E(?i)") == ("a", "b", "")
    assert patterns.without_groups(r"(?<a>x)([(]y)\(") == r"(?:x)(?:[(]y)\("
    assert patterns.around_first_group(r"a+([\r\n]+)(\d)") == ("a+", r"(?:[\r\n]+)", r"(?:\d)")
    assert patterns.around_first_group("(?:(a))") is None
    assert patterns.around_first_group("(a)*") is None


@pytest.mark.parametrize("pattern", ["(?!x)", "(?<=x)", "(?<!x)", "(?>x)", r"\1", "x*+", "x?+", "(?P=a)", "(?R)", r"\K"])
def test_what_re2_does_not_have_is_named(pattern):
    assert patterns.foreign(pattern)


@pytest.mark.parametrize("pattern", [r"[(?=]", r"\(?=", r"[*+]", r"\\1", r"[[:alpha:]+]+", r"\Q(?=\E", r"a{2}\+"])
def test_what_only_looks_like_it_is_not(pattern):
    assert not patterns.foreign(pattern)


def test_formats_are_read_into_parts():
    read = read_format("%d/%b/%Y:%T.%3N %z")
    assert read.parts == ("day", "month_name", "year", "hour", "minute", "second", "fraction", "zone")
    assert read_format("%s%3N").pattern == r"(\d{10})(\d{3})"
    for wrong in ("", "%", "%I:%M", "%j", "%s %Y", "%Y %Y", "x", "%d %H"):
        with pytest.raises(FormatProblem):
            read_format(wrong)
