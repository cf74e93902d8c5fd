"""A stack in a temporary folder, deployed with the msorch that was built, for tests that use other people's clients."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

MSORCH = os.environ.get('MSORCH')
CLIENT = Path(__file__).with_name('client.py')
# Which botocore speaks which protocol.
VENVS = {'json': Path(sys.executable).parent, 'query': Path(os.environ.get('MSORCH_QUERY_VENV', '/nowhere')) / 'bin'}


class Stack:
    def __init__(self, folder):
        self.folder = folder
        self.server = None

    def environment(self):
        # The environment's own interpreter comes first, with the packages that requirements.txt pins.
        return {**os.environ, 'PATH': f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def msorch(self, *arguments, **options):
        return subprocess.run([MSORCH, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=120,
                              env=self.environment(), **options)

    def deploy(self, stack):
        (self.folder / 'stack.json').write_text(json.dumps(stack))
        result = self.msorch('deploy')
        assert result.returncode == 0, result.stderr

    def invoke(self, function, event):
        result = self.msorch('invoke', function, '--payload', '-', '--output', 'json', input=json.dumps(event))
        assert result.stdout, result.stderr
        return json.loads(result.stdout)

    def serve(self, *options):
        """Starts `msorch serve`, and waits until it says that it is ready."""
        ready = self.folder / 'ready.json'
        ready.unlink(missing_ok=True)
        with open(self.folder / 'serve.log', 'a') as log:
            self.server = subprocess.Popen(
                [MSORCH, 'serve', '--port', '0', '--gateway-port', '0', '--ready-file', str(ready), *options],
                cwd=self.folder, env=self.environment(), stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert self.server.poll() is None and time.monotonic() < deadline, (self.folder / 'serve.log').read_text()
            time.sleep(0.01)
        self.record = json.loads(ready.read_text())
        return self.record

    def stop(self):
        if self.server is not None:
            self.server.terminate()
            self.server.wait(timeout=30)
            self.server = None

    @property
    def endpoint(self):
        return self.record['endpoint']

    def keys(self, owner='developer'):
        key = json.loads((self.folder / '.msorch/credentials').read_text())[owner]
        keys = {'AWS_ACCESS_KEY_ID': key['accessKeyId'], 'AWS_SECRET_ACCESS_KEY': key['secretAccessKey']}
        if key.get('sessionToken'):
            keys['AWS_SESSION_TOKEN'] = key['sessionToken']
        return keys

    def client_environment(self, owner='developer'):
        """For a client outside: no configuration but this stack's."""
        return {'PATH': os.environ['PATH'], 'HOME': str(self.folder), 'AWS_DEFAULT_REGION': 'us-east-1',
                'AWS_CONFIG_FILE': '/nowhere', 'AWS_EC2_METADATA_DISABLED': 'true', **self.keys(owner)}

    def aws(self, *arguments, protocol='json', owner='developer'):
        """The real aws command."""
        return subprocess.run(
            [VENVS[protocol] / 'aws', '--endpoint-url', self.endpoint, '--output', 'json', *arguments],
            capture_output=True, text=True, timeout=60, env=self.client_environment(owner))


class Client:
    """A botocore in a process of its own: today's, or the last that spoke Query."""
    def __init__(self, stack, protocol='json', owner='developer', service='sqs'):
        self.process = subprocess.Popen(
            [VENVS[protocol] / 'python', CLIENT, stack.endpoint, service], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=stack.client_environment(owner))

    def start(self, *calls):
        self.process.stdin.write(json.dumps(calls) + '\n')
        self.process.stdin.flush()

    def finish(self):
        line = self.process.stdout.readline()
        assert line, 'the client has died'
        return json.loads(line)

    def __call__(self, *calls):
        """Each call's answer; '$0.QueueUrl' in a parameter is what an earlier call answered."""
        self.start(*calls)
        return self.finish()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


@pytest.fixture(scope='session')
def make_stack(tmp_path_factory):
    if not MSORCH:
        pytest.fail('MSORCH names the binary to test; Scripts/conformance sets it')
    stacks = []

    def make(name):
        stacks.append(Stack(tmp_path_factory.mktemp(name)))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.stop()


@pytest.fixture
def make_client():
    clients = []

    def make(*arguments, **options):
        clients.append(Client(*arguments, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
