"""Figures: pure functions from a run or a model to a plotly figure.

The notebook, the command line's report and the dashboard draw with these same functions.
"""
