"""Tests of time series (does it wander?) and the analysis of variance.

statsmodels is imported where it is used: it takes half a second, and few searches need it.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sightline.errors import UserError, nearest
from sightline.ml.columns import as_numbers, as_texts, numpy_numbers
from sightline.ml.parameters import Parameter, choice, integer, number, text
from sightline.ml.scoring.declaration import Scorer, Scoring, present_numbers, tell_dropped
from sightline.ml.scoring.hypotheses import ALPHA, decisions

# kpss warns where its p-value lies outside its table; that is told as a message of the search instead.
warnings.filterwarnings("ignore", message="The test statistic is outside of the range of p-values")

TOKEN = re.compile(r"\s*([A-Za-z_]\w*|[01]|[-+*:~()])")


def wanders(scoring: Scoring) -> pa.Table:
    """The augmented Dickey-Fuller test of every field: rejected means that the series returns to a level."""
    from statsmodels.tsa.stattools import adfuller

    options = scoring.options
    rows = []
    for field in scoring.actual:
        (values,) = present_numbers(scoring, [field])
        statistic, p_value, lag, count, critical, *best = _called(
            scoring,
            adfuller,
            values,
            maxlag=options["maxlag"],
            regression=options["regression"],
            autolag=options["autolag"],
            result_object=False,
        )[:6]
        rows.append(
            {"Field": field, "statistic": float(statistic), "p-value": float(p_value)}
            | {"usedlag": int(lag), "nobs": int(count)}
            | {f"critical values ({share})": float(critical[share]) for share in ("1%", "5%", "10%")}
            | {"icbest": float(best[0]) if best and isinstance(best[0], float) else None}
        )
    return _with_decisions(scoring, rows)


def stays(scoring: Scoring) -> pa.Table:
    """The KPSS test of every field: rejected means that the series wanders."""
    from statsmodels.tsa.stattools import kpss

    options = scoring.options
    rows = []
    for field in scoring.actual:
        (values,) = present_numbers(scoring, [field])
        lags = "auto" if options["nlags"] is None else options["nlags"]
        found = _called(scoring, kpss, values, regression=options["regression"], nlags=lags, result_object=False)
        statistic, p_value, used, critical = found[:4]
        if p_value in (0.01, 0.1):
            bound = "smaller" if p_value == 0.01 else "greater"
            scoring.messages.append(f'the actual p-value of field "{field}" is {bound} than {p_value:g}')
        rows.append(
            {"Field": field, "statistic": float(statistic), "p-value": float(p_value), "lags": int(used)}
            | {f"critical values ({share})": float(critical[share]) for share in ("1%", "2.5%", "5%", "10%")}
        )
    return _with_decisions(scoring, rows)


def anova(scoring: Scoring) -> pa.Table:
    """The analysis of variance of a formula over fields: its table, the model's fit, or the coefficients."""
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    options = scoring.options
    fields = formula_fields(options["formula"], scoring.table.column_names)
    columns: dict[str, Any] = {}
    present = np.ones(scoring.table.num_rows, dtype=bool)
    for field in fields:
        numbers = as_numbers(scoring.table.column(field))
        if numbers is None:
            texts = as_texts(scoring.table.column(field))
            columns[field] = texts.to_numpy(zero_copy_only=False)
            present &= texts.is_valid().to_numpy(zero_copy_only=False)
        else:
            columns[field] = numpy_numbers(numbers)
            present &= np.isfinite(columns[field])
    tell_dropped(scoring, pa.array(present))
    fitted = _called(scoring, lambda: ols(options["formula"], pd.DataFrame(columns)[present]).fit())
    if options["output"] == "coefficients":
        return pa.table(
            {
                "variable": [str(name) for name in fitted.params.index],
                "coef": fitted.params.to_numpy(),
                "std err": fitted.bse.to_numpy(),
                "t": fitted.tvalues.to_numpy(),
                "P>|t|": fitted.pvalues.to_numpy(),
            }
        )
    if options["output"] == "model_accuracy":
        names = ("rsquared", "rsquared_adj", "fvalue", "f_pvalue", "aic", "bic", "nobs")
        return pa.table({name: [float(getattr(fitted, name))] for name in names})
    robust = {"robust": options["robust"]} if options["robust"] else {}
    found = _called(scoring, anova_lm, fitted, typ=options["type"], scale=options["scale"], test=options["test"], **robust)
    table: dict[str, Any] = {"source": [str(name) for name in found.index]}
    table.update({str(name): found[name].to_numpy(dtype=float, na_value=np.nan) for name in found.columns})
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in table.items()})


