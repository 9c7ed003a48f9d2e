"""JupyterLab as a student has it: a server of its own, a headless Chromium, one open notebook."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

TOKEN = "browser-test"  # noqa: S105  it guards a server on the loopback, for seconds
SETTINGS = {
    # Every cell stays in the page, so that all of them can be looked at.
    "notebook-extension/tracker": {"windowingMode": "none"},
    # No question about news on the first start, and no request for them.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
# What the page is asked. `jupyterapp` is there because the server is told to expose it.
FIND = """
const panel = jupyterapp.shell.currentWidget, cells = panel.content.widgets;
const name = cell => (cell.model.getMetadata('nbgrader') || {}).grade_id || cell.model.id;
const index = cells.findIndex(cell => name(cell) === arguments[0]), cell = cells[index];
"""
READY = """
const panel = window.jupyterapp && jupyterapp.shell.currentWidget;
const kernel = panel && panel.sessionContext && panel.sessionContext.session?.kernel;
return Boolean(kernel && kernel.status === 'idle' && panel.content.widgets.length > 1);
"""
RUN = """
const done = arguments[arguments.length - 1], start = performance.now();
const tell = () => done((performance.now() - start) / 1000);
panel.content.activeCellIndex = index;
jupyterapp.commands.execute('notebook:run-cell').then(tell, tell);
"""
OUTPUTS = "return cell.model.outputs ? cell.model.outputs.toJSON() : [];"
FINISHED = """
const cells = jupyterapp.shell.currentWidget.content.widgets.filter(c => c.model.type === 'code');
const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
const busy = cells.some(c => c.model.executionState === 'running');
const failed = cells.some(c => c.model.outputs.toJSON().some(o => o.output_type === 'error'));
return kernel.status === 'idle' && !busy && (failed || cells.every(c => c.model.executionCount));
"""


@contextlib.contextmanager
def server(folder: Path, root: Path, theme: str = "JupyterLab Light") -> Iterator[str]:
    """A JupyterLab on `root` with settings of its own under `folder`; yields its address.

    Raises:
        RuntimeError: it ended, or did not answer within a minute; the message holds its log.
    """
    log = folder / "jupyterlab.log"
    with _short_folder() as short, log.open("w") as output:
        process = subprocess.Popen(
            _command(root), cwd=root, env=_environment(folder, short, theme),
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield _address(process, short, log)
        finally:
            _end(process)


def _command(root: Path) -> list[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.root_dir": root,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,  # CI runs as root in a container
        "IdentityProvider.token": TOKEN,
        "LabApp.expose_app_in_browser": True,
    }
    values = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "jupyterlab", *values]


def _environment(folder: Path, short: Path, theme: str) -> dict[str, str]:
    places = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    variables = {f"JUPYTER_{name}_DIR": str(short / place) for name, place in places.items()}
    settings = folder / "settings"
    look = {"apputils-extension/themes": {"theme": theme}}
    for name, values in (SETTINGS | look).items():
        file = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    variables["JUPYTERLAB_SETTINGS_DIR"] = str(settings)
    variables["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / "workspaces")
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # A figure in a cell is drawn by the kernel's own backend, which this would overrule.
    return {k: v for k, v in os.environ.items() if k != "MPLBACKEND"} | variables


@contextlib.contextmanager
def _short_folder() -> Iterator[Path]:
    """A folder whose path is short: kernels put Unix sockets there (at most 107 characters)."""
    folder = Path(tempfile.mkdtemp(prefix="jl-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _address(process: "subprocess.Popen[bytes]", short: Path, log: Path) -> str:
    """The address that the server wrote down, once it answers there."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        for file in (short / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(OSError, ValueError):
                url = str(json.loads(file.read_text())["url"])
                with urlopen(f"{url}api?token={TOKEN}", timeout=5):  # noqa: S310  our own server
                    return url
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start.\n{log.read_text()[-2000:]}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the server, which ends its kernels, and whatever is left of them after 20 seconds."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    for left in [child for child in family if child.is_running()]:
        with contextlib.suppress(psutil.Error):
            left.kill()
    process.kill()
    process.wait()


@contextlib.contextmanager
def chromium(folder: Path, width: int = 1200, height: int = 900) -> Iterator[Chrome]:
    """A headless Chromium with an empty profile under `folder`."""
    options = ChromeOptions()
    names = ("chromium", "chromium-browser", "google-chrome")
    options.binary_location = next(filter(None, map(shutil.which, names)))
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-quic",
        "no-first-run", "disable-background-networking", "disable-component-update",
        "disable-sync", f"user-data-dir={folder / 'profile'}", f"window-size={width},{height}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.set_script_timeout(120)
        yield driver
    finally:
        driver.quit()


