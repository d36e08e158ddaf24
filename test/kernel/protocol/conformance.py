"""Jupyter's own conformance tests (PyPI `jupyter_kernel_test`), run against an installed `lensor` kernelspec."""

import unittest

import jupyter_kernel_test


class LensorKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "lensor"
    language_name = "typescript"
    file_extension = ".ts"

    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('to stderr')"
    code_generate_error = "throw new Error('on purpose')"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "const n: number = 2; n + 1", "result": "3"},
        {"code": "'text'", "result": "'text'"},
        {"code": "await Promise.resolve([1, 2])", "result": "[ 1, 2 ]"},
        {"code": "Deno.jupyter.html`<b>${6 * 7}</b>`", "result": "<b>42</b>", "mime": "text/html"},
    ]
    code_display_data = [
        {"code": "await display({[Symbol.for('Jupyter.display')]: () => ({'text/html': '<b>hi</b>'})})", "mime": "text/html"},
        {"code": "import * as tslab from 'tslab'; tslab.display.markdown('# hi')", "mime": "text/markdown"},
        {"code": "%%html\n<b>hi</b>", "mime": "text/html"},
    ]
    code_page_something = "setTimeout?"
    code_clear_output = "console.clear()"
    code_history_pattern = "6 * ?"
    code_inspect_sample = "setTimeout"
    supported_history_operations = ("tail", "range", "search")
    completion_samples = [
        {"text": "setTim", "matches": {"setTimeout"}},
        {"text": "Math.sq", "matches": {"sqrt"}},
    ]
    complete_code_samples = ["1", "const a = 1;", "function f(x: number) {\n  return x * 2;\n}", "%who", "name?"]
    incomplete_code_samples = ["function f(", "const t = `one", "if (1) {", "/* a comment", "%%time\nf("]
    invalid_code_samples = ["const = 7q", "let let let", "}", "%no_such_magic"]


class LensorWelcomeTests(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "lensor"
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main()
