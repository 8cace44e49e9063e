"""Whether what is asked of the outputs comes true on held-out rows, and what each costs."""
