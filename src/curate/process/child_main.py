"""What a child process runs first (`curate.process.child`): it finds out where curate is before it imports it."""

import sys
from importlib import import_module

if __name__ == "__main__":
    _, target, *path = sys.argv
    sys.path[:] = [*path, *(entry for entry in sys.path if entry not in path)]
    module, _, function = target.partition(":")
    getattr(import_module(module), function)()
