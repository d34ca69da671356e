"""Measurements of the costs and savings of slmmux: one module for each figure, ratios measured in one run.

python -m bench              measures all figures and writes bench/RESULTS.md
python -m bench.wall_time    measures one of them
python -m bench --short      checks the assumptions that hold on any machine, without a clock
"""
