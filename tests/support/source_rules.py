"""What source may not do with text that is not its own: rules over Python's syntax tree."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_FORBIDDEN_IMPORTS = frozenset({
    "pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "subprocess", "webbrowser", "socket", "ctypes", "cffi",
    "yaml", "http", "ftplib", "smtplib", "urllib.request", "requests", "sqlite3", "code", "codeop", "runpy", "pty",
    "xmlrpc", "torch.package", "torch.hub", "onnx.hub", "torch.utils.cpp_extension", "jinja2", "xml",
})  # fmt: skip
_RUNS = frozenset({"exec", "eval", "compile", "__import__", "execfile", "globals", "locals"})
_OS = ("system", "popen", "spawn", "exec", "posix_spawn", "fork", "startfile")
_NATIVE = frozenset({
    "CDLL", "dlopen", "load_library", "register_custom_ops_library", "hub", "to_folder", "load_state_dict_from_url",
    "FunctionType", "CodeType", "literal_eval", "mktemp", "Unpickler", "format_map", "spec_from_file_location", "exec_module", "vformat", "Template",
})  # fmt: skip
_PROGRAMS = frozenset({"joblib.load", "torch.export.load", "torch.jit.load", "tensorflow.saved_model.load"})
_NAMED_FIRST = frozenset({"add_module", "register_module", "register_buffer", "register_parameter", "delattr"})
_NAMED_SECOND = frozenset({"setattr", "getattr", "__setattr__", "__getattribute__", "attrgetter", "methodcaller"})
_GRAPH = frozenset({"get_attr", "call_module", "placeholder", "call_method", "create_node"})
_MADE = frozenset({"node_attribute", "weight_attribute", "helper_attribute", "input_name"})
_LOGS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
_REGEX = frozenset({"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"})
_DRAWN = frozenset({"set_title", "suptitle", "set_xlabel", "set_ylabel", "annotate", "legend", "figtext"})


@dataclass(frozen=True)
class Found:
    """A place that a rule objects to."""

    file: str
    function: str
    rule: str
    line: int

    @property
    def key(self) -> tuple[str, str, str]:
        return self.file, self.function, self.rule


def findings(path: Path, root: Path) -> Iterator[Found]:
    """Everything in a file that a rule objects to."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node, function, around in _walk(tree, (), tree):
        for rule in RULES:
            if word := rule(node, around):
                yield Found(path.relative_to(root).as_posix(), ".".join(function), word, getattr(node, "lineno", 0))


def _walk(
    node: ast.AST, function: tuple[str, ...], around: ast.AST
) -> Iterator[tuple[ast.AST, tuple[str, ...], ast.AST]]:
    for child in ast.iter_child_nodes(node):
        yield child, function, around
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            within = around if isinstance(child, ast.ClassDef) else child
            yield from _walk(child, (*function, child.name), within)
        else:
            yield from _walk(child, function, around)


def _name(call: ast.AST) -> str:
    """The last part of what is called."""
    if not isinstance(call, ast.Call):
        return ""
    return getattr(call.func, "attr", None) or getattr(call.func, "id", "")


def _owner(call: ast.AST) -> str:
    """What stands before it: ``os`` of ``os.system``."""
    found = call.func.value if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else None
    return ast.unparse(found) if found is not None else ""


def _literal(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant)


def _argument(call: ast.Call, position: int) -> ast.AST | None:
    return call.args[position] if position < len(call.args) else None


def _keyword(call: ast.Call, name: str) -> object:
    return next((k.value.value for k in call.keywords if k.arg == name and isinstance(k.value, ast.Constant)), None)


def runs_text(node: ast.AST, _: ast.AST) -> str:
    """exec, eval, compile and their like."""
    used = node.id if isinstance(node, ast.Name) else ""
    return used if used in _RUNS else ""


