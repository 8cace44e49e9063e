"""The stages of ``adopt``: inputs, policies, output, ship."""
