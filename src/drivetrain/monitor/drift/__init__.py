"""Drift tests, one file each; each module holds one object ``drift``."""
