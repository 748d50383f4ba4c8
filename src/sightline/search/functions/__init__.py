"""Eval functions and aggregates, a file per kind. Importing a module here registers its functions."""
