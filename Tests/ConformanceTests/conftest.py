"""A stack in a temporary folder, deployed with the msorch that was built, for tests that use other people's clients."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MSORCH = os.environ.get('MSORCH')


class Stack:
    def __init__(self, folder):
        self.folder = folder

    def msorch(self, *arguments, **options):
        # The environment's own interpreter comes first, with the packages that requirements.txt pins.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run([MSORCH, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=120,
                              env={**os.environ, 'PATH': path}, **options)

    def deploy(self, stack):
        (self.folder / 'stack.json').write_text(json.dumps(stack))
        result = self.msorch('deploy')
        assert result.returncode == 0, result.stderr

    def invoke(self, function, event):
        result = self.msorch('invoke', function, '--payload', '-', '--output', 'json', input=json.dumps(event))
        assert result.stdout, result.stderr
        return json.loads(result.stdout)


@pytest.fixture(scope='session')
def make_stack(tmp_path_factory):
    if not MSORCH:
        pytest.fail('MSORCH names the binary to test; Scripts/conformance sets it')
    return lambda name: Stack(tmp_path_factory.mktemp(name))
