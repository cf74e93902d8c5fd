"""Functions that misbehave, each in its own way, and some that do not."""
import http.client
import logging
import os
import subprocess
import sys
import time
from collections import namedtuple
from decimal import Decimal

cold = True


def echo(event, context):
    print('plain line')
    logging.getLogger().warning('two\nlines')
    return {'event': event, 'unicode': 'ñandú 🦤'}


def describe(event, context):
    return {
        'request_id': context.aws_request_id,
        'name': context.function_name,
        'version': context.function_version,
        'arn': context.invoked_function_arn,
        'memory': context.memory_limit_in_mb,
        'group': context.log_group_name,
        'stream': context.log_stream_name,
        'remaining': context.get_remaining_time_in_millis(),
        'environment': dict(os.environ),
        'folder': os.getcwd(),
        'leader': os.getpgid(0) == os.getpid(),
    }


def fail(event, context):
    raise ValueError('no good: ' + str(event.get('why')))


def hang(event, context):
    child = subprocess.Popen(['sleep', '600'])
    if 'file' in event:
        with open(event['file'] + '.new', 'w') as file:
            file.write(f'{os.getpid()} {child.pid}')
        os.rename(event['file'] + '.new', event['file'])
    time.sleep(600)


def leave(event, context):
    print('last words')
    sys.stdout.flush()
    os._exit(event.get('code', 0))


def crash(event, context):
    os.kill(os.getpid(), 11)


def eat(event, context):
    eaten = []
    while True:
        eaten.append(bytearray(8 * 1024 * 1024))


def unserialisable(event, context):
    return {'when': object()}


def large(event, context):
    return 'x' * (6 * 1024 * 1024 + 200)


def count(event, context):
    global cold
    was, cold = cold, False
    return {'cold': was}


def browse(event, context):
    def ask(headers):
        connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
        connection.request('GET', '/2018-06-01/runtime/nothing', headers=headers)
        return connection.getresponse().status
    return [ask(headers) for headers in event]


class Ошибка(Exception):
    pass


def result(event, context):
    if event == 'error':
        raise Ошибка('no good')
    if event == 'circle':
        circle = []
        circle.append({'again': circle})
        return circle
    point = namedtuple('Point', 'x y')(1, (Decimal('19.90'), 'é'))
    return {
        'bytes': b'{"raw":  1}',
        'value': {'text': b'\xc3\xa9', b'key': [b'']},
        'decimals': [Decimal(text) for text in ('12345678901234567.89', '5.0', '1E+3', '-0', 'NaN', 'Infinity')],
        'named': [point, {'deep': point}, (1, 2)],
        'plain': {1: None, None: 2.50, 'a': [[], {}, '"', '\\', 'ñ🦤'], 'list': [point.x] * 2},
    }[event]
