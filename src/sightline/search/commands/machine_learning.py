"""`fit`, `apply`, `score`, `summary`, `listmodels`, `deletemodel`, `sample`: models as part of the language.

Each reads its arguments, hands an Arrow table to `ml`, and puts the table that comes back in place of the rows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sightline import ml
from sightline.errors import SearchError, UserError
from sightline.search.context import Context
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name
from sightline.search.syntax.expressions import quote_string, shown


@dataclass
class _Clauses:
    """What stands between a command's name and its end: free options, names, and clauses given once each."""

    options: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    clauses: dict[str, Any] = field(default_factory=dict)


def _read_clauses(arguments: Arguments, words: tuple[str, ...], separators: tuple[str, ...] = ()) -> _Clauses:
    """Options, names and clauses in any order. A separator word (`from`, `~`, `against`) splits the names."""
    found = _Clauses()
    while not arguments.done:
        token = arguments.peek()
        if token.is_(","):
            arguments.next()
        elif token.kind == "word" and arguments.peek(1).is_("="):
            arguments.position += 2
            value = arguments.next()
            if value.kind not in ("word", "string", "quoted"):
                raise SearchError(f"{token.text} wants a value, got {shown(value)}", value.span)
            if token.text in found.options:
                raise SearchError(f'"{token.text}" is given twice', token.span)
            text = value.text
            if value.kind == "word" and arguments.peek().is_("(") and arguments.peek().glued:
                text += arguments.parenthesised_text()
            found.options[token.text] = text
        elif token.is_word(*separators):
            arguments.next()
            if "split" in found.clauses:
                raise SearchError(f'"{token.text}" is given twice', token.span)
            found.clauses["split"] = len(found.names)
        elif token.is_word(*words):
            arguments.next()
            word = token.text.lower()
            if word in found.clauses:
                raise SearchError(f'"{word}" is given twice', token.span)
            if word == "by":
                found.clauses[word] = [n.strip() for n in arguments.name("a field name after by").split(",") if n.strip()]
                while arguments.accept(","):
                    found.clauses[word].append(arguments.name("a field name after by"))
            else:
                found.clauses[word] = arguments.name(f"a name after {word}")
        else:
            found.names.append(arguments.name())
    return found


def _print_clauses(options: dict[str, str]) -> list[str]:
    return [f"{name}={quote_string(value)}" for name, value in options.items()]


@command("fit", kind="dataset")
@dataclass
class Fit(Command):
    """Trains a model on the rows and adds what it says of each of them.

    Syntax: fit <algorithm> [<option>=<value>]... [<target> from] <feature>... [by <fields>] [as <name>] [into [app:]<model>]
    Example: index=wine partition="train" | fit RandomForestClassifier user from alcohol* color into usermodel

    Rows that lack a used field are not trained on and keep an empty prediction. Text features become one column per value,
    named `field=value`; a text feature with more than 100 values is left out with a warning. `into` keeps the model, as a
    new version if there is one of that name. `kfold_cv=<n>` gives a row of scores per fold instead.
    """

    algorithm: str = ""
    options: dict[str, str] = field(default_factory=dict)
    target: str | None = None
    features: list[str] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    output_name: str = ""
    model: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> Fit:
        name = arguments.peek()
        algorithm = arguments.name("an algorithm")
        found = _read_clauses(arguments, ("by", "as", "into"), ("from", "~"))
        target, features = None, found.names
        if "split" in found.clauses:
            targets, features = found.names[: found.clauses["split"]], found.names[found.clauses["split"] :]
            if len(targets) != 1:
                raise SearchError(f"one target is wanted before from, got {len(targets)}", name.span)
            target = targets[0]
        fit = cls(
            algorithm, found.options, target, features, found.clauses.get("by", []), found.clauses.get("as", ""),
            found.clauses.get("into", ""),
        )  # fmt: skip
        try:
            ml.check_fit(fit.request())
        except UserError as error:
            raise SearchError(error.message, name.span, hint=error.hint) from None
        return fit

    def request(self) -> ml.FitRequest:
        """The request as `ml` wants it."""
        namespace, name = ml.split_model_name(self.model) if self.model else ("", "")
        return ml.FitRequest(
            self.algorithm, self.options, self.target, self.features, self.by, self.output_name, name, namespace
        )

    def print_arguments(self) -> list[str]:
        parts = [print_name(self.algorithm), *_print_clauses(self.options)]
        if self.target is not None:
            parts += [print_name(self.target), "from"]
        parts += [print_name(n) for n in self.features]
        if self.by:
            parts += ["by", quote_string(",".join(self.by))]
        if self.output_name:
            parts += ["as", print_name(self.output_name)]
        return parts + (["into", self.model] if self.model else [])

    def lower(self, relation: Relation, context: Context) -> Relation:
        table = context.table_of(relation)

        def work() -> pa.Table:
            asking = ml.Context(context.user, context.app, context.search_text, context.now)
            result = ml.fit(table, self.request(), context.models, asking)
            for message in result.messages:
                context.warn(message)
            if result.model is not None and self.model:
                context.inform(f'model "{result.model.name}" was saved')
            return result.table

        kind = "table" if "kfold_cv" in self.options else relation.kind
        result = context.python_step(str(self), work)
        return relation if context.dry else context.relation_of(result, kind=kind)


