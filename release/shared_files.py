"""The files below `share/` of a package: man pages and completion scripts, made from the program itself."""

from __future__ import annotations

from pathlib import Path

from machine.cli.completion import Vocabulary, fish, posix
from release import man

BASH, ZSH, FISH = "bash-completion/completions", "zsh/site-functions", "fish/vendor_completions.d"
MAN = "man/man1"


def contents(version: str) -> dict[str, str]:
    """Path below share/ -> text, of every file."""
    vocabulary = Vocabulary({})
    bash, zsh, for_fish = posix(vocabulary, "bash"), posix(vocabulary, "zsh"), fish(vocabulary)
    # A shell loads the file named after the command that is completed.
    found = {
        f"{BASH}/machine": bash,
        f"{BASH}/docker-machine": bash,
        f"{ZSH}/_machine": autoloaded(zsh),
        f"{FISH}/machine.fish": for_fish,
        f"{FISH}/docker-machine.fish": for_fish,
    }
    return found | {f"{MAN}/{name}": page for name, page in man.pages(version).items()}


def autoloaded(script: str) -> str:
    """The script for zsh as a file of $fpath: compinit reads its first line, and runs all of it at the first Tab."""
    return f'#compdef machine docker-machine\n{script}_machine "$@"\n'


def write(place: Path, version: str) -> dict[str, list[str]]:
    """Write the files below `place`; return directory -> names, both sorted."""
    written: dict[str, list[str]] = {}
    for path, text in sorted(contents(version).items()):
        file = place / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o644)
        written.setdefault(str(Path(path).parent), []).append(file.name)
    return written
