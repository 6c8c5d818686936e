"""Choosing well: which playbook to propose, who works which incident, and what another choice would have done."""
