"""Models over tables: train, apply, score, summarise, sample, keep.

Tables in, tables out; nothing here knows SPL's text. Everything that callers need is named here, and scikit-learn is
imported nowhere else. A name is imported when it is first used: scikit-learn, scipy and statsmodels take more than a
second to import, which a search without models does not pay.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.ml.algorithms import ALGORITHMS, find_algorithm
    from sightline.ml.applying import Applier, apply, load_applier, prepare_apply, summarise, summary
    from sightline.ml.decomposition import deseasonalised
    from sightline.ml.drift import compare_fields, ks_statistic, population_stability_index
    from sightline.ml.forecasting import Forecast, forecast, forecast_together
    from sightline.ml.kmeans import Clusters, kmeans_clusters
    from sightline.ml.model import Model
    from sightline.ml.models import ModelRegistry
    from sightline.ml.novelty import likeness, unexpectedness
    from sightline.ml.periods import find_period
    from sightline.ml.preparation import Limits
    from sightline.ml.requests import ApplyRequest, Context, FitRequest, SampleRequest, ScoreRequest, split_model_name
    from sightline.ml.sampling import check_sample, sample
    from sightline.ml.scoring import SCORERS, check_score, find_scorer, score
    from sightline.ml.telling import told_by_numbers
    from sightline.ml.text_clusters import leader_clusters
    from sightline.ml.training import COMMON_PARAMETERS, FitResult, check_fit, fit

_HOMES = {
    "algorithms": ("ALGORITHMS", "find_algorithm"),
    "applying": ("Applier", "apply", "load_applier", "prepare_apply", "summarise", "summary"),
    "decomposition": ("deseasonalised",),
    "drift": ("compare_fields", "ks_statistic", "population_stability_index"),
    "forecasting": ("Forecast", "forecast", "forecast_together"),
    "kmeans": ("Clusters", "kmeans_clusters"),
    "model": ("Model",),
    "models": ("ModelRegistry",),
    "novelty": ("likeness", "unexpectedness"),
    "periods": ("find_period",),
    "preparation": ("Limits",),
    "requests": ("ApplyRequest", "Context", "FitRequest", "SampleRequest", "ScoreRequest", "split_model_name"),
    "sampling": ("check_sample", "sample"),
    "scoring": ("SCORERS", "check_score", "find_scorer", "score"),
    "telling": ("told_by_numbers",),
    "text_clusters": ("leader_clusters",),
    "training": ("COMMON_PARAMETERS", "FitResult", "check_fit", "fit"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ALGORITHMS",
    "COMMON_PARAMETERS",
    "SCORERS",
    "Applier",
    "ApplyRequest",
    "Clusters",
    "Context",
    "FitRequest",
    "FitResult",
    "Forecast",
    "Limits",
    "Model",
    "ModelRegistry",
    "SampleRequest",
    "ScoreRequest",
    "apply",
    "check_fit",
    "check_sample",
    "check_score",
    "compare_fields",
    "deseasonalised",
    "find_algorithm",
    "find_period",
    "find_scorer",
    "fit",
    "forecast",
    "forecast_together",
    "kmeans_clusters",
    "ks_statistic",
    "leader_clusters",
    "likeness",
    "load_applier",
    "population_stability_index",
    "prepare_apply",
    "sample",
    "score",
    "split_model_name",
    "summarise",
    "summary",
    "told_by_numbers",
    "unexpectedness",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
