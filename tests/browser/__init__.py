"""Tests in a real browser: headless Chromium against the console on the real database. Left out where there is none."""
