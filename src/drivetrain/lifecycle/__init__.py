"""The verbs: what the Python API and the CLI call, one file each."""
