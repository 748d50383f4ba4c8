"""Rules for each sourcetype: how text is broken into events, where their time is, and what is masked, dropped, routed, extracted.

Enters: `<data>/sourcetypes.yml` and the rules that come with the program. Leaves: values that the store writes as SQL and that
a receiver of files asks where it may cut. Nothing here knows the engine.
"""

from sightline.sourcetypes.following import FILE, FollowedRules
from sightline.sourcetypes.reading import builtin_rules, read_rules
from sightline.sourcetypes.rules import Rule, Rules

__all__ = ["FILE", "FollowedRules", "Rule", "Rules", "builtin_rules", "read_rules"]
