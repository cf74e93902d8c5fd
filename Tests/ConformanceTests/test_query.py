"""The Query protocol as typed: signed GET and POST on `/` and on queues' paths, and the XML that comes back."""
import http.client
import urllib.parse
import xml.etree.ElementTree as ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCOUNT = '123456789012'
SPACE = '{http://queue.amazonaws.com/doc/2012-11-05/}'


@pytest.fixture(scope='module')
def stack(make_stack):
    stack = make_stack('query')
    stack.deploy({'lambdas': {}, 'queues': {'One': {}, 'Two': {}, 'Fifo.fifo': {}}})
    stack.serve()
    return stack


@pytest.fixture(scope='module')
def ask(stack):
    keys = stack.keys()
    credentials = Credentials(keys['AWS_ACCESS_KEY_ID'], keys['AWS_SECRET_ACCESS_KEY'])

    def ask(path, method='GET', service='sqs', headers=None, body=None, **parameters):
        encoded = urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote)
        if method == 'GET' and parameters:
            path += '?' + encoded
        elif body is None:
            body = encoded
        headers = {'Content-Type': 'application/x-www-form-urlencoded', **(headers or {})}
        request = AWSRequest(method=method, url=stack.endpoint + path, data=body, headers=headers)
        SigV4Auth(credentials, service, 'us-east-1').add_auth(request)
        connection = http.client.HTTPConnection(stack.endpoint.split('//')[1], timeout=40)
        connection.request(method, path, body=body, headers=dict(request.headers))
        answer = connection.getresponse()
        return answer, answer.read().decode()

    return ask


def found(text, name):
    return [element.text for element in ElementTree.fromstring(text).iter(SPACE + name)]


@pytest.mark.parametrize('method', ['GET', 'POST'])
@pytest.mark.parametrize('form', ['/%s/One', '/queue/us-east-1/%s/One'])
def test_on_a_queues_path(ask, method, form):
    path = form % ACCOUNT
    sent, text = ask(path, method, Action='SendMessage', MessageBody='a & <b>')
    assert sent.status == 200 and sent.headers['Content-Type'] == 'text/xml'
    assert found(text, 'RequestId') == [sent.headers['x-amzn-RequestId']]
    _, text = ask(path, method, Action='ReceiveMessage', **{'AttributeName.1': 'All'})
    assert found(text, 'Body') == ['a & <b>'] and 'SentTimestamp' in found(text, 'Name')
    _, text = ask(path, method, Action='DeleteMessage', ReceiptHandle=found(text, 'ReceiptHandle')[0])
    assert '<DeleteMessageResponse' in text
    _, text = ask(path, method, Action='ReceiveMessage')
    assert '<ReceiveMessageResult></ReceiveMessageResult>' in text


def test_the_parameter_overrides_the_path(ask, stack):
    _, text = ask(f'/{ACCOUNT}/One', Action='GetQueueAttributes', QueueUrl=f'{stack.endpoint}/{ACCOUNT}/Two',
                  **{'AttributeName.1': 'QueueArn'})
    assert found(text, 'Value') == [f'arn:aws:sqs:us-east-1:{ACCOUNT}:Two']


def test_on_the_root(ask, stack):
    _, text = ask('/', 'POST', Action='ListQueues', Version='2012-11-05')
    assert found(text, 'QueueUrl') == [f'{stack.endpoint}/{ACCOUNT}/{name}' for name in ['Fifo.fifo', 'One', 'Two']]
    _, text = ask(f'/{ACCOUNT}/One', Action='GetQueueUrl', QueueName='Two')
    assert found(text, 'QueueUrl') == [f'{stack.endpoint}/{ACCOUNT}/Two']


