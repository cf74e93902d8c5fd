"""AWS's own runtime client, unchanged, as the bootstrap of a `provided` function."""
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip('awslambdaric')

FIXTURE = Path(__file__).parents[1] / 'Fixtures/functions/python/handler.py'
HANDLER = '''
import logging


def handle(event, context):
    logging.getLogger().warning('seen')
    if event == 'fail':
        raise KeyError('missing')
    return {'event': event, 'id': context.aws_request_id, 'left': context.get_remaining_time_in_millis()}
'''


@pytest.fixture(scope='module')
def stack(make_stack):
    stack = make_stack('awslambdaric')
    code = stack.folder / 'code'
    code.mkdir()
    (code / 'handler.py').write_text(HANDLER)
    shutil.copy(FIXTURE, code / 'fixture.py')
    # What a runtime of AWS says of itself decides how results are written.
    (code / 'bootstrap').write_text(f'#!/bin/sh\nexport AWS_EXECUTION_ENV=AWS_Lambda_$RUNTIME\n'
                                    f'exec {sys.executable} -m awslambdaric "$_HANDLER"\n')
    (code / 'bootstrap').chmod(0o755)
    results = {}
    for runtime in 'python3.11', 'python3.12':
        function = {'handler': 'fixture.result', 'code': 'code', 'timeout': 20, 'environment': {'RUNTIME': runtime}}
        key = runtime[-2:]
        results |= {f'Ours{key}': {**function, 'runtime': runtime}, f'Theirs{key}': {**function, 'runtime': 'provided'}}
    stack.deploy({
        'lambdas': {**results,
                    'Own': {'runtime': 'provided.al2023', 'handler': 'handler.handle', 'code': 'code', 'timeout': 20},
                    'Bad': {'runtime': 'provided', 'handler': 'nowhere.handle', 'code': 'code', 'timeout': 20}},
        'queues': {},
    })
    return stack


def test_response(stack):
    result = stack.invoke('Own', {'a': 'ñ'})
    assert result['payload']['event'] == {'a': 'ñ'}
    assert result['payload']['id'] == result['requestId'] and 0 < result['payload']['left'] <= 20000
    assert any('seen' in line for line in result['log'])


def test_error(stack):
    result = stack.invoke('Own', 'fail')
    assert result['functionError'] == 'Unhandled' and result['errorType'] == 'KeyError'
    assert result['payload']['errorMessage'] == "'missing'" and result['payload']['stackTrace']


def test_init_error(stack):
    result = stack.invoke('Bad', {})
    assert result['errorType'] == 'Runtime.ImportModuleError'
    assert "Unable to import module 'nowhere'" in result['payload']['errorMessage']


@pytest.mark.parametrize('version', ['11', '12'])
@pytest.mark.parametrize('event', ['bytes', 'value', 'decimals', 'named', 'plain'])
def test_results_of_our_own_client(stack, event, version):
    ours, theirs = (stack.msorch('invoke', name + version, '--payload', f'"{event}"') for name in ('Ours', 'Theirs'))
    assert theirs.returncode == 0, theirs.stderr
    assert ours.stdout == theirs.stdout