class Notebook:
    """A notebook open in JupyterLab; cells are named by their `grade_id`, or else by their id.

    Args:
        driver: a browser.
        url: address of the server.
        path: the notebook, seen from the server's root.
        pictures: folder for screenshots.
    """

    def __init__(self, driver: Chrome, url: str, path: str, pictures: Path) -> None:
        self.driver, self.url, self.pictures = driver, url, pictures
        driver.get(f"{url}lab/tree/{path}?token={TOKEN}&reset")
        self.wait(lambda: driver.execute_script(READY), 90, "a notebook with an idle kernel")

    def wait(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        """What `condition` returns as soon as it is true.

        Raises:
            selenium.common.exceptions.TimeoutException: it was not within `seconds`.
        """
        message = f"waited {seconds:g} s for {what}"
        return WebDriverWait(self.driver, seconds, 0.1).until(lambda _: condition(), message)

    def ask(self, script: str, *arguments: Any) -> Any:
        """Run `script`, which knows the first argument's cell as `cell`, in the page."""
        return self.driver.execute_script(FIND + script, *arguments)

    def write(self, name: str, source: str) -> None:
        """Put `source` into a cell."""
        self.ask("cell.model.sharedModel.setSource(arguments[1]);", name, source)

    def run(self, name: str) -> float:
        """Run one cell as Shift+Enter does; returns the seconds it took."""
        return float(self.driver.execute_async_script(FIND + RUN, name))

    def run_all(self, seconds: float = 600) -> None:
        """Choose "Run All Cells" in the menu, and wait for the last cell or the first error."""
        self.driver.execute_script(
            "for (const w of jupyterapp.shell.currentWidget.content.widgets)"
            " if (w.model.type === 'code') { w.model.clearExecution(); }"
        )
        self.click("li.lm-MenuBar-item", "Run")
        self.click("li.lm-Menu-item[data-command='runmenu:run-all']", "")
        self.wait(lambda: self.driver.execute_script(FINISHED), seconds, "the end of all cells")

    def click(self, selector: str, text: str) -> None:
        """Click on the element under `selector` that holds `text`."""
        find = self.driver.find_elements
        found = lambda: [e for e in find("css selector", selector) if text in e.text]  # noqa: E731
        self.wait(found, 20, f"{selector} {text}")[0].click()

    def type(self, name: str, keys: str) -> None:
        """Empty a cell and type `keys` into it."""
        self.write(name, "")
        self.ask(
            "panel.content.activeCellIndex = index; panel.content.mode = 'edit';"
            "cell.editor.focus();",
            name,
        )
        self.driver.switch_to.active_element.send_keys(keys)

    def completions(self, name: str, text: str) -> list[str]:
        """What JupyterLab offers when `text` and a tabulator are typed into the cell.

        It waits a second for the kernel's answer and then gives up; the first answer of a busy
        machine can take longer, so the key is pressed again, as a person would.
        """
        self.type(name, text)
        find = self.driver.find_elements

        def offered() -> list[str]:
            shown = [e.text for e in find("css selector", ".jp-Completer-match")]
            if not shown:
                self.driver.switch_to.active_element.send_keys(Keys.TAB)
            return shown

        return list(WebDriverWait(self.driver, 30, 1.5).until(lambda _: offered(), "completions"))

    def outputs(self, name: str) -> list[dict[str, Any]]:
        """The outputs of a cell, as a saved notebook holds them."""
        return list(self.ask(OUTPUTS, name))

    def card(self, name: str) -> str:
        """The text of the card that a cell shows, as rendered; "" where it shows none."""
        script = "return cell.node.querySelector('.litcourse-card')?.innerText ?? '';"
        return str(self.ask(script, name))

    def widths(self, name: str) -> list[float]:
        """The widths of the pictures in a cell's card, as rendered; 0 for one that is broken."""
        script = (
            "return [...cell.node.querySelectorAll('.litcourse-card img')]"
            ".map(i => i.naturalWidth && i.clientWidth);"
        )
        return list(self.ask(script, name))

    def text(self, name: str) -> str:
        """The text of all outputs of a cell, as rendered."""
        script = "return cell.node.querySelector('.jp-OutputArea').innerText;"
        return str(self.ask(script, name))

    def errors(self) -> dict[str, str]:
        """The names of the cells with an error among their outputs, and that error."""
        script = (
            "const bad = {}; for (const c of cells.filter(c => c.model.type === 'code'))"
            " for (const o of c.model.outputs.toJSON())"
            " if (o.output_type === 'error') bad[name(c)] = o.ename + ': ' + o.evalue; return bad;"
        )
        return dict(self.ask(script, ""))

    def picture(self, name: str, title: str) -> Path:
        """A screenshot of the page with a cell at its top."""
        self.ask("cell.node.scrollIntoView({block: 'start'});", name)
        path = self.pictures / f"{title}.png"
        self.driver.save_screenshot(str(path))
        return path

    def end_kernels(self) -> None:
        """End all kernels of the server, and wait until it has."""
        for session in self._api("GET", "api/sessions"):
            self._api("DELETE", f"api/sessions/{session['id']}")

    def _api(self, method: str, path: str) -> Any:
        headers = {"Authorization": f"token {TOKEN}"}
        request = Request(f"{self.url}{path}", method=method, headers=headers)  # noqa: S310
        with urlopen(request, timeout=20) as answer:  # noqa: S310  our own server
            body = answer.read()
        return json.loads(body) if body else None
