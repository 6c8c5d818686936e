"""Every fact, value and invariant. Standard library only; imports nothing of ours."""
