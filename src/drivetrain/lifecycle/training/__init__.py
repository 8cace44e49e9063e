"""The stages of ``train``: ``rows`` → ``model`` → ``ship``, each a function over a frozen value."""
