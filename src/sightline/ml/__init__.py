"""Models over tables: train, apply, score, summarise, sample, keep.

Tables in, tables out; nothing here knows SPL's text. Everything that callers need is named here, and scikit-learn is
imported nowhere else.
"""

from sightline.ml.algorithms import ALGORITHMS, find_algorithm
from sightline.ml.applying import Applier, apply, load_applier, prepare_apply, summarise, summary
from sightline.ml.model import Model
from sightline.ml.models import ModelRegistry
from sightline.ml.preparation import Limits
from sightline.ml.requests import ApplyRequest, Context, FitRequest, ScoreRequest, split_model_name
from sightline.ml.sampling import SampleRequest, check_sample, sample
from sightline.ml.scoring import SCORERS, check_score, find_scorer, score
from sightline.ml.training import COMMON_PARAMETERS, FitResult, check_fit, fit

__all__ = [
    "ALGORITHMS",
    "COMMON_PARAMETERS",
    "SCORERS",
    "Applier",
    "ApplyRequest",
    "Context",
    "FitRequest",
    "FitResult",
    "Limits",
    "Model",
    "ModelRegistry",
    "SampleRequest",
    "ScoreRequest",
    "apply",
    "check_fit",
    "check_sample",
    "check_score",
    "find_algorithm",
    "find_scorer",
    "fit",
    "load_applier",
    "prepare_apply",
    "sample",
    "score",
    "split_model_name",
    "summarise",
    "summary",
]
