"""Views of the log: a table, its queries and one function per event, together in one file a view."""
