"""Many runs: which ones, computed anywhere, reduced while running, kept in a folder that survives."""
