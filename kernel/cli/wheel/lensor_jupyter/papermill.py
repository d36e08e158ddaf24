"""Parameters of papermill as TypeScript: what `papermill -p layer 3` puts below the cell that is tagged `parameters`.

papermill knows no TypeScript, and looks for nobody's translators but its own. It does load other packages' engines, so this
one comes in as an engine, papermill's own under another name, and brings its translator along: for every notebook whose
language is TypeScript, whatever engine runs it. Relies on papermill's `Translator`. Runs nothing.
"""

import json
import math
import re

from papermill.engines import NBClientEngine
from papermill.models import Parameter
from papermill.translators import Translator, papermill_translators

# https://tc39.es/ecma262/#sec-number.max_safe_integer
LARGEST_WHOLE = 2**53 - 1
NAME = re.compile(r"(?:[^\W\d]|\$)[\w$]*")
DECLARATION = re.compile(
    r"\s*(?:export\s+)?(?:const|let|var)\s+(?P<name>[\w$]+)\s*(?::\s*(?P<type>[^=]+?)\s*)?"
    r"=\s*(?P<default>.+?)\s*;?\s*(?://\s*(?P<help>.*))?"
)


class TypeScriptTranslator(Translator):
    @classmethod
    def translate(cls, val):
        if isinstance(val, dict):
            return "{" + ", ".join(f"{cls.key(k)}: {cls.translate(v)}" for k, v in val.items()) + "}"
        if isinstance(val, (list, tuple)):
            return "[" + ", ".join(map(cls.translate, val)) + "]"
        if isinstance(val, bool) or val is None:
            return json.dumps(val)
        if isinstance(val, int):
            if abs(val) > LARGEST_WHOLE:
                raise ValueError(
                    f"{val} is no number that TypeScript can hold: whole ones go up to 2^53 - 1. Pass it as text (papermill -r)."
                )
            return str(val)
        if isinstance(val, float) and not math.isfinite(val):
            return "NaN" if math.isnan(val) else "Infinity" if val > 0 else "-Infinity"
        if isinstance(val, float):
            return repr(val)
        # What is left is text, or a day that YAML has read: a day is its text.
        return cls.translate_str(str(val))

    @classmethod
    def translate_str(cls, val):
        # Half of a pair of surrogates cannot be written to a file as it is, but as an escape.
        return json.dumps(val, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()

    @classmethod
    def key(cls, val):
        name = cls.translate_str(str(val))
        # Written plainly, this one would set what the object inherits from.
        return f"[{name}]" if val == "__proto__" else name

    @classmethod
    def comment(cls, cmt_str):
        return f"// {cmt_str}".strip()

    @classmethod
    def assign(cls, name, str_val):
        if not NAME.fullmatch(name):
            raise ValueError(f'A parameter should have a name that TypeScript can have, such as layer; this is "{name}".')
        # A new name below the old one, which every cell below means from then on. Not const: it should have the type `number`,
        # and not the type `3`.
        return f"let {name} = {str_val};"

    @classmethod
    def inspect(cls, parameters_cell):
        """Parameters for `papermill --help-notebook`: those of the cell that are declared on one line."""
        found = map(DECLARATION.fullmatch, parameters_cell["source"].splitlines())
        return [
            Parameter(m["name"], m["type"] or "None", m["default"], (m["help"] or "").strip()) for m in found if m
        ]


class Engine(NBClientEngine):
    """papermill's own, for who asks for it by name."""


papermill_translators.register("typescript", TypeScriptTranslator)