def formula_fields(formula: str | None, present: list[str]) -> list[str]:
    """The fields of a formula such as `y ~ x + C(z)`. Raises UserError naming anything else in it.

    The library evaluates a formula as Python, so nothing but field names, C(), the operators and 0 or 1 is let through.
    """
    if not formula:
        raise UserError('anova: option "formula" is wanted', 'formula="y ~ x"')
    fields: dict[str, None] = {}
    position, tokens = 0, []
    while formula[position:].strip():
        match = TOKEN.match(formula, position)
        if not match:
            raise UserError(
                f'anova: option "formula" has "{formula[position:].strip()[0]}", only field names, C(), + - * : ~ ( ) '
                "0 and 1 are taken"
            )
        tokens.append(match[1])
        position = match.end()
    for index, token in enumerate(tokens):
        if not (token[0].isalpha() or token[0] == "_"):
            continue
        called = index + 1 < len(tokens) and tokens[index + 1] == "("
        if called and token != "C":
            raise UserError(f'anova: option "formula" calls "{token}", only C() is taken')
        if not called:
            if token not in present:
                raise UserError(f'anova: field "{token}" is missing from the rows', nearest(token, present))
            fields[token] = None
    if tokens.count("~") != 1:
        raise UserError(f'anova: option "formula" must have one "~", got "{formula}"', 'formula="y ~ x"')
    return list(fields)


def _called(scoring: Scoring, function: Any, *arguments: Any, **options: Any) -> Any:
    try:
        with np.errstate(all="ignore"):
            return function(*arguments, **options)
    except Exception as error:  # The library raises whatever its formula parser and linear algebra raise.
        raise UserError(f"{scoring.method}: {str(error).splitlines()[0]}") from error


def _with_decisions(scoring: Scoring, rows: list[dict[str, Any]]) -> pa.Table:
    table = pa.Table.from_pylist(rows)
    for name, values in decisions(scoring, [row["p-value"] for row in rows]).items():
        table = table.append_column(name, pa.array(values))
    return table


def _series(name: str, summary: str, run: Any, *parameters: Parameter) -> Scorer:
    return Scorer(name, "statistical test", summary, run, (*parameters, ALPHA), "one side")


SCORERS = (
    _series(
        "adfuller",
        "Does the series wander?",
        wanders,
        choice("autolag", "AIC", "How the lag is chosen.", ("AIC", "BIC", "t-stat", "none"), aliases={"none": None}),
        choice("regression", "c", "Constant and trend that are allowed.", ("c", "ct", "ctt", "n"), aliases={"nc": "n"}),
        integer("maxlag", None, "The largest lag. Left out: by the number of rows.", low=0),
    ),
    _series(
        "kpss",
        "Does the series stay at a level?",
        stays,
        choice("regression", "c", "Stay at a level, or along a trend.", ("c", "ct")),
        integer("nlags", None, "Lags used. Left out: by the data.", low=0, argument="lags"),
    ),
    Scorer(
        "anova",
        "statistical test",
        "How much of the variance each field explains.",
        anova,
        (
            text("formula", None, 'The model, as in "y ~ x + C(z)"; required.'),
            integer("type", 1, "The type of the sums of squares.", low=1, high=3),
            number("scale", None, "The variance. Left out: estimated.", above=0),
            choice("test", "F", "The test.", ("F", "Chisq", "Cp", "none"), aliases={"none": None}),
            choice("robust", None, "Robust covariance.", ("hc0", "hc1", "hc2", "hc3")),
            choice("output", "anova", "What is shown.", ("anova", "model_accuracy", "coefficients")),
        ),
        "none",
    ),
)
