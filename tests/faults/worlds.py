"""Where all scenarios play: on loopback, or in two network namespaces joined by a cable, with smtp-sinks of Postfix.

near   10.81.N.25    the relay, alone; N is the network of the scenario
far    10.80.N.x     exchangers (.1 .2 .3), clients, hosts that never answer; this process is there, too
"""

from tests.faults import namespaces
from tests.faults.ports import free_port
from tests.faults.real import RealSink
from tests.faults.sinks import Sink

RELAY_PORT = 2525


class Loopback:
    """Everything on addresses of 127.0.0.0/8; the exchangers are ours, in this process.

    `half` is the second number of all addresses: two worlds may play at once.
    """

    is_real = False
    sink = Sink
    at_relay = ()  # what stands before the command of the relay
    clients, networks = "127.0.0.1", "127.0.0.0/8"

    def __init__(self, half=0):
        self.half = half

    def net(self, number):
        """The network of a scenario, but for the last number of its addresses."""
        return f"127.{self.half}.{number}."

    def place(self, number, node=0):
        """Where a relay of a scenario is to listen."""
        address = f"{self.net(number)}{25 + node}"
        return address, free_port([address])


class Namespaces:
    """Two namespaces from `with` to its end, one such pair on a machine; this process moves to the far one."""

    is_real = True
    sink = RealSink
    at_relay = ("nsenter", f"--net=/run/netns/{namespaces.NEAR}")
    clients, networks = "10.80.255.254", "10.80.0.0/16"

    def net(self, number):
        """As on loopback."""
        return f"10.80.{number}."

    def place(self, number, node=0):  # noqa: ARG002  # there is one relay
        """As on loopback."""
        return f"10.81.{number}.25", RELAY_PORT

    def __enter__(self):
        namespaces.lay()
        return self

    def __exit__(self, *_):
        namespaces.clear()
