"""Become another program that gets a signal when the starting process dies (Linux).

`python tether.py SIGNAL PARENT PROGRAM ARGUMENT…`: a program of its own because a process with
threads must not run Python between fork and exec.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for the signal, then become the program."""
    signal, parent, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal) != 0:
        sys.exit(f"no signal at the parent's death: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the parent died before its child began")
    os.execvp(program[0], program)  # noqa: S606 - there is no shell to start


if __name__ == "__main__":
    main()
