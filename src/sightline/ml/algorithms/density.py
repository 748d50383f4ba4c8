"""DensityFunction: how likely a number is, on its own or within a group, and which numbers are unlikely enough to tell.

Per group one distribution is learned: normal, exponential, beta, or a kernel density estimate; `dist=auto` takes the one
nearest to the rows. An outlier lies where the density is lowest: the places that together hold a share `threshold` of it.
What is kept is plain arrays: no object of a library that would have to be trusted when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.tree import DecisionTreeRegressor

from sightline.errors import UserError
from sightline.ml.algorithms.declaration import DETECTOR, Algorithm, Block, Outputs
from sightline.ml.algorithms.distributions import Density, evenly_ranked, learn_density
from sightline.ml.columns import as_texts
from sightline.ml.model import Model
from sightline.ml.parameters import boolean, choice, integer, number_list, random_state, text

DISTRIBUTIONS = ("norm", "expon", "gaussian_kde", "beta")
SHOWN_NAMES = {"norm": "Normal", "expon": "Exponential", "gaussian_kde": "Gaussian KDE", "beta": "Beta"}
MOST_GROUPS = 1024
FEW_ROWS = 50
"""Below this many rows a group's distribution is a guess, and that is told."""
MOST_THRESHOLDS = 5
DEFAULT_THRESHOLD = 0.01

SHARES = {"above": 0.0, "below": 1.0}
THRESHOLDS = (
    number_list("threshold", None, "Share of all density that counts as outlying; default 0.01.", **SHARES),
    number_list("lower_threshold", None, "Share at the low end that counts as outlying.", **SHARES),
    number_list("upper_threshold", None, "Share at the high end that counts as outlying.", **SHARES),
)
SHOWN = (
    boolean("show_density", False, "Also give `ProbabilityDensity(<field>)`."),
    boolean("sample", False, "Also give `SampledValue(<field>)`, drawn where values are not outlying."),
    boolean("full_sample", False, "Also give `FullSampledValue(<field>)`, drawn from all of the distribution."),
)


def train(parameters: dict[str, Any], block: Block, by: list[str]) -> dict[str, Any]:
    """A distribution per group: keys, kinds, parameters and kept values, as lists and arrays."""
    _thresholds(parameters)
    values = block.matrix[:, 0]
    keys, codes = _groups(block, by)
    group_of_key = np.arange(len(keys))
    if parameters["supervise_split_by"] and by:
        group_of_key, codes = _supervised(parameters, keys, codes, values)
    count = int(group_of_key.max()) + 1
    if count > MOST_GROUPS:
        raise UserError(
            f"DensityFunction: at most {MOST_GROUPS} groups are taken, got {count} by {', '.join(by)}",
            "supervise_split_by=true joins groups that are alike",
        )
    pieces = np.split(values[np.argsort(codes, kind="stable")], np.cumsum(np.bincount(codes, minlength=count))[:-1])
    return _learned(parameters, by, keys, group_of_key, pieces, [_moments(piece) for piece in pieces])


def train_further(earlier: dict[str, Any], parameters: dict[str, Any], block: Block, by: list[str]) -> dict[str, Any]:
    """Goes on with new rows: a known group is learned again from its kept values and the new ones, by their counts."""
    keys, codes = _groups(block, by)
    position = {tuple(key): index for index, key in enumerate(earlier["keys"])}
    group_of_key = [int(group) for group in earlier["group_of_key"]]
    pieces = [_values_of(earlier, group) for group in range(len(earlier["kinds"]))]
    moments = [tuple(row) for row in earlier["moments"]]
    all_keys = [list(key) for key in earlier["keys"]]
    for index, key in enumerate(keys):
        new = block.matrix[codes == index, 0]
        if tuple(key) not in position:
            all_keys.append(key)
            group_of_key.append(len(pieces))
            pieces.append(new)
            moments.append(_moments(new))
            continue
        group = group_of_key[position[tuple(key)]]
        pieces[group] = _mixed(pieces[group], moments[group][0], new)
        moments[group] = _joined(moments[group], _moments(new))
    if len(pieces) > MOST_GROUPS:
        raise UserError(f"DensityFunction: at most {MOST_GROUPS} groups are taken, got {len(pieces)}")
    return _learned(parameters, by, all_keys, np.array(group_of_key), pieces, moments)


