"""Tests: unit/directory."""
