"""Tests: integration/console."""
