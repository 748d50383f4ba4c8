"""Words of a text field as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sklearn.feature_extraction.text import TfidfVectorizer

from sightline.ml.algorithms.declaration import TRANSFORMER, Algorithm, Block, Outputs
from sightline.ml.columns import as_texts
from sightline.ml.model import Model
from sightline.ml.parameters import choice, integer, integer_range, share_or_count


def learn_words(parameters: dict[str, Any], block: Block, by: list[str]) -> TfidfVectorizer:
    """The words that are counted and how rare they are."""
    return TfidfVectorizer(**parameters).fit(as_texts(block.rows.column(0)).to_pylist())


def weigh_words(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """The weight of every word in every row, named `<field>_tfidf_<number>_<word>`."""
    (field,) = model.preparation.raw
    weights = model.estimator.transform(pc.fill_null(as_texts(block.rows.column(field)), "").to_pylist()).toarray()
    prefix = written or f"{field}_tfidf"
    words = model.estimator.get_feature_names_out()
    return {f"{prefix}_{index}_{word}": pa.array(weights[:, index].copy()) for index, word in enumerate(words)}


ALGORITHMS = (
    Algorithm(
        name="TFIDF",
        kind=TRANSFORMER,
        summary="Weighs the words of a text: often in the row, rare in all rows.",
        train=learn_words,
        parameters=(
            integer("max_features", 100, "How many words are kept, the most frequent ones.", low=1),
            share_or_count("max_df", 1.0, "Words in more rows than this are left out: a share or a count.", {}),
            share_or_count("min_df", 1, "Words in fewer rows than this are left out: a share or a count.", {}),
            choice("stop_words", None, "Words that never count.", ("english",)),
            choice("analyzer", "word", "What is counted.", ("word", "char", "char_wb")),
            choice("norm", "l2", "What a row's weights sum to.", ("l1", "l2", "none"), aliases={"none": None}),
            integer_range("ngram_range", (1, 1), "How many neighbouring words are counted together."),
        ),
        outputs=weigh_words,
        raw_features=True,
        most_features=1,
        max_inputs=200_000,
        doc="Words are runs of two or more letters, digits and underscores, in lower case.",
    ),
)
