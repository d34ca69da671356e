"""A campaign in a database: one plan, and as many workers as you like, on one machine or many.

The plan, the leases and the samples are in PostgreSQL or, for several processes of one machine, in a SQLite file.
`put_plan` writes the questions and the work, `work` does some of it until none is left, `status` looks on, and `pull`
makes the recording.
"""

from slmmux.store._plan import put_plan
from slmmux.store._pull import pull
from slmmux.store._status import MemberStatus, Status, WorkerStatus, status
from slmmux.store._store import Store
from slmmux.store._work import work

__all__ = ["MemberStatus", "Status", "Store", "WorkerStatus", "pull", "put_plan", "status", "work"]
