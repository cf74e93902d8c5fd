"""Queues' own policies beside their callers', and STS, by today's clients and by older ones."""
import json
import urllib.request
from urllib.error import HTTPError

import pytest

from conftest import Client

ACCOUNT = '123456789012'
ARN = f'arn:aws:sqs:us-east-1:{ACCOUNT}:'
ROLE = f'arn:aws:sts::{ACCOUNT}:assumed-role/Guest/Guest'


@pytest.fixture(scope='module')
def stack(make_stack):
    stack = make_stack('queue-policies')
    (stack.folder / 'guest').mkdir()
    (stack.folder / 'guest/handler.py').write_text('def handle(event, context): pass\n')
    stack.deploy({
        'lambdas': {'Guest': {'runtime': 'python3', 'handler': 'handler.handle', 'code': 'guest', 'policies': [
            {'Effect': 'Allow', 'Action': 'sqs:SendMessage', 'Resource': ARN + 'Shut'}]}},
        'queues': {'Lent': {}, 'Shut': {}, 'Public': {}, 'Root': {}, 'Foreign': {}}})
    stack.serve()
    return stack


@pytest.fixture(scope='module')
def owner(stack):
    client = Client(stack)
    yield client
    client.close()


@pytest.fixture(scope='module')
def guest(stack):
    client = Client(stack, owner='Guest')
    yield client
    client.close()


def url(queue):
    return f'http://localhost/{ACCOUNT}/{queue}'


def set_policy(queue, **statement):
    policy = {'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Resource': ARN + queue, **statement}}
    return 'set_queue_attributes', {'QueueUrl': url(queue), 'Attributes': {'Policy': json.dumps(policy)}}


def code(answer):
    return answer.get('error', {}).get('Code')


def test_lent(owner, guest):
    send = ('send_message', {'QueueUrl': url('Lent'), 'MessageBody': 'x'})
    batch = ('send_message_batch', {'QueueUrl': url('Lent'), 'Entries': [{'Id': 'a', 'MessageBody': 'x'}]})
    receive = ('receive_message', {'QueueUrl': url('Lent')})
    assert [code(answer) for answer in guest(send)] == ['AccessDenied']
    assert owner(set_policy('Lent', Principal={'AWS': ROLE}, Action='sqs:SendMessage')) == [{}]
    assert [code(answer) for answer in guest(send, batch, receive)] == [None, None, 'AccessDenied']
    owner(('set_queue_attributes', {'QueueUrl': url('Lent'), 'Attributes': {'Policy': ''}}))
    assert [code(answer) for answer in guest(send)] == ['AccessDenied']


def test_a_permission_for_the_account_is_the_accounts_to_give(owner, guest):
    receive = ('receive_message', {'QueueUrl': url('Root')})
    owner(('add_permission', {'QueueUrl': url('Root'), 'Label': 'all', 'AWSAccountIds': [ACCOUNT],
                              'Actions': ['ReceiveMessage']}))
    # It names the account's root, which lets the account's own policies decide: the guest's say nothing of it.
    assert [code(answer) for answer in guest(receive)] == ['AccessDenied']
    owner(('remove_permission', {'QueueUrl': url('Root'), 'Label': 'all'}))


def test_a_deny_wins(owner, guest):
    send = ('send_message', {'QueueUrl': url('Shut'), 'MessageBody': 'x'})
    assert [code(answer) for answer in guest(send)] == [None]
    owner(set_policy('Shut', Effect='Deny', Principal={'AWS': ROLE}, Action='*'))
    assert [code(answer) for answer in guest(send)] == ['AccessDenied']
    assert [code(answer) for answer in owner(send)] == [None]


@pytest.mark.parametrize('principal', [
    {'AWS': '999999999999'}, {'AWS': 'arn:aws:iam::999999999999:root'},
    {'AWS': ROLE.replace(ACCOUNT, '999999999999')}, {'AWS': ['999999999999', 'arn:aws:iam::999999999999:user/Guest']},
    {'Service': 'sns.amazonaws.com'}, {'AWS': ROLE + 'x'}, {'AWS': ROLE[:-1]}])
def test_what_is_anothers_is_not_ours(owner, guest, principal):
    """A statement about somebody else neither allows nor denies, however much alike they look."""
    send = ('send_message', {'QueueUrl': url('Foreign'), 'MessageBody': 'x'})
    granted = ('send_message', {'QueueUrl': url('Shut'), 'MessageBody': 'x'})
    assert owner(set_policy('Foreign', Principal=principal, Action='sqs:*')) == [{}]
    assert [code(answer) for answer in guest(send)] == ['AccessDenied']
    assert owner(set_policy('Shut', Effect='Deny', Principal=principal, Action='sqs:*')) == [{}]
    assert [code(answer) for answer in guest(granted)] == [None]
    assert owner(('set_queue_attributes', {'QueueUrl': url('Shut'), 'Attributes': {'Policy': ''}})) == [{}]


