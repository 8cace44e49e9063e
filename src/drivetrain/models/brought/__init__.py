"""Models of the user's own, from a file, as families on the same leaderboard."""
