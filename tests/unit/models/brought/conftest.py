"""The user's file that tests bring is no module of tests; it needs torch."""

collect_ignore = ["some_models.py"]
