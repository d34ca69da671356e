"""How the properties of the core are tried, without a stopwatch that a busy machine would trip: see `tests.lengths`."""

from hypothesis import HealthCheck, settings

from tests.lengths import AT_LENGTH, examples

settings.register_profile(
    "core",
    max_examples=examples(200),
    deadline=None,
    derandomize=not AT_LENGTH,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("core")
