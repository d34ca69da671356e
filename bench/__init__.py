"""What slmmux costs and what it saves: one module a figure, ratios measured in one run.

python -m bench              all figures, written to bench/RESULTS.md
python -m bench.wall_time    one of them
python -m bench --short      what must hold on any machine, without the clock
"""
