"""Tests: unit/console."""
