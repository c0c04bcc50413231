"""Texts that do harm where they are taken for something else than text: one group for each thing that text can become.

Every text of a group that could be run holds ``MARK``, and makes a file of that name if it is.
"""

from pathlib import Path

MARK = "zzmark"
RAW = "zzRAW"
"""Stands for five bytes that are no UTF-8, which protobuf's own setters refuse."""


def payloads(mark: Path) -> dict[str, tuple[str, ...]]:
    """By the thing that takes them for its own; ``mark``: the file that they make, called ``MARK``."""
    call = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    touch = f"touch {mark}"
    return {
        "python": (
            f'w", None) if 0 else {call} or getattr(self, "w', f"w'] + [{call}] + ['w", f'w"; {call}; "',
            f"w\n    {call}\n    #", f"{call}", f"w = {call}", f'w\\", None) if 0 else {call} or getattr(self, \\"w',
            f"w')\n{call}\n('", f'"""\n{call}\n"""', f"w:{call}", f"x, {call}", f"f'{{{call}}}'", f"# coding: rot13 {MARK}",
            f"lambda: {call}", f"w\r{call}\r#", f"w\f{call}", f"]; {call}; [",
        ),
        "shell": (f"$({touch})", f"; {touch};", f"`{touch}`", f"| {touch}", f"& {touch} &", f"\n{touch}\n", f"--{MARK}",
                  f"' ; {touch}; '", f'" ; {touch}; "', f"-rf {mark}"),
        "template": (f"{{{MARK}}}", "{0.__class__.__init__.__globals__}", "%s%s%n", "%(zzmark)s", "${zzmark}",
                     "$\\frac{zzmark}$", "$x^{2}$ \\input{zzmark}", "{", "}", "{!r:>9999999}", "%999999d", "{0}{1}{2}"),
        "document": (f"<script>{MARK}</script>", f'"><img src=x onerror={MARK}>', f"]]><!--{MARK}", "&lt;zzmark&gt;",
                     f"'; DROP TABLE {MARK}; --", f"<svg onload={MARK}>", f"\\end{{x}}\\write18{{{touch}}}"),
        "markup": ("[red]zzmark[/]", "[/]", "[/red]", "[link=file:///zzmark]x[/link]", "[[", "\\[", "[bold", ":smiley:",
                   "[@click=zzmark]x[/]", "**zzmark**", "[conceal]zzmark"),
        "path": (f"../../{MARK}", f"../{MARK}", str(mark), f"~/{MARK}", f"C:\\{MARK}", f"\\\\host\\{MARK}", f"a\x00{MARK}",
                 f"file://{mark}", f"./{MARK}/../..", "..", ".", "/", "//", "/dev/zero", "/dev/stdin", "NUL", "con.png",
                 f"{mark}/w.weight", f"a/../../{MARK}", "result.json", "values.npz"),
        "pattern": ("(((((", "[", "*", "?", "a{99999999}", "(a+)+$", "\\", "(?P<zzmark>", "[!", "x[0]", "x[max,0]", "x:0",
                    "x:0,0,0", "+", "value:x", "^$", "**/*", "[a-", "a|b", "x*y", "1*x", "0-9999999"),
        "data": ("a = [[", '{"a":', "[" * 3000, "{0: 'a'", f"{call}", "'''", "&a [*a]", f"!!python/object/apply:os.system ['{touch}']",
                 "name = \"\"\"", "1e999", "0x", "nan", "9" * 400, "\ufeff[]", "{1: 2}", "a\x00b", '["' + "a" * 3000 + '"]'),
        "control": ("\x1b[31mzzmark", "\x1b]0;zzmark\x07", "\x9b31m", "\u202ezzmark\u202c", "a\nb", "\r", "\x07", "\x00", "\x08" * 20,
                    "\u2028", "\u2066x\u2069", "\x1b]8;;file:///zzmark\x1b\\x", "\x85", f"{RAW}", f"a{RAW}b", "\U000e0041", "e\u0301" * 50),
        "long": ("", " ", "x" * 5000, "x" * 70_000, "é" * 30_000, "x." * 2000, "a/" * 2000, "\U0001f600" * 500, ":" * 100),
        "reserved": ("self", "file", "allow_pickle", "forward", "nodes", "weights", "weight_0", "weights.weight_0", "input_0",
                     "training", "__class__", "__reduce__", "_modules", "_parameters", "None", "0", "-1", "lambda", "logits",
                     "features", "last-conv", "nodes.n0_Conv", "state_dict", "args", "kwargs", "output", "import", "x", "y",
                     "__dict__.x", "a.b", ".a", "a.", "a..b", "graph", "code", "model", "id", "images", "name", "key"),
    }  # fmt: skip


SINKS = tuple(payloads(Path(MARK)))
