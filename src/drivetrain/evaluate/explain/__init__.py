"""Why a bundle answers as it does: every number here comes from running its graph."""