def imports(node: ast.AST, _: ast.AST) -> str:
    """Modules that run, unpickle or send things."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [one.name for one in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
    bad = {name for name in names for one in _FORBIDDEN_IMPORTS if name == one or name.startswith(f"{one}.")}
    return f"import {min(bad)}" if bad else ""


def imports_by_name(node: ast.AST, _: ast.AST) -> str:
    """A module whose name is worked out."""
    is_one = isinstance(node, ast.Call) and _name(node) == "import_module"
    return "import_module" if isinstance(node, ast.Call) and is_one and not _literal(_argument(node, 0)) else ""


def loads(node: ast.AST, _: ast.AST) -> str:
    """Arrays and tensors that could be pickles."""
    if isinstance(node, ast.Attribute) and ast.unparse(node) in _PROGRAMS:
        return ast.unparse(node)
    if _name(node) == "load_model":
        return "load_model"
    if not isinstance(node, ast.Call) or _name(node) != "load":
        return ""
    if _owner(node) in {"np", "numpy"} and _keyword(node, "allow_pickle") is not False:
        return "np.load"
    return "torch.load" if _owner(node) == "torch" and _keyword(node, "weights_only") is not True else ""


def starts_programs(node: ast.AST, _: ast.AST) -> str:
    """Other programs."""
    if not isinstance(node, ast.Call):
        return ""
    if _owner(node) == "os" and _name(node).startswith(_OS):
        return f"os.{_name(node)}"
    return "shell=True" if _keyword(node, "shell") is True else ""


def native(node: ast.AST, _: ast.AST) -> str:
    """Libraries, code objects, templates, temporary names that others can take."""
    used = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return used if used in _NATIVE else ""


def names_attributes(node: ast.AST, _: ast.AST) -> str:
    """Attributes and submodules whose name is worked out."""
    if not isinstance(node, ast.Call):
        return ""
    called = _name(node)
    if called in _NAMED_FIRST and not _literal(_argument(node, 0)):
        return called
    place = 0 if called in {"attrgetter", "methodcaller"} else 1
    return called if called in _NAMED_SECOND and not _literal(_argument(node, place)) else ""


def names_in_graphs(node: ast.AST, around: ast.AST) -> str:
    """What torch.fx writes into source: literals, and names made by ``attributes.py``."""
    if not isinstance(node, ast.Call) or _name(node) not in _GRAPH or not isinstance(node.func, ast.Attribute):
        return ""
    target = _argument(node, 0)
    return "" if _literal(target) or _is_made(target, around) else f"fx {_name(node)}"


def _is_made(target: ast.AST | None, around: ast.AST) -> bool:
    """Whether it is a call of a function that makes names, or a variable that holds nothing but such."""
    if not isinstance(target, ast.Name):
        return _name(target) in _MADE if target is not None else False
    given = [
        assigned.value
        for assigned in ast.walk(around)
        if isinstance(assigned, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == target.id for t in assigned.targets)
    ]  # fmt: skip
    return bool(given) and all(_name(value) in _MADE for value in given)


def templates(node: ast.AST, _: ast.AST) -> str:
    """Format strings that are no literals."""
    if isinstance(node, ast.Call) and _name(node) == "format" and isinstance(node.func, ast.Attribute):
        return "" if _literal(node.func.value) else "format"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and not _literal(node.left):
        words = isinstance(node.right, ast.Tuple | ast.Dict | ast.JoinedStr)
        return "%" if words or (isinstance(node.right, ast.Constant) and isinstance(node.right.value, str)) else ""
    if isinstance(node, ast.Call) and _name(node) in _LOGS and "log" in _owner(node).lower():
        return "" if _literal(_argument(node, 1 if _name(node) == "log" else 0)) else "log"
    return ""


def patterns(node: ast.AST, _: ast.AST) -> str:
    """Regular expressions that are no literals."""
    is_one = isinstance(node, ast.Call) and _owner(node) == "re" and _name(node) in _REGEX
    return f"re.{_name(node)}" if isinstance(node, ast.Call) and is_one and not _literal(_argument(node, 0)) else ""


def rewrites_modules(node: ast.AST, _: ast.AST) -> str:
    """Changes of what is imported, and of an object's attributes behind its back."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        changed = ast.unparse(node.value)
    elif isinstance(node, ast.Call) and _name(node) in {"update", "pop", "setdefault", "clear"}:
        changed = _owner(node)
    else:
        return ""
    return "sys.modules" if changed == "sys.modules" else "__dict__" if changed.endswith(".__dict__") else ""


def drawn_texts(node: ast.AST, _: ast.AST) -> str:
    """Text in plots, which matplotlib reads as formulas where it is not told otherwise."""
    if not isinstance(node, ast.Call) or _name(node) not in _DRAWN or _literal(_argument(node, 0)):
        return ""
    plain = any(k.arg is None and isinstance(k.value, ast.Name) and k.value.id == "NO_MARKUP" for k in node.keywords)
    return "" if plain or _keyword(node, "parse_math") is False else _name(node)


RULES: tuple[Callable[[ast.AST, ast.AST], str], ...] = (
    runs_text, imports, imports_by_name, loads, starts_programs, native, names_attributes, names_in_graphs, templates,
    patterns, rewrites_modules, drawn_texts,
)  # fmt: skip