def _learned(
    parameters: dict[str, Any],
    by: list[str],
    keys: list[list[str]],
    group_of_key: np.ndarray,
    pieces: list[np.ndarray],
    moments: list[tuple[float, ...]],
) -> dict[str, Any]:
    kinds = _kinds(parameters)
    found = [learn_density(piece, kinds, parameters["metric"]) for piece in pieces]
    return {
        "by": list(by),
        "keys": keys,
        "group_of_key": np.asarray(group_of_key),
        "kinds": [density.kind for density, _ in found],
        "parameters": np.array([density.parameters for density, _ in found]),
        "distances": np.array([distance for _, distance in found]),
        "moments": np.array(moments),
        "values": np.concatenate([density.values for density, _ in found]),
        "ends": np.cumsum([len(density.values) for density, _ in found]),
    }


def _kinds(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    excluded = [name.strip() for name in (parameters["exclude_dist"] or "").split(",") if name.strip()]
    for name in excluded:
        if name not in DISTRIBUTIONS:
            wanted = ", ".join(DISTRIBUTIONS)
            raise UserError(f'DensityFunction: option "exclude_dist" must name some of {wanted}, got "{name}"')
    if parameters["dist"] != "auto":
        if excluded:
            raise UserError('DensityFunction: option "exclude_dist" goes with dist=auto only')
        return (parameters["dist"],)
    kinds = tuple(name for name in DISTRIBUTIONS if name not in excluded)
    if not kinds:
        raise UserError('DensityFunction: option "exclude_dist" leaves no distribution')
    return kinds


def _thresholds(options: Mapping[str, Any]) -> list[tuple[str, float | None, float | None, float | None]]:
    """What is asked for, in turn: the suffix of the columns, the threshold, or the shares at both ends."""
    whole, lower, upper = (options[name] for name in ("threshold", "lower_threshold", "upper_threshold"))
    if whole and (lower or upper):
        raise UserError('DensityFunction: give "threshold", or "lower_threshold" and "upper_threshold", not both')
    if lower and upper and len(lower) != len(upper):
        raise UserError(
            f'DensityFunction: options "lower_threshold" and "upper_threshold" want as many numbers, '
            f"got {len(lower)} and {len(upper)}"
        )
    count = len(whole or lower or upper or (1,))
    if count > MOST_THRESHOLDS:
        raise UserError(f"DensityFunction: at most {MOST_THRESHOLDS} thresholds are taken, got {count}")
    if lower or upper:
        pairs = list(zip(lower or [None] * count, upper or [None] * count, strict=True))
        names = [zip(("lower_th", "upper_th"), pair, strict=True) for pair in pairs]
        parts = [[f"{name}={share:g}" for name, share in named if share is not None] for named in names]
        return [("" if count == 1 else "_" + "_".join(part), None, a, b) for (a, b), part in zip(pairs, parts, strict=True)]
    return [("" if count == 1 else f"_th={t:g}", t, None, None) for t in whole or (DEFAULT_THRESHOLD,)]


def judge(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """Whether each row is an outlier of its group, the outlying ranges, and what else was asked for."""
    return judge_values(model.estimator, model.preparation.numbers[0], model.parameters, block, written, options)


def judge_values(
    estimator: dict[str, Any],
    name: str,
    parameters: dict[str, Any],
    block: Block,
    written: str,
    options: Mapping[str, Any],
) -> Outputs:
    """The columns of `judge` for the block's first matrix column, called `name`."""
    asked = {**parameters, **options}
    if any(options.get(parameter.name) for parameter in THRESHOLDS):
        asked.update({p.name: options.get(p.name) for p in THRESHOLDS})
    values = block.matrix[:, 0]
    groups = _groups_of(estimator, block)
    known = groups >= 0
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(len(estimator["kinds"]) + 1))
    present = [g for g in range(len(estimator["kinds"])) if starts[g + 1] > starts[g]]
    densities = {group: _density(estimator, group) for group in present}
    columns: Outputs = {}
    for suffix, threshold, low, high in _thresholds(asked):
        outlying = np.zeros(len(values), dtype=np.int64)
        ranges: list[list[str]] = [[]] * len(estimator["kinds"])
        for group, density in densities.items():
            rows = order[starts[group] : starts[group + 1]]
            found = density.outlying(threshold) if threshold is not None else density.beyond(low, high)
            x = values[rows]
            outlying[rows] = np.logical_or.reduce([(x > a) & (x < b) for a, b, _ in found])
            ranges[group] = [f"{_bound(a)}:{_bound(b)}:{share:.4g}" for a, b, share in found]
        columns[(written or f"IsOutlier({name})") + suffix] = pa.array(outlying, mask=~known)
        columns[f"BoundaryRanges({name}){suffix}"] = pa.array(ranges, pa.list_(pa.string())).take(
            pa.array(np.where(known, groups, 0), mask=~known)
        )
    wanted = [(option, label) for option, label in _EXTRAS.items() if asked[option]]
    random = np.random.default_rng(parameters["random_state"])
    for option, label in wanted:
        result = np.full(len(values), np.nan)
        for group, density in densities.items():
            rows = order[starts[group] : starts[group + 1]]
            if option == "show_density":
                result[rows] = density.pdf(values[rows])
            elif option == "full_sample":
                result[rows] = density.quantile(random.random(len(rows)))
            else:
                result[rows] = _drawn_inside(density, _thresholds(asked)[0], len(rows), random)
        columns[f"{label}({name})"] = pa.array(result, mask=~known)
    return columns


_EXTRAS = {"show_density": "ProbabilityDensity", "sample": "SampledValue", "full_sample": "FullSampledValue"}


def _drawn_inside(density: Density, asked: tuple[str, Any, Any, Any], count: int, random: Any) -> np.ndarray:
    """Values drawn from the distribution where they are not outlying."""
    _, threshold, low, high = asked
    ranges = density.outlying(threshold) if threshold is not None else density.beyond(low, high)
    drawn = density.quantile(random.random(count))
    for _ in range(64):  # Each round redraws a share `threshold` of what is left.
        outside = np.logical_or.reduce([(drawn > a) & (drawn < b) for a, b, _ in ranges])
        if not outside.any():
            break
        drawn[outside] = density.quantile(random.random(int(outside.sum())))
    return drawn


def summarise(model: Model) -> pa.Table:
    """A row per group: its by-fields, the distribution, and what it was learned from."""
    return summarise_groups(model.estimator, model.parameters)


def summarise_groups(estimator: dict[str, Any], parameters: dict[str, Any]) -> pa.Table:
    """The rows of `summarise`."""
    columns: dict[str, Any] = {}
    groups = len(estimator["kinds"])
    for index, name in enumerate(estimator["by"]):
        joined: list[dict[str, None]] = [{} for _ in range(groups)]
        for key, group in zip(estimator["keys"], estimator["group_of_key"], strict=True):
            joined[group][key[index]] = None
        columns[name] = [", ".join(values) for values in joined]
    prefix = "Auto: " if parameters["dist"] == "auto" else ""
    columns["type"] = [prefix + SHOWN_NAMES[kind] for kind in estimator["kinds"]]
    for column, name in enumerate(("min", "max", "mean", "std"), start=1):
        columns[name] = estimator["moments"][:, column].copy()
    columns["cardinality"] = estimator["moments"][:, 0].astype(np.int64)
    columns["distance"] = [
        f"metric: {parameters['metric']}, distance: {distance:.6g}" for distance in estimator["distances"]
    ]
    columns["other"] = [
        ", ".join(f"{label}: {value:.6g}" for label, value in zip(_LABELS[kind], row, strict=False))
        for kind, row in zip(estimator["kinds"], estimator["parameters"], strict=True)
    ]
    return pa.table(columns)


_LABELS = {
    "norm": ("mean", "std"),
    "expon": ("loc", "scale"),
    "gaussian_kde": ("center", "bandwidth"),
    "beta": ("loc", "scale", "alpha", "beta"),
}


def remarks(model: Model) -> list[str]:
    """A warning when groups were learned from few rows."""
    few = int((model.estimator["moments"][:, 0] < FEW_ROWS).sum())
    if not few:
        return []
    groups = len(model.estimator["kinds"])
    where = f"{few} of {groups} groups have" if model.by else "there are"
    return [f"DensityFunction: {where} fewer than {FEW_ROWS} rows, what is learned from so few is a guess"]


def _groups(block: Block, by: list[str]) -> tuple[list[list[str]], np.ndarray]:
    """The distinct by-values, and the position of each row's among them."""
    if not by:
        return [[]], np.zeros(len(block.matrix), dtype=np.int64)
    texts = pa.table({str(index): as_texts(block.rows.column(name)) for index, name in enumerate(by)})
    distinct = texts.group_by(texts.column_names).aggregate([]).sort_by([(name, "ascending") for name in texts.column_names])
    keys = [list(key) for key in zip(*(distinct.column(name).to_pylist() for name in texts.column_names), strict=True)]
    return keys, _positions(texts, keys)


def _positions(texts: pa.Table, keys: list[list[str]]) -> np.ndarray:
    """The position of each row's values among the keys, -1 for none."""
    code = np.zeros(texts.num_rows, dtype=np.int64)
    key_code = np.zeros(len(keys), dtype=np.int64)
    unknown = np.zeros(texts.num_rows, dtype=bool)
    for index, name in enumerate(texts.column_names):
        values = sorted({key[index] for key in keys})
        place = pc.index_in(texts.column(name).combine_chunks(), value_set=pa.array(values, pa.string()))
        unknown |= place.is_null().to_numpy(zero_copy_only=False)
        code = code * len(values) + pc.fill_null(place, 0).to_numpy(zero_copy_only=False)
        key_code = key_code * len(values) + np.array([values.index(key[index]) for key in keys])
    found = pc.index_in(pa.array(code), value_set=pa.array(key_code))
    positions = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    positions[unknown] = -1
    return positions


def _groups_of(estimator: dict[str, Any], block: Block) -> np.ndarray:
    if not estimator["by"]:
        return np.zeros(len(block.matrix), dtype=np.int64)
    texts = pa.table({str(index): as_texts(block.rows.column(name)) for index, name in enumerate(estimator["by"])})
    positions = _positions(texts, estimator["keys"])
    return np.where(positions < 0, -1, np.asarray(estimator["group_of_key"])[positions])


def _supervised(
    parameters: Mapping[str, Any], keys: list[list[str]], codes: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Joins by-values whose numbers are alike: the leaves of a tree that predicts the number from the by-values."""
    columns = []
    for index in range(len(keys[0])):
        present = sorted({key[index] for key in keys})
        columns.append(np.array([[key[index] == value for value in present] for key in keys], dtype=np.float32))
    encoded = np.column_stack(columns)
    tree = DecisionTreeRegressor(
        max_depth=parameters["max_depth"],
        max_leaf_nodes=parameters["max_leaf_nodes"] or MOST_GROUPS,
        min_samples_leaf=parameters["min_samples_leaf"],
        random_state=parameters["random_state"],
    ).fit(encoded[codes], values)
    _, group_of_key = np.unique(tree.apply(encoded), return_inverse=True)
    return group_of_key, group_of_key[codes]


def _density(estimator: dict[str, Any], group: int) -> Density:
    return Density(estimator["kinds"][group], estimator["parameters"][group], _values_of(estimator, group))


def _values_of(estimator: dict[str, Any], group: int) -> np.ndarray:
    ends = estimator["ends"]
    return estimator["values"][(ends[group - 1] if group else 0) : ends[group]]


def _moments(values: np.ndarray) -> tuple[float, ...]:
    return len(values), values.min(), values.max(), values.mean(), values.std()


def _joined(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
    count = a[0] + b[0]
    mean = (a[0] * a[3] + b[0] * b[3]) / count
    square = (a[0] * (a[4] ** 2 + a[3] ** 2) + b[0] * (b[4] ** 2 + b[3] ** 2)) / count
    return count, min(a[1], b[1]), max(a[2], b[2]), mean, float(np.sqrt(max(square - mean**2, 0.0)))


def _mixed(kept: np.ndarray, kept_for: float, new: np.ndarray) -> np.ndarray:
    """Values of both in the proportion of the rows they stand for, each thinned evenly in rank."""
    if kept_for <= len(kept):
        return np.concatenate([kept, new])
    share = kept_for / (kept_for + len(new))
    wanted_new = max(1, round(len(kept) * (1 - share) / share))
    thinned = np.sort(new)
    if wanted_new < len(new):
        thinned = thinned[evenly_ranked(len(new), wanted_new)]
    return np.concatenate([kept, thinned])


def _bound(value: float) -> str:
    return ("-" if value < 0 else "") + "Infinity" if np.isinf(value) else f"{value:.10g}"


DENSITY_PARAMETERS = (
    choice("dist", "auto", "The distribution; auto takes the nearest.", ("auto", *DISTRIBUTIONS)),
    text("exclude_dist", None, "With dist=auto: distributions that are not tried, joined by commas."),
    choice("metric", "wasserstein", "How nearness is measured.", ("wasserstein", "kolmogorov_smirnov")),
    *THRESHOLDS,
    *SHOWN,
    boolean("supervise_split_by", False, "Join groups that are alike."),
    random_state(),
    integer("max_depth", None, "With supervise_split_by: levels of its tree.", low=1),
    integer("max_leaf_nodes", None, "With supervise_split_by: most groups; default 1024.", low=2),
    integer("min_samples_leaf", 1, "With supervise_split_by: rows a group needs.", low=1),
)

ALGORITHMS = (
    Algorithm(
        name="DensityFunction",
        kind=DETECTOR,
        summary="Tells numbers that are unlikely, on their own or within a group.",
        parameters=DENSITY_PARAMETERS,
        apply_parameters=(*THRESHOLDS, *SHOWN),
        train=train,
        train_further=train_further,
        outputs=judge,
        summarise=summarise,
        remarks=remarks,
        updates=True,
        numeric_features=True,
        most_features=1,
        takes_by=5,
    ),
)
