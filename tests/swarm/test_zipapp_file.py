"""What is shipped to a machine runs there with nothing but python3."""

import io
import pathlib
import subprocess
import sys
import zipfile

from machine.swarm import zipapp_file
from machine.swarm.zipapp_file import bundle


def shipped(tmp_path, *words):
    path = tmp_path / "machine-swarm.pyz"
    path.write_bytes(bundle())
    argv = [sys.executable, "-I", "-S", str(path), *words]  # -S: without any installed package
    return subprocess.run(argv, capture_output=True, text=True, env={}, cwd=tmp_path)


def test_it_runs_alone(tmp_path):
    done = shipped(tmp_path, "list", "nodes://a:[1:2]")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a:1\na:2\n", "")


def test_every_module_in_it_can_be_imported(tmp_path):
    path = tmp_path / "x.pyz"
    path.write_bytes(bundle())
    code = (
        "import sys, zipfile, importlib; sys.path.insert(0, sys.argv[1])\n"
        "for name in zipfile.ZipFile(sys.argv[1]).namelist():\n"
        "    if name.startswith('machine/') and 'simulator' not in name:\n"
        "        importlib.import_module(name[:-3].replace('/', '.').removesuffix('.__init__'))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_error_is_said_without_a_traceback(tmp_path):
    done = shipped(tmp_path, "manage", "--strategy=best", "a:1")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: there is no strategy 'best'\n")
    assert "Traceback" not in done.stderr


def test_it_is_small_and_the_same_every_time():
    bundle.cache_clear()
    first = bundle()
    bundle.cache_clear()
    assert first == bundle()
    assert len(first) < 300_000


def test_what_is_left_out_is_there_under_that_name_and_not_in_it():
    package = pathlib.Path(zipapp_file.__file__).parent
    names = zipfile.ZipFile(io.BytesIO(bundle())).namelist()
    for left_out in (*zipapp_file._LEFT_OUT, *zipapp_file._KNOW_THE_STORE):
        assert (package / left_out).exists(), f"{left_out} was renamed: it is shipped now"
        assert not [name for name in names if name.startswith(f"machine/swarm/{left_out}")]
