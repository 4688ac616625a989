"""Runs a program that must not outlive its parent: `python tether.py <signal> <nice> <uid|-> <gid|-> program args…`.

Started by path, outside the package, so it imports the standard library alone. It drops to the given user, asks the
kernel for a signal when the parent ends (Linux), and becomes the program. The order matters: changing the user
forgets the request.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Drop, tether, become. Exits 113 if the parent is already gone."""
    parent = os.getppid()
    death, nice, uid, gid, *program = sys.argv[1:]
    os.nice(int(nice))
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(death))
    if os.getppid() != parent:
        sys.exit(113)
    os.execvp(program[0], program)  # noqa: S606 - becoming the program is the point


main()
