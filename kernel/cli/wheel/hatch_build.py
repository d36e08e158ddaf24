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
        versions = [
            int(minor)
            for path in Path(self.root, "lensor_jupyter").rglob("*")
            if path.is_file() and path.open("rb").read(4) == b"\x7fELF"
            for minor in re.findall(rb"\bGLIBC_2\.(\d+)\b", path.read_bytes())
        ]
        return name.replace("linux_", f"manylinux_2_{max(versions)}_")
