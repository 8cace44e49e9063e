"""Data checks, one file each: an object ``check`` as :class:`drivetrain.data.check.Check` says."""
