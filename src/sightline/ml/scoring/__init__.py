"""`score`: rows in, one table of scores out. One file per family of methods; the registry is filled here."""

from __future__ import annotations

import pyarrow as pa

from sightline.errors import UserError, nearest
from sightline.ml.parameters import read_options
from sightline.ml.preparation import Limits
from sightline.ml.requests import ScoreRequest
from sightline.ml.scoring import classification, clustering, hypotheses, regression, samples, series
from sightline.ml.scoring.declaration import Scorer, Scoring, resolve_fields

SCORERS: dict[str, Scorer] = {
    scorer.name: scorer
    for family in (classification, regression, clustering, hypotheses, samples, series)
    for scorer in family.SCORERS
}


def find_scorer(name: str) -> Scorer:
    """The method of that name, in any letter case. Raises UserError with the nearest name."""
    scorer = SCORERS.get(name.lower())
    if scorer is None:
        raise UserError(
            f'unknown scoring method "{name}", wanted one of: {", ".join(sorted(SCORERS))}', nearest(name, SCORERS)
        )
    return scorer


def check_score(request: ScoreRequest) -> Scorer:
    """Everything that can be wrong with a request before there are rows. Raises UserError; gives the method."""
    scorer = find_scorer(request.method)
    read_options(scorer.name, scorer.parameters, request.options)
    if scorer.fields == "none" and (request.actual or request.predicted):
        raise UserError(f"{scorer.name}: no fields are taken, got {', '.join([*request.actual, *request.predicted])}")
    if scorer.fields != "none" and not request.actual:
        raise UserError(f"{scorer.name}: fields are wanted")
    if scorer.fields in ("pairs", "one pair", "sides") and not request.predicted:
        raise UserError(
            f'{scorer.name}: fields after "against" are wanted', f"score {scorer.name} <actual> against <predicted>"
        )
    if scorer.fields == "one side" and request.predicted:
        raise UserError(f'{scorer.name}: "against" is not taken, got "against {", ".join(request.predicted)}"')
    return scorer


def score(table: pa.Table, request: ScoreRequest, limits: Limits | None = None) -> tuple[pa.Table, list[str]]:
    """The scores as a table, and warnings. Raises UserError for a bad request or fields that cannot be scored."""
    scorer = check_score(request)
    options = read_options(scorer.name, scorer.parameters, request.options)
    if table.num_rows == 0:  # Before a field is said to be missing: no rows have no fields.
        raise UserError(f"{scorer.name}: there are no rows to score")
    scoring = Scoring(
        scorer.name,
        table,
        resolve_fields(table, request.actual, scorer.name),
        resolve_fields(table, request.predicted, scorer.name),
        options,
        limits or Limits(),
    )
    if scorer.fields == "one pair" and (len(scoring.actual) != 1 or len(scoring.predicted) != 1):
        raise UserError(
            f"{scorer.name}: one actual and one predicted field are wanted, "
            f"got {len(scoring.actual)} against {len(scoring.predicted)}"
        )
    return scorer.run(scoring), scoring.messages
