"""The room's Prefect tasks: registration touches the outside, so it is tried again and never cached."""

from tasks.registry import versions
from tasks.sources.steps import outside

register_version = outside(versions.register)
