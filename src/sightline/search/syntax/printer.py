"""Prints a pipeline back as text: one canonical spelling, which reads back as the same commands."""

from __future__ import annotations

from sightline.search.syntax.tree import Pipeline


def print_pipeline(pipeline: Pipeline) -> str:
    """Canonical text. The first stage is written after a pipe unless it is the implicit `search`."""
    from sightline.search.registry import read_command

    parts = [str(read_command(stage)) for stage in pipeline.stages]
    if not parts:
        return ""
    text = " | ".join(parts)
    return text if pipeline.stages[0].name == "search" and not pipeline.leading_pipe else "| " + text
