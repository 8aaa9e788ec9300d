"""Faces of one event stream: a live terminal, plain lines, silence. They write to stderr; stdout carries results."""
