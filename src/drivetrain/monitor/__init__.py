"""Watch a model that serves: drift, quality without labels and with them. Never training code."""
