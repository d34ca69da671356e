"""Who speaks: what is drawn, how votes are counted, when a race is settled, and who drives it.

Start with `types`, then `vote` (Algorithm 1), `race` (the state machine that never waits) and `drive` (threads and
tasks that do). No framework, no network, and no clock outside the drivers.
"""
