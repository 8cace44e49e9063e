"""One file for each protocol, with one object ``protocol``; see ``serve/protocol.py``."""
