"""Sightline: logs, metrics and traces of machine-learning systems in one store, searched in SPL."""

__version__ = "0.1.0"
