"""A kernel behind CurveZMQ, started by jupyter_client with its own keys: one cell runs, and who has no keys hears nothing."""

import json
import sys

import zmq
from jupyter_client.manager import KernelManager

manager = KernelManager(kernel_name="lensor", transport_encryption="required", transport=sys.argv[1])
if sys.argv[1] == "ipc":
    manager.ip = sys.argv[2]
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=20)

with open(manager.connection_file) as file:
    info = json.load(file)
context = zmq.Context()


def listens(**keys):
    """Whether a subscriber with these keys hears what a cell prints."""
    socket = context.socket(zmq.SUB)
    for name, value in keys.items():
        setattr(socket, name, value)
    socket.linger = 0
    socket.subscribe(b"")
    between = ":" if sys.argv[1] == "tcp" else "-"
    socket.connect(f"{sys.argv[1]}://{info['ip']}{between}{info['iopub_port']}")
    socket.poll(300)
    client.execute_interactive("console.log('the secret')", timeout=10, output_hook=lambda _: None)
    heard = b""
    while socket.poll(300):
        heard += b"".join(socket.recv_multipart())
    socket.close()
    return b"the secret" in heard


public, secret = zmq.curve_keypair()
other, _ = zmq.curve_keypair()
mine = {"curve_publickey": public, "curve_secretkey": secret}
outcome = {
    "encrypted": "curve_publickey" in info,
    "in the clear": listens(),
    "another server's key": listens(**mine, curve_serverkey=other),
    "this server's key": listens(**mine, curve_serverkey=info["curve_publickey"].encode()),
    "heartbeat": client.is_alive(),
}
client.stop_channels()
manager.shutdown_kernel()
print(json.dumps(outcome))
