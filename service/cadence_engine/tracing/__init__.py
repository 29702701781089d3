"""Traces: one span for each batch of work and for each traced record, tied by links. Only the edges know of them."""
