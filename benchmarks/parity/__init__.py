"""Does the graph answer what the libraries answer, on every public set."""
