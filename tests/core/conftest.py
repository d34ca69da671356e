"""How the properties of the core are tried: often, and without a stopwatch that a busy machine would trip."""

from hypothesis import HealthCheck, settings

settings.register_profile("core", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("core")
