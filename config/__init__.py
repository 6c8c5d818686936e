"""Settings and the files a user edits."""
