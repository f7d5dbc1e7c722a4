"""A network of the comparison's own: two namespaces, a cable between them, and the fleet behind its far end.

    client namespace                       server namespace
    scanners   10.98.0.1 near ─── far 10.98.0.2   every address of 10.99.0.0/16, where the fleet listens

Neither has another link, so nothing that a scanner sends can leave the machine. Neither has a name: each lives as long as
a `cat` that ends when its stdin does, which is when this program ends, however it ends. What runs in them is killed then.
"""

import select
import subprocess
import time

CLIENT, SERVER = "10.98.0.1", "10.98.0.2"
# Nobody's as far as the kernel knows, for a scanner that brings its own TCP: the kernel resets no connection of it.
SPARE = "10.98.0.3"
FIRST_HOST = "10.99.1.1"
INTERFACE = "near"

SET_UP = {
    "client": f"""
        ip address add {CLIENT}/29 dev near
        ip link set near up
        ip route add default via {SERVER}
    """,
    "server": f"""
        ip address add {SERVER}/29 dev far
        ip link set far up
        ip route add local 10.99.0.0/16 dev lo
    """,
}
START_UP_SECONDS = 60


class Lab:
    """Up within `with`, gone after it."""

    def __init__(self):
        self.delay = "none"
        self.fleet = None
        self.holders = {}

    def __enter__(self):
        try:
            for side in SET_UP:
                self.holders[side] = hold_namespace()
            shell(self.within("client"), f"ip link add near type veth peer name far netns {self.holders['server'].pid}")
            for side, lines in SET_UP.items():
                shell(self.within(side), "ip link set lo up" + lines)
            self.set_delay()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in [self.fleet, *self.holders.values()]:
            if process:
                process.kill()
                process.wait()

    def set_delay(self):
        """A millisecond each way, where the kernel can: not every one has netem."""
        try:
            for side, device in [("client", "near"), ("server", "far")]:
                shell(self.within(side), f"tc qdisc add dev {device} root netem delay 1ms limit 100000")
            self.delay = "1 ms each way"
        except subprocess.CalledProcessError:
            # Both or neither.
            shell(self.within("client"), "tc qdisc del dev near root || true")
            self.delay = "none (this kernel, or this machine, has no netem)"

    def within(self, side):
        """The words before a command that is to run on that side, and not to outlive this program."""
        return ["nsenter", f"--net=/proc/{self.holders[side].pid}/ns/net", "setpriv", "--pdeathsig", "KILL", "--"]

    def serve(self, hailer, fleet):
        """Starts the fleet of these words; when this returns it can be connected to."""
        command = [*self.within("server"), hailer, "fleet", "--serve", *fleet]
        self.fleet = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, bufsize=0
        )
        heard, deadline = b"", time.monotonic() + START_UP_SECONDS
        while b"\n" not in heard:
            ready, _, _ = select.select([self.fleet.stderr], [], [], max(0, deadline - time.monotonic()))
            more = self.fleet.stderr.read(4096) if ready else b""
            if not more:
                raise SystemExit(f"the fleet does not start: {heard.decode(errors='replace').strip() or 'it says nothing'}")
            heard += more
        if not heard.startswith(b"serving "):
            raise SystemExit(f"the fleet does not start: {heard.decode(errors='replace').strip()}")


def hold_namespace():
    """A process in a network namespace that is its own."""
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo there && exec cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )
    if holder.stdout.readline() != b"there\n":
        raise SystemExit(f"no network namespace: {holder.stderr.read().decode(errors='replace').strip()}")
    return holder


def shell(prefix, lines):
    subprocess.run([*prefix, "sh", "-ec", lines], check=True, capture_output=True, text=True)
