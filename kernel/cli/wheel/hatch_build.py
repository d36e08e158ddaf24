"""Says for which machines the wheel is: those of this kind, with a C library at least as new as its native code wants."""

import re
import sysconfig
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Platform(BuildHookInterface):
    def initialize(self, version, build_data):
        build_data["tag"] = f"py3-none-{self.platform()}"

    def platform(self):
        name = re.sub(r"[-.]", "_", sysconfig.get_platform())
        if not name.startswith("linux_"):
            return name
        # The packages of others carry several builds, and choose the one that starts.
        addon = next(Path(self.root, "lensor_jupyter/node/node_modules/@lensor").glob("*/lensor.node"))
        versions = [int(minor) for minor in re.findall(rb"\bGLIBC_2\.(\d+)\b", addon.read_bytes())]
        return name.replace("linux_", f"manylinux_2_{max(versions)}_")
