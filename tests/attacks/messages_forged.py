"""Forged messages to the grader.

Strategy: with the kernel's own key and sockets, send replies, idle states, results and errors that
nobody asked for, before, while and after the check runs; nonsense too.
Surface: Jupyter's protocol, by which the grader hears of a cell.
"""

from tests.attacks.arena import Attack

FORGE = """
import threading, time
kernel = get_ipython().kernel
def forge():
    while True:
        parent = kernel.get_parent("shell")
        for kind, content in (
            ("execute_result", {"data": {"text/plain": "10.0"}, "metadata": {},
                                "execution_count": 1}),
            ("display_data", {"data": {"text/plain": 10.0, "text/html": ["10"]}, "metadata": None}),
            ("update_display_data", {"data": {}, "transient": {"display_id": []}}),
            ("stream", {"name": "stdout", "text": "10.0"}),
            ("stream", {"name": [], "text": None}),
            ("clear_output", {"wait": True}),
            ("comm_open", {"comm_id": 1, "target_name": None, "data": {}}),
            ("error", {"ename": None, "evalue": 7, "traceback": "x"}),
            ("no such kind", {"x": [[[]]]}),
            ("execute_input", {"code": "10", "execution_count": -1}),
        ):
            try:
                kernel.session.send(kernel.iopub_socket, kind, content, parent=parent)
            except Exception:
                pass
        time.sleep(0.01)
threading.Thread(target=forge, daemon=True).start()
time.sleep(0.5)
print("forging")
"""

ATTACK = Attack(cells=(FORGE,), settings={"cell_seconds": 10})
