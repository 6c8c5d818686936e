"""Measurements of hosts in windows of event time."""
