"""The responder groups threats into incidents and works them."""
