"""The prediction log: what the server answered, as docs/decisions/0020-prediction-log.md has it.

A request's rows go into a bounded queue (``writer``), whose thread appends them to an open segment
of frames with a length and a checksum (``segment``), one file for each set of columns
(``layout``). A process of its own (``sealer``) turns segments that no writer holds any more into
Parquet (``parquet``): those that were closed, and those whose writer was killed.
"""
