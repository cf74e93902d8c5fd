"""Roles, signatures and policies as boto3 sees them from inside a function."""
import json

import pytest

PROBE = '''
import os

import boto3
import botocore.exceptions
from botocore import UNSIGNED
from botocore.config import Config

QUEUE = 'https://sqs.us-east-1.amazonaws.com/123456789012/'


def client(kind):
    if kind == 'forged':
        return boto3.client('sqs', aws_secret_access_key='forged', aws_access_key_id=os.environ['AWS_ACCESS_KEY_ID'],
                            aws_session_token=os.environ['AWS_SESSION_TOKEN'])
    if kind == 'unknown':
        return boto3.client('sqs', aws_secret_access_key='x', aws_access_key_id='AKIDUNKNOWN')
    if kind == 'tokenless':
        return boto3.client('sqs', aws_secret_access_key=os.environ['AWS_SECRET_ACCESS_KEY'],
                            aws_access_key_id=os.environ['AWS_ACCESS_KEY_ID'])
    if kind == 'elsewhere':
        return boto3.client('sqs', region_name='eu-west-1', endpoint_url=os.environ['AWS_ENDPOINT_URL'])
    if kind == 'unsigned':
        return boto3.client('sqs', config=Config(signature_version=UNSIGNED))
    return boto3.client('sqs')


def handle(event, context):
    results = []
    for kind, operation, queue, parameters in event:
        if queue:
            parameters['QueueUrl'] = QUEUE + queue
        try:
            getattr(client(kind), operation)(**parameters)
            results.append('ok')
        except botocore.exceptions.ClientError as error:
            status = error.response['ResponseMetadata']['HTTPStatusCode']
            results.append([status, error.response['Error']['Code'], error.response['Error']['Message']])
    return results
'''
ARN = 'arn:aws:sqs:us-east-1:123456789012:'
POLICIES = [
    {'Effect': 'Allow', 'Action': ['sqs:SendMessage', 'sqs:GetQueue*'], 'Resource': [ARN + 'Open', ARN + 'Closed']},
    {'Sid': 'NotThere', 'Effect': 'Deny', 'Action': '*', 'Resource': ARN + 'Closed'},
]
SEND = {'MessageBody': 'x'}


@pytest.fixture(scope='module')
def stack(make_stack):
    def make(mode):
        stack = make_stack(f'access-{mode}')
        (stack.folder / 'probe').mkdir()
        (stack.folder / 'probe/handler.py').write_text(PROBE)
        stack.deploy({
            'lambdas': {'Probe': {'runtime': 'python3', 'handler': 'handler.handle', 'code': 'probe', 'timeout': 30,
                                  'memorySize': 512, 'policies': POLICIES}},
            'queues': {'Open': {}, 'Closed': {}}, 'security': {'iam': mode}})
        return stack
    return make


CALLS = [
    ['own', 'send_message', 'Open', SEND],
    ['own', 'send_message_batch', 'Open', {'Entries': [{'Id': 'a', 'MessageBody': 'x'}]}],
    ['own', 'get_queue_url', None, {'QueueName': 'Open'}],
    ['own', 'receive_message', 'Open', {}],
    ['own', 'send_message', 'Closed', SEND],
    ['own', 'list_queues', None, {}],
    ['forged', 'send_message', 'Open', SEND],
    ['unknown', 'send_message', 'Open', SEND],
    ['tokenless', 'send_message', 'Open', SEND],
    ['unsigned', 'send_message', 'Open', SEND],
    ['elsewhere', 'send_message', 'Open', SEND],
]
WHO = 'User: arn:aws:sts::123456789012:assumed-role/Probe/Probe is not authorized to perform: '


def test_enforced(stack):
    stack = stack('enforce')
    answers = stack.invoke('Probe', CALLS)['payload']
    assert answers[:3] == ['ok'] * 3
    assert answers[3] == [403, 'AccessDenied', WHO + f'sqs:receivemessage on resource: {ARN}Open because no '
                          'identity-based policy allows the sqs:receivemessage action']
    assert answers[4] == [403, 'AccessDenied', WHO + f'sqs:sendmessage on resource: {ARN}Closed with an explicit '
                          'deny in an identity-based policy']
    assert answers[5][:2] == [403, 'AccessDenied']
    assert [answer[:2] for answer in answers[6:]] == [
        [403, 'SignatureDoesNotMatch'], [403, 'InvalidClientTokenId'], [403, 'InvalidClientTokenId'],
        [403, 'MissingAuthenticationToken'], [403, 'SignatureDoesNotMatch']]
    assert json.loads(stack.msorch('queue', 'stats', 'Open', '--output', 'json').stdout)[0]['visible'] == 2
    assert (stack.folder / '.msorch/credentials').stat().st_mode & 0o777 == 0o600
    refused = [json.loads(line) for line in stack.msorch('iam', 'explain', '--output', 'json').stdout.splitlines()]
    assert [(entry['action'], entry.get('statement', {}).get('Sid')) for entry in refused] == [
        ('sqs:ReceiveMessage', None), ('sqs:SendMessage', 'NotThere'), ('sqs:ListQueues', None),
        ('sqs:SendMessage', None)]
    assert refused[3]['principal'] == 'anonymous'
    simulated = stack.msorch('iam', 'simulate', 'Probe', 'sqs:SendMessage', 'Closed')
    assert simulated.returncode == 1 and simulated.stdout.startswith('explicitDeny by ')
    simulated = stack.msorch('iam', 'simulate', 'Probe', 'sqs:SendMessage', 'Open')
    assert simulated.returncode == 0 and simulated.stdout.startswith('allowed by ')


@pytest.mark.parametrize('mode', ['audit', 'off'])
def test_not_enforced(stack, mode):
    stack = stack(mode)
    assert stack.invoke('Probe', CALLS)['payload'] == ['ok'] * len(CALLS)
    refused = stack.msorch('iam', 'explain', '--output', 'json').stdout.splitlines()
    # In audit a bad signature is written down, too: all but the one that has none say what is wrong with it.
    assert len(refused) == (8 if mode == 'audit' else 0)
    assert len([entry for entry in refused if 'signature' in json.loads(entry)]) == (4 if mode == 'audit' else 0)
    assert all(json.loads(entry)['enforced'] is False for entry in refused)
