"""Calls to many engines at once, and streams that go to or come from many of them."""
