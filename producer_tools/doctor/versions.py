"""Which versions are installed, and which extras."""

import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version

from producer_tools.doctor.results import CheckResult

_PACKAGE = "producer-tools"
_PACKAGES = (_PACKAGE, "langchain-core", "langgraph", "aiohttp")
_REQUIREMENT = re.compile(r"""(?P<name>[\w.-]+).*\bextra\s*==\s*['"](?P<extra>[^'"]+)['"]""")


def check_versions() -> list[CheckResult]:
    """The versions of Python and the packages, and the extras of which every package is installed."""
    packages = [CheckResult(name, "good", _version(name) or "not installed") for name in _PACKAGES[1:]]
    own = _version(_PACKAGE)
    first = CheckResult(_PACKAGE, "good" if own else "not known", own or "It is not installed: this is a source tree.")
    return [first, CheckResult("Python", "good", platform.python_version()), *packages, _extras()]


def _extras() -> CheckResult:
    try:
        needed = requires(_PACKAGE) or []
    except PackageNotFoundError:
        return CheckResult("extras", "not known", "producer-tools is not installed: this is a source tree.")
    extras: dict[str, bool] = {}
    for found in filter(None, map(_REQUIREMENT.match, needed)):
        extras[found["extra"]] = extras.get(found["extra"], True) and _version(found["name"]) is not None
    there, missing = ([name for name in extras if extras[name] is wanted] for wanted in (True, False))
    text = f"installed: {', '.join(there) or 'none'}; not installed: {', '.join(missing) or 'none'}"
    return CheckResult("extras", "good", text)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
