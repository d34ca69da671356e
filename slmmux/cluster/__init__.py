"""A pool that does not fit at once: Ray Data runs model after model on the machines of a cluster (extra `ray`).

`load_pool` reads `pool.toml`, and `profile_on_ray` samples its models into a recording. The recording's file is the
journal of any profile: what is in it is not asked for again, so a lost machine costs its batch, and a lost driver what
had not come yet.
"""

from slmmux.cluster._pool import ModelConfig, PoolConfig, load_pool
from slmmux.cluster._profile import profile_on_ray

__all__ = ["ModelConfig", "PoolConfig", "load_pool", "profile_on_ray"]
