"""DensityFunction: how likely a number is, on its own or within a group, and which numbers are unlikely enough to tell.

Per group one distribution is learned: normal, exponential, beta, or a kernel density estimate; `dist=auto` takes the one
nearest to the rows. An outlier lies where the density is lowest: the places that together hold a share `threshold` of it.
What is kept is plain arrays: no object of a library that would have to be trusted when it is loaded.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats
from sklearn.tree import DecisionTreeRegressor

from sightline.errors import UserError
from sightline.ml.algorithms.declaration import DETECTOR, Algorithm, Block, Outputs
from sightline.ml.columns import as_texts
from sightline.ml.model import Model
from sightline.ml.parameters import boolean, choice, integer, number_list, random_state, text

DISTRIBUTIONS = ("norm", "expon", "gaussian_kde", "beta")
SHOWN_NAMES = {"norm": "Normal", "expon": "Exponential", "gaussian_kde": "Gaussian KDE", "beta": "Beta"}
KEPT_VALUES = 1000
"""Values of a group that are kept, evenly spaced in rank: the base of its density estimate and of later partial fits."""
JUDGED_VALUES = 400
"""Values by which the width of a density estimate is chosen; the work grows with their square."""
GRID_POINTS = 512
"""Points at which a density is drawn to find where it is lowest."""
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


@dataclass(frozen=True, slots=True)
class Density:
    """One group's distribution. `values` are its kept values, ascending; the first two parameters are place and width."""

    kind: str
    parameters: np.ndarray
    values: np.ndarray

    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x."""
        if self.kind == "gaussian_kde":
            grid, drawn = self._drawn()
            return np.interp(x, grid, drawn, left=0.0, right=0.0)
        return self._frozen().pdf(x)

    def quantile(self, share: np.ndarray | float) -> np.ndarray:
        """The value below which a share of the distribution lies."""
        if self.kind == "gaussian_kde":
            grid, drawn = self._drawn()
            mass = np.concatenate([[0.0], np.cumsum((drawn[1:] + drawn[:-1]) / 2)])
            return np.interp(share, mass / mass[-1], grid)
        return self._frozen().ppf(share)

    def distribution_function(self, x: np.ndarray) -> np.ndarray:
        """The share of the distribution below x."""
        if self.kind == "gaussian_kde":
            grid, drawn = self._drawn()
            mass = np.concatenate([[0.0], np.cumsum((drawn[1:] + drawn[:-1]) / 2)])
            return np.interp(x, grid, mass / mass[-1])
        return self._frozen().cdf(x)

    def support(self) -> tuple[float, float]:
        """Where there is any density to speak of."""
        if self.kind == "gaussian_kde":
            width = self.parameters[1]
            return self.values[0] - 4 * width, self.values[-1] + 4 * width
        return self._frozen().support()

    def outlying(self, threshold: float) -> list[tuple[float, float, float]]:
        """The ranges of lowest density that together hold a share `threshold`: from, to, share. Ascending."""
        if self.kind == "norm":
            low, high = self.quantile(np.array([threshold / 2, 1 - threshold / 2]))
            return [(-np.inf, float(low), threshold / 2), (float(high), np.inf, threshold / 2)]
        if self.kind == "expon":
            return [
                (-np.inf, float(self.parameters[0]), 0.0),
                (float(self.quantile(1 - threshold)), np.inf, threshold),
            ]
        return _lowest(self.kind, self.parameters.tobytes(), self.values.tobytes(), threshold)

    def beyond(self, low_share: float | None, high_share: float | None) -> list[tuple[float, float, float]]:
        """The ranges at the ends that hold the given shares."""
        ranges = []
        if low_share is not None:
            ranges.append((-np.inf, float(self.quantile(low_share)), low_share))
        if high_share is not None:
            ranges.append((float(self.quantile(1 - high_share)), np.inf, high_share))
        return ranges

    def _frozen(self) -> Any:
        if self.kind == "beta":
            place, width, a, b = self.parameters
            return stats.beta(a, b, place, width)
        return getattr(stats, self.kind)(*self.parameters[:2])

    def _drawn(self) -> tuple[np.ndarray, np.ndarray]:
        grid = np.linspace(*self.support(), GRID_POINTS)
        width = self.parameters[1]
        scaled = (grid[:, None] - self.values[None, :]) / width
        return grid, np.exp(-0.5 * scaled**2).sum(axis=1) / (len(self.values) * width * np.sqrt(2 * np.pi))


@functools.lru_cache(maxsize=2 * 1024)
def _lowest(kind: str, parameters: bytes, values: bytes, threshold: float) -> list[tuple[float, float, float]]:
    """Cells of a grid, thinnest first, until they hold the share; neighbours are joined to ranges.

    Kept for the groups of two models: rows come in many batches, and the ranges of a group stay the same.
    """
    density = Density(kind, np.frombuffer(parameters), np.frombuffer(values))
    edges = np.linspace(*density.support(), GRID_POINTS * 4 + 1)
    mass = np.diff(density.distribution_function(edges))
    order = np.argsort(mass, kind="stable")
    held = np.cumsum(mass[order]) / mass.sum()
    thin = np.zeros(len(mass), dtype=bool)
    thin[order[: np.searchsorted(held, threshold, side="right")]] = True
    starts = np.flatnonzero(thin & ~np.concatenate([[False], thin[:-1]]))
    ends = np.flatnonzero(thin & ~np.concatenate([thin[1:], [False]]))
    ranges = [
        (float(edges[a]), float(edges[b + 1]), float(mass[a : b + 1].sum())) for a, b in zip(starts, ends, strict=True)
    ]
    # What lies beyond the grid is outlying too, whatever the threshold.
    if ranges and ranges[0][0] == edges[0]:
        ranges[0] = (-np.inf, *ranges[0][1:])
    else:
        ranges.insert(0, (-np.inf, float(edges[0]), 0.0))
    if ranges[-1][1] == edges[-1]:
        ranges[-1] = (ranges[-1][0], np.inf, ranges[-1][2])
    else:
        ranges.append((float(edges[-1]), np.inf, 0.0))
    return ranges


def learn_density(values: np.ndarray, kinds: tuple[str, ...], metric: str) -> tuple[Density, float]:
    """The distribution of the kinds that is nearest to the values, and its distance from them.

    A density estimate follows its own rows and would nearly always be nearest. It is taken where no other kind comes
    within what chance explains.
    """
    ordered = np.sort(values)
    kept = ordered if len(values) <= KEPT_VALUES else ordered[_ranks(len(values), KEPT_VALUES)]
    found = {kind: _fitted(kind, values, ordered, kept) for kind in kinds}
    distances = {kind: _distance(density, kept, metric) for kind, density in found.items()}
    best = min(kinds, key=distances.__getitem__)
    by_chance = 2 / np.sqrt(len(values)) * (0.8 * ordered.std() if metric == "wasserstein" else 1.0)
    others = [kind for kind in kinds if kind != "gaussian_kde" and distances[kind] <= by_chance]
    if best == "gaussian_kde" and others:
        best = min(others, key=distances.__getitem__)
    return found[best], distances[best]


def _bandwidth(values: np.ndarray) -> float:
    """The width under which values are likeliest given the others, among Scott's rule and parts of it.

    Scott's rule alone spreads rows that stand in several places far over the gaps between them.
    """
    rule = float(values.std()) * len(values) ** -0.2
    if rule == 0 or len(values) < 3:
        return rule
    some = values if len(values) <= JUDGED_VALUES else values[np.random.default_rng(0).choice(len(values), JUDGED_VALUES)]
    gaps = (some[:, None] - some[None, :]) ** 2
    np.fill_diagonal(gaps, np.inf)
    gaps[gaps == 0] = np.inf  # Equal values say nothing about a width, but would pull it to nothing.
    best, likeliest = rule, -np.inf
    for part in (1.0, 0.5, 0.25, 0.125):
        width = rule * part
        likelihood = np.log(np.maximum(np.exp(-0.5 * gaps / width**2).sum(axis=1) / width, 1e-300)).sum()
        if likelihood > likeliest:
            best, likeliest = width, likelihood
    return best


def _ranks(count: int, kept: int) -> np.ndarray:
    """The places of so many evenly spaced ranks."""
    return np.linspace(0, count - 1, kept).round().astype(int)


def _fitted(kind: str, unordered: np.ndarray, values: np.ndarray, kept: np.ndarray) -> Density:
    mean, width = float(values.mean()), float(values.std())
    smallest = max(abs(mean) * 1e-9, 1e-12)  # A constant: everything else is outlying, and nothing divides by zero.
    low, high = float(values[0]), float(values[-1])
    if kind == "norm":
        parameters = [mean, max(width, smallest)]
    elif kind == "expon":
        parameters = [low, max(mean - low, smallest)]
    elif kind == "gaussian_kde":
        parameters = [mean, max(_bandwidth(unordered), smallest)]
    else:
        margin = max((high - low) * 1e-3, smallest)
        place, span = low - margin, high - low + 2 * margin
        m, v = (mean - place) / span, max((width / span) ** 2, 1e-12)
        both = max(m * (1 - m) / v - 1, 1e-3)
        parameters = [place, span, max(m * both, 1e-3), max((1 - m) * both, 1e-3)]
    return Density(kind, np.array(parameters + [0.0] * (4 - len(parameters))), kept)


def _distance(density: Density, values: np.ndarray, metric: str) -> float:
    ranks = (np.arange(len(values)) + 0.5) / len(values)
    if metric == "wasserstein":
        return float(np.abs(values - density.quantile(ranks)).mean())
    return float(np.abs(density.distribution_function(values) - ranks).max())


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
    asked = {**model.parameters, **options}
    if any(options.get(parameter.name) for parameter in THRESHOLDS):
        asked.update({p.name: options.get(p.name) for p in THRESHOLDS})
    estimator, name = model.estimator, model.preparation.numbers[0]
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
    random = np.random.default_rng(model.parameters["random_state"])
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
    estimator = model.estimator
    columns: dict[str, Any] = {}
    groups = len(estimator["kinds"])
    for index, name in enumerate(estimator["by"]):
        joined: list[dict[str, None]] = [{} for _ in range(groups)]
        for key, group in zip(estimator["keys"], estimator["group_of_key"], strict=True):
            joined[group][key[index]] = None
        columns[name] = [", ".join(values) for values in joined]
    prefix = "Auto: " if model.parameters["dist"] == "auto" else ""
    columns["type"] = [prefix + SHOWN_NAMES[kind] for kind in estimator["kinds"]]
    for column, name in enumerate(("min", "max", "mean", "std"), start=1):
        columns[name] = estimator["moments"][:, column].copy()
    columns["cardinality"] = estimator["moments"][:, 0].astype(np.int64)
    columns["distance"] = [
        f"metric: {model.parameters['metric']}, distance: {distance:.6g}" for distance in estimator["distances"]
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
        thinned = thinned[_ranks(len(new), wanted_new)]
    return np.concatenate([kept, thinned])


def _bound(value: float) -> str:
    return ("-" if value < 0 else "") + "Infinity" if np.isinf(value) else f"{value:.10g}"


ALGORITHMS = (
    Algorithm(
        name="DensityFunction",
        kind=DETECTOR,
        summary="Tells numbers that are unlikely, on their own or within a group.",
        parameters=(
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
        ),
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
