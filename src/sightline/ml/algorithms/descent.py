"""Models trained by gradient descent: linear ones and a network. They go on learning with partial_fit."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier

from sightline.ml.algorithms.declaration import (
    CLASSIFIER,
    REGRESSOR,
    Algorithm,
    predict_classes,
    predict_numbers,
    summarise_class_coefficients,
    summarise_coefficients,
)
from sightline.ml.model import Model
from sightline.ml.parameters import Parameter, boolean, choice, integer, integer_list, number, random_state

LEARNING_RATES = ("constant", "optimal", "invscaling", "adaptive")


def descent(learning_rate: str) -> tuple[Parameter, ...]:
    """What both linear models take; exactly `n_iter` passes are made, as the toolkit does."""
    return (
        boolean("fit_intercept", True, "Learn a constant term too."),
        random_state(),
        integer("n_iter", 5, "Passes over the rows.", low=1, argument="max_iter"),
        number("l1_ratio", 0.15, "Share of the l1 penalty in elasticnet.", low=0, high=1),
        number("alpha", 0.0001, "Strength of the penalty.", above=0),
        number("eta0", 0.01, "First step size.", above=0),
        number("power_t", 0.25, "How fast steps shrink with invscaling."),
        choice("penalty", "l2", "What keeps coefficients small.", ("l1", "l2", "elasticnet")),
        choice("learning_rate", learning_rate, "How steps shrink.", LEARNING_RATES),
    )


def summarise_network(model: Model) -> pa.Table:
    """One row: the loss, passes made, and the shape of the network."""
    network = model.estimator
    return pa.table(
        {
            "loss": [float(network.loss_)],
            "n_iterations": [int(network.n_iter_)],
            "n_layers": [int(network.n_layers_)],
            "n_outputs": [int(network.n_outputs_)],
            "activation_function": [str(network.activation)],
        }
    )


def own_batch_size(arguments: dict[str, Any], matrix: Any) -> dict[str, Any]:
    """scikit-learn's word for "decide it" where no batch size was written."""
    return {**arguments, "batch_size": arguments["batch_size"] or "auto"}


ALGORITHMS = (
    Algorithm(
        name="SGDClassifier",
        kind=CLASSIFIER,
        summary="Predicts a class by a linear model learned row by row.",
        estimator=SGDClassifier,
        parameters=(
            *descent("optimal"),
            choice(
                "loss",
                "hinge",
                "What is made small.",
                ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron"),
                aliases={"log": "log_loss"},
            ),
        ),
        fixed={"tol": None},
        outputs=predict_classes,
        summarise=summarise_class_coefficients,
        updates=True,
    ),
    Algorithm(
        name="SGDRegressor",
        kind=REGRESSOR,
        summary="Predicts a number by a linear model learned row by row.",
        estimator=SGDRegressor,
        parameters=descent("invscaling"),
        fixed={"tol": None},
        outputs=predict_numbers,
        summarise=summarise_coefficients,
        updates=True,
    ),
    Algorithm(
        name="MLPClassifier",
        kind=CLASSIFIER,
        summary="Predicts a class by a network of neurons.",
        estimator=MLPClassifier,
        parameters=(
            integer("batch_size", None, "Rows of a step. Left out: 200, or all when fewer.", low=1),
            integer("max_iter", 200, "Most passes over the rows.", low=1),
            random_state(),
            number("tol", 0.0001, "When to stop.", above=0),
            number("momentum", 0.9, "How much of the last step is kept (solver sgd).", low=0, high=1),
            choice("activation", "relu", "What a neuron does.", ("identity", "logistic", "tanh", "relu")),
            choice("solver", "adam", "How the network learns.", ("lbfgs", "sgd", "adam")),
            choice("learning_rate", "constant", "How steps shrink (sgd).", ("constant", "invscaling", "adaptive")),
            integer_list("hidden_layer_sizes", (100,), "Neurons of every hidden layer: 100-80-60.", low=1),
        ),
        finish=own_batch_size,
        outputs=predict_classes,
        summarise=summarise_network,
        updates=True,
    ),
)
