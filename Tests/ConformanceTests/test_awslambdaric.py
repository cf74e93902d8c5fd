"""AWS's own runtime client, unchanged, as the bootstrap of a `provided` function."""
import sys

import pytest

pytest.importorskip('awslambdaric')

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
    (code / 'bootstrap').write_text(f'#!/bin/sh\nexec {sys.executable} -m awslambdaric "$_HANDLER"\n')
    (code / 'bootstrap').chmod(0o755)
    stack.deploy({
        'lambdas': {'Own': {'runtime': 'provided.al2023', 'handler': 'handler.handle', 'code': 'code', 'timeout': 20},
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