@command("apply")
@dataclass
class Apply(Command):
    """Adds what a model says of each row.

    Syntax: apply [app:|user:]<model> [as <name>] [<option>=<value>]...
    Example: index=wine partition="test" | apply usermodel as predicted_user

    The field is `predicted(<target>)` unless `as` names it. Rows that lack a feature stay, with an empty prediction.
    A private model of the person comes before a shared one.
    """

    model: str = ""
    output_name: str = ""
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, arguments: Arguments) -> Apply:
        model = arguments.name("a model's name")
        found = _read_clauses(arguments, ("as",))
        if found.names:
            raise SearchError(f'"{found.names[0]}" is not expected here', arguments.stage.arguments)
        return cls(model, found.clauses.get("as", ""), found.options)

    def print_arguments(self) -> list[str]:
        name = ["as", print_name(self.output_name)] if self.output_name else []
        return [print_name(self.model), *name, *_print_clauses(self.options)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        namespace, name = ml.split_model_name(self.model)
        request = ml.ApplyRequest(name, self.output_name, self.options, namespace)
        applier = ml.load_applier(request, context.models, context.user, context.app)
        fields = None
        if context.needed_after is not None:
            wanted = {*applier.required_fields, *context.needed_after}
            fields = [name for name in relation.fields if name in wanted]
        table = context.table_of(relation, fields)

        def work() -> pa.Table:
            result = applier(table)
            for message in applier.messages:
                context.warn(message)
            return result

        result = context.python_step(str(self), work)
        return relation if context.dry else context.relation_of(result, kind=relation.kind)


@command("score", kind="transforming")
@dataclass
class Score(Command):
    """Compares predictions with the truth, or tests what rows look like, by a named method.

    Syntax: score <method> <actual>... [against <predicted>...] [<option>=<value>]...
    Example: index=wine | apply usermodel as predicted_user | score confusion_matrix user against predicted_user

    The rows are replaced by the scores. Rows that lack a value are left out, with a warning.
    """

    method: str = ""
    actual: list[str] = field(default_factory=list)
    predicted: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, arguments: Arguments) -> Score:
        name = arguments.peek()
        method = arguments.name("a scoring method")
        found = _read_clauses(arguments, (), ("against", "~"))
        split = found.clauses.get("split", len(found.names))
        score = cls(method, found.names[:split], found.names[split:], found.options)
        try:
            ml.check_score(score.request())
        except UserError as error:
            raise SearchError(error.message, name.span, hint=error.hint) from None
        return score

    def request(self) -> ml.ScoreRequest:
        """The request as `ml` wants it."""
        return ml.ScoreRequest(self.method, self.actual, self.predicted, self.options)

    def needs(self, after: frozenset[str] | None) -> frozenset[str] | None:
        names = self.request().required_fields
        return None if any("*" in name for name in names) else frozenset(names)

    def print_arguments(self) -> list[str]:
        against = ["against", *(print_name(n) for n in self.predicted)] if self.predicted else []
        return [self.method, *(print_name(n) for n in self.actual), *against, *_print_clauses(self.options)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = [n for pattern in self.request().required_fields for n in relation.matching(pattern, internal=True)]
        table = context.table_of(relation, list(dict.fromkeys(names)), ordered=False)

        def work() -> pa.Table:
            result, messages = ml.score(table, self.request())
            for message in messages:
                context.warn(message)
            return result

        return context.relation_of(context.python_step(str(self), work))


@command("summary", kind="generating")
@dataclass
class Summary(Command):
    """Shows what a model has learned, instead of the rows.

    Syntax: summary [app:|user:]<model>
    Example: | summary usermodel

    Which columns there are depends on the algorithm: `feature` and `importance` for forests, `feature` and `coefficient`
    for linear models.
    """

    model: str = ""
    options: dict[str, str] = field(default_factory=dict)
    anywhere = True

    @classmethod
    def read(cls, arguments: Arguments) -> Summary:
        model = arguments.name("a model's name")
        found = _read_clauses(arguments, ())
        if found.names:
            raise SearchError(f'"{found.names[0]}" is not expected here', arguments.stage.arguments)
        return cls(model, found.options)

    def needs(self, after: frozenset[str] | None) -> frozenset[str] | None:
        return frozenset()

    def print_arguments(self) -> list[str]:
        return [print_name(self.model), *_print_clauses(self.options)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        namespace, name = ml.split_model_name(self.model)

        def work() -> pa.Table:
            return ml.summary(context.models, name, context.user, namespace, self.options, app=context.app)

        return context.relation_of(context.python_step(str(self), work))


@command("listmodels", kind="generating")
@dataclass
class ListModels(Command):
    """Lists the models that the person may read.

    Syntax: listmodels
    Example: | listmodels
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        def work() -> pa.Table:
            rows = context.models.list(context.user)
            return pa.table(
                {
                    "name": pa.array([m["name"] for m in rows], pa.string()),
                    "type": pa.array([m.get("algorithm") for m in rows], pa.string()),
                    "options": pa.array([json.dumps(_fit_options(m), sort_keys=True) for m in rows], pa.string()),
                    "owner": pa.array([m.get("owner") for m in rows], pa.string()),
                    "app": pa.array([m.get("app") for m in rows], pa.string()),
                    "sharing": pa.array([m.get("sharing") for m in rows], pa.string()),
                    "version": pa.array([m.get("version") for m in rows], pa.int64()),
                }
            )

        return context.relation_of(context.python_step("listmodels", work))


def _fit_options(model: dict[str, Any]) -> dict[str, Any]:
    keys = ("options", "parameters", "target", "features")
    return {key: model[key] for key in keys if model.get(key) is not None}


@command("deletemodel", kind="generating")
@dataclass
class DeleteModel(Command):
    """Deletes a model with all its versions.

    Syntax: deletemodel [app:|user:]<model>
    Example: | deletemodel usermodel
    """

    model: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> DeleteModel:
        model = arguments.name("a model's name")
        arguments.finish()
        return cls(model)

    def print_arguments(self) -> list[str]:
        return [print_name(self.model)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        namespace, name = ml.split_model_name(self.model)
        if not context.dry:
            context.models.delete(name, context.user, namespace, app=context.app)
            context.inform(f'model "{name}" was deleted')
        return context.empty()


@command("sample", kind="dataset")
@dataclass
class Sample(Command):
    """Keeps some of the rows at random, or deals them into partitions.

    Syntax: sample [<ratio>|<count>] [ratio=|count=|proportional=<field>|partitions=<n>] [seed=<n>] [by <field>]
    Example: index=wine | sample partitions=10 seed=42

    A bare number below 1 is a ratio, a whole number a count. `partitions` keeps all rows and adds `partition_number` from
    0; `by`, with a count, keeps so many rows of each value.
    """

    options: dict[str, str] = field(default_factory=dict)
    by: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> Sample:
        found = _read_clauses(arguments, ("by",))
        for name in found.names:
            if name.lower() == "inverse":
                found.options["inverse"] = "true"
                continue
            try:
                float(name)
            except ValueError:
                raise SearchError(f'"{name}" is not expected here', arguments.stage.arguments) from None
            key, value = ml.sampling.bare_option(name)
            if key in found.options:
                raise SearchError(f'"{key}" is given twice', arguments.stage.arguments)
            found.options[key] = value
        by = found.clauses.get("by", [])
        if len(by) > 1:
            raise SearchError(f"by takes one field, got {len(by)}", arguments.stage.arguments)
        sample = cls(found.options, by[0] if by else "")
        try:
            ml.check_sample(sample.request())
        except UserError as error:
            raise SearchError(error.message.removeprefix("sample: "), arguments.stage.arguments, hint=error.hint) from None
        return sample

    def request(self) -> ml.SampleRequest:
        """The request as `ml` wants it."""
        return ml.SampleRequest(self.options, self.by)

    def print_arguments(self) -> list[str]:
        return [*_print_clauses(self.options), *(["by", print_name(self.by)] if self.by else [])]

    def lower(self, relation: Relation, context: Context) -> Relation:
        table = context.table_of(relation)

        def work() -> pa.Table:
            result, messages = ml.sample(table, self.request())
            for message in messages:
                context.warn(message)
            return result

        result = context.python_step(str(self), work)
        return relation if context.dry else context.relation_of(result, kind=relation.kind)