@pytest.mark.parametrize('principal', [
    'hello', {'AWS': 'hello'}, {'AWS': f'arn:aws:iam::{ACCOUNT}:user/*'}, {'AWS': ROLE.replace(':sts:', ':iam:')},
    {'Service': '*'}, {'Foo': '*'}])
def test_what_is_nobodys(owner, principal):
    """A Deny that spoke of nobody would deny nothing."""
    for element in ['Principal', 'NotPrincipal']:
        refused = owner(set_policy('Foreign', Effect='Deny', Action='sqs:*', **{element: principal}))
        assert [code(answer) for answer in refused] == ['InvalidAttributeValue']


def test_all_but_one(stack, owner, guest):
    """AWS's guide names the account beside the user: it is not to spare everybody of it."""
    send = ('send_message', {'QueueUrl': url('Shut'), 'MessageBody': 'x'})
    for user, spared in [('developer', None), ('Bob', 'AccessDenied')]:
        principal = {'AWS': [f'arn:aws:iam::{ACCOUNT}:user/{user}', f'arn:aws:iam::{ACCOUNT}:root']}
        policy = set_policy('Shut', Effect='Deny', NotPrincipal=principal, Action='sqs:SendMessage')
        assert owner(policy) == [{}]
        assert [code(answer) for answer in guest(send)] == ['AccessDenied']
        assert [code(answer) for answer in owner(send)] == [spared]
    assert owner(('set_queue_attributes', {'QueueUrl': url('Shut'), 'Attributes': {'Policy': ''}})) == [{}]


def test_a_permission_for_another_account(owner, guest):
    send = ('send_message', {'QueueUrl': url('Foreign'), 'MessageBody': 'x'})
    given, told, taken = owner(
        ('add_permission', {'QueueUrl': url('Foreign'), 'Label': 'other', 'AWSAccountIds': ['999999999999'],
                            'Actions': ['SendMessage']}),
        ('get_queue_attributes', {'QueueUrl': url('Foreign'), 'AttributeNames': ['Policy']}),
        ('remove_permission', {'QueueUrl': url('Foreign'), 'Label': 'other'}))
    assert given == {} and taken == {}
    statement = json.loads(told['Attributes']['Policy'])['Statement'][-1]
    assert statement['Sid'] == 'other' and '999999999999' in json.dumps(statement['Principal'])
    assert [code(answer) for answer in guest(send)] == ['AccessDenied']


@pytest.mark.parametrize('protocol', ['json', 'query'])
def test_who_sent(stack, make_client, protocol):
    ids = []
    for name in ['developer', 'Guest']:
        send = ('send_message', {'QueueUrl': url('Shut'), 'MessageBody': name})
        assert 'MessageId' in make_client(stack, protocol, owner=name)(send)[0]
        ids.append(make_client(stack, protocol, owner=name, service='sts')(('get_caller_identity', {}))[0]['UserId'])
    developer = make_client(stack, protocol)
    seen = {}
    for _ in range(20):
        received, = developer(('receive_message', {
            'QueueUrl': url('Shut'), 'MaxNumberOfMessages': 10, 'AttributeNames': ['SenderId', 'Policy'],
            'WaitTimeSeconds': 1}))
        seen.update((message['Body'], message['Attributes']) for message in received.get('Messages', []))
        if set(seen) >= {'developer', 'Guest'}:
            break
    assert seen['developer'] == {'SenderId': ids[0]} and seen['Guest'] == {'SenderId': ids[1]}
    assert ids[0].startswith('AIDA') and ids[1].startswith('AROA') and ids[1].endswith(':Guest')


def test_everybody(stack, owner):
    address = f'{stack.endpoint}/{ACCOUNT}/Public?Action=SendMessage&MessageBody=x'
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(address)
    assert refused.value.code == 403
    owner(set_policy('Public', Principal='*', Action='sqs:SendMessage'))
    assert b'<MessageId>' in urllib.request.urlopen(address).read()
    with pytest.raises(HTTPError):
        urllib.request.urlopen(address.replace('SendMessage&', 'PurgeQueue&'))


@pytest.mark.parametrize('protocol', ['json', 'query'])
def test_who_am_i(stack, make_client, protocol):
    developer, = make_client(stack, protocol, service='sts')(('get_caller_identity', {}))
    guest, = make_client(stack, protocol, owner='Guest', service='sts')(('get_caller_identity', {}))
    assert developer['Account'] == guest['Account'] == ACCOUNT
    assert developer['Arn'] == f'arn:aws:iam::{ACCOUNT}:user/developer' and developer['UserId'].startswith('AIDA')
    assert guest['Arn'] == ROLE and guest['UserId'].endswith(':Guest')
    assert stack.aws('sts', 'get-caller-identity', protocol=protocol).returncode == 0


def test_sts_refusals(stack, make_client):
    answer, = make_client(stack, service='sts')(('get_session_token', {}))
    assert answer['error']['Code'] == 'InvalidAction'
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(stack.endpoint + '/?Action=GetCallerIdentity&Version=2011-06-15')
    assert refused.value.code == 403 and b'<Code>MissingAuthenticationToken</Code>' in refused.value.read()
