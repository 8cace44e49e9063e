"""From a file to typed columns: read, infer the Contract, check, split."""
