"""One run of a program: how long it took, how much of a core and how much memory, and whether it had to be stopped."""

import os
import select
import signal
import subprocess
import time
from typing import NamedTuple

# How often memory is looked at. The kernel keeps the peak itself, so only a peak in the last of these is missed.
GLANCE_MS = 20
GRACE_SECONDS = 5


class Usage(NamedTuple):
    seconds: float
    cpu: float
    mib: float
    # The exit code; below 0 the signal; None where time ran out.
    code: "int | None"


def run(command, timeout, log, folder):
    """Runs it in a session of its own, all it says to the file `log`, and all it leaves behind in the folder.

    CPU is that of the program and of what it started, in user and kernel mode. Memory is the sum of the peaks of all its
    processes: `ru_maxrss` would count what this Python had when it forked.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        cwd=folder, env=at_home(folder),
    )
    peaks = {}
    try:
        is_over = wait(process.pid, began + timeout, peaks)
    except BaseException:
        end(process.pid)
        raise
    if not is_over:
        end(process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    code = process.returncode if is_over else None
    return Usage(seconds, usage.ru_utime + usage.ru_stime, sum(peaks.values()) / 1024, code)


def at_home(folder):
    """The environment of a program that has its settings and its caches in that folder, and so none of anybody's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return {**kept, "HOME": str(folder)}


def wait(pid, deadline, peaks):
    """Whether it ended by itself before the deadline. It is looked at once at least, however late that is."""
    watch = select.poll()
    file = os.pidfd_open(pid)
    try:
        watch.register(file, select.POLLIN)
        while True:
            look(pid, peaks)
            if watch.poll(GLANCE_MS):
                return True
            if time.monotonic() >= deadline:
                return False
    finally:
        os.close(file)


def end(pid):
    """Ends the session's processes, politely at first. The first stays a zombie, so its number is nobody else's yet."""
    os.killpg(pid, signal.SIGTERM)
    wait(pid, time.monotonic() + GRACE_SECONDS, {})
    os.killpg(pid, signal.SIGKILL)


def look(pid, peaks):
    """Notes the peak of a process, in KiB, and of all below it."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    peaks[pid] = int(line.split()[1])
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                for child in children.read().split():
                    look(int(child), peaks)
    except OSError:
        # It has just ended.
        pass
