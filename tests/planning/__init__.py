"""Tests of choosing, allocating and judging choices."""