@pytest.mark.parametrize('action, parameters, status, code, message', [
    ('ListQueues', {}, 400, 'InvalidAction', 'The action ListQueues is not valid for this endpoint.'),
    ('CreateQueue', {'QueueName': 'x'}, 400, 'InvalidAction', 'The action CreateQueue is not valid for this endpoint.'),
    ('FooBar', {}, 400, 'InvalidAction', 'The action FooBar is not valid for this endpoint.'),
    ('SendMessage', {}, 400, 'MissingParameter', 'The request must contain the parameter MessageBody.'),
    ('GetQueueAttributes', {'AttributeName.1': 'Foobar'}, 400, 'InvalidAttributeName', 'Unknown Attribute Foobar.'),
    ('GetQueueAttributes', {'AttributeName.1': 'FifoQueue'}, 400, 'InvalidAttributeName',
     'Unknown Attribute FifoQueue.'),
    ('ReceiveMessage', {'QueueUrl': f'http://h/{ACCOUNT}/No'}, 400, 'AWS.SimpleQueueService.NonExistentQueue',
     'The specified queue does not exist for this wsdl version.'),
    ('ReceiveMessage', {'WaitTimeSeconds': 'x'}, 400, 'InvalidParameterValue',
     'Value x for parameter WaitTimeSeconds is invalid. Reason: Must be an integer.'),
])
def test_errors(ask, action, parameters, status, code, message):
    answer, text = ask(f'/{ACCOUNT}/One', Action=action, **parameters)
    assert answer.status == status
    assert (found(text, 'Type'), found(text, 'Code'), found(text, 'Message')) == (['Sender'], [code], [message])
    assert found(text, 'RequestId') == [answer.headers['x-amzn-RequestId']]


def test_nothing_asked(ask):
    for path in ['/', f'/{ACCOUNT}/One']:
        answer, text = ask(path)
        assert answer.status == 404 and '<UnknownOperationException' in text


def test_json_on_a_queues_path(ask):
    headers = {'X-Amz-Target': 'AmazonSQS.GetQueueAttributes', 'Content-Type': 'application/x-amz-json-1.0'}
    answer, text = ask(f'/{ACCOUNT}/One', 'POST', headers=headers, body='{"AttributeNames":["QueueArn"]}')
    assert answer.status == 200 and text == '{"Attributes":{"QueueArn":"arn:aws:sqs:us-east-1:%s:One"}}' % ACCOUNT


@pytest.mark.parametrize('target, body, kind, code', [
    ('AmazonSQS.Nonsense', '{}', 'com.amazon.coral.service#UnknownOperationException', 'InvalidAction'),
    ('AmazonSQS.SendMessage', '{', 'com.amazon.coral.service#SerializationException', 'MalformedInput'),
    ('AmazonSQS.SendMessage', '{"QueueUrl":1}', 'com.amazon.coral.service#SerializationException', 'MalformedInput'),
    ('AmazonSQS.GetQueueUrl', '{"QueueName":"No"}', 'com.amazonaws.sqs#QueueDoesNotExist',
     'AWS.SimpleQueueService.NonExistentQueue'),
    ('AmazonSQS.SendMessage', '{"QueueUrl":"http://h/%s/One","MessageBody":"\\ud800"}' % ACCOUNT,
     'com.amazonaws.sqs#InvalidMessageContents', 'InvalidMessageContents'),
])
def test_json_errors(ask, target, body, kind, code):
    headers = {'X-Amz-Target': target, 'Content-Type': 'application/x-amz-json-1.0'}
    answer, text = ask('/', 'POST', headers=headers, body=body)
    assert answer.status == 400 and f'"__type":"{kind}"' in text
    assert answer.headers['x-amzn-query-error'] == code + ';Sender'


def test_who_is_not_signed_is_refused_in_xml(stack):
    connection = http.client.HTTPConnection(stack.endpoint.split('//')[1])
    connection.request('GET', f'/{ACCOUNT}/One?Action=ReceiveMessage')
    answer = connection.getresponse()
    assert answer.status == 403 and found(answer.read().decode(), 'Code') == ['MissingAuthenticationToken']
