"""The search: trials under a hard clock, a journal of them, and a blend.

``run.py`` reads top to bottom: the portfolio gives Recipes, each is fitted fold by fold in worker
processes (``pool.py``, ``zygote.py``, ``worker.py``, ``fit.py``), finished folds lie as folders in
the run folder (``study.py``), finished trials are lines of the journal, and ``blend.py`` weighs
them on their out-of-fold predictions.
"""
