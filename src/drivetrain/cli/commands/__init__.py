"""The commands, one file each; the first line of its docstring is its line in the help."""
