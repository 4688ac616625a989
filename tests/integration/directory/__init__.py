"""Tests: integration/directory."""
