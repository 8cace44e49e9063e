"""The command line: parse, call one verb of ``lifecycle``, print."""
