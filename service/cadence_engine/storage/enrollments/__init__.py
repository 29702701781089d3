"""Enrollments: read under lock, decided elsewhere, written in bulk."""
