"""Unmodified boto3 inside a function, against the endpoint that functions reach: every operation, and its errors."""
import hashlib
import struct

import botocore.session
import pytest
from botocore.validate import ParamValidator

ACCOUNT = '123456789012'
AMAZON = 'https://sqs.us-east-1.amazonaws.com/' + ACCOUNT + '/'

PROBE = '''
import boto3
import botocore.exceptions

sqs = boto3.client('sqs')


def resolve(value, results):
    """'$0.Messages.1.Body' is what an earlier call answered."""
    if isinstance(value, dict):
        return {key: resolve(item, results) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, results) for item in value]
    if isinstance(value, str) and value.startswith('$'):
        index, *path = value[1:].split('.')
        found = results[int(index)]
        for key in path:
            found = found[int(key) if isinstance(found, list) else key]
        return found
    if isinstance(value, str) and value.startswith('bytes:'):
        return value[6:].encode()
    return value


def handle(event, context):
    results = []
    for operation, parameters in event:
        try:
            answer = getattr(sqs, operation)(**resolve(parameters, results))
            meta = answer.pop('ResponseMetadata')
            assert meta['RequestId'] and meta['HTTPStatusCode'] == 200
            for message in answer.get('Messages', []):
                for attribute in message.get('MessageAttributes', {}).values():
                    if 'BinaryValue' in attribute:
                        attribute['BinaryValue'] = attribute['BinaryValue'].decode()
            results.append(answer)
        except botocore.exceptions.ClientError as error:
            status = error.response['ResponseMetadata']['HTTPStatusCode']
            results.append({'error': error.response['Error'], 'status': status, 'class': type(error).__name__})
    return results
'''


@pytest.fixture(scope='module')
def call(make_stack):
    stack = make_stack('sqs')
    (stack.folder / 'probe').mkdir()
    (stack.folder / 'probe/handler.py').write_text(PROBE)
    queues = {name: {} for name in ['Plain', 'Errors', 'Batches', 'Handles', 'Attributes', 'Empty']}
    queues['Small'] = {'maximumMessageSize': 1024}
    queues['Dead'] = {}
    queues['Giver'] = {'redrive': {'deadLetterQueue': 'Dead', 'maxReceiveCount': 2}, 'visibilityTimeout': 0}
    queues['MoverDead'] = {}
    queues['Mover'] = {'redrive': {'deadLetterQueue': 'MoverDead', 'maxReceiveCount': 1}, 'visibilityTimeout': 0}
    queues['Attempts.fifo'] = {}
    queues['Groups.fifo'] = {'contentBasedDeduplication': True}
    queues['Strict.fifo'] = {}
    queues['List-a'], queues['List-b'] = {}, {}
    stack.deploy({
        'lambdas': {'Probe': {'runtime': 'python3', 'handler': 'handler.handle', 'code': 'probe', 'timeout': 30,
                              'memorySize': 512,
                              'policies': [{'Effect': 'Allow', 'Action': 'sqs:*', 'Resource': '*'}]}},
        'queues': queues,
    })
    model = botocore.session.get_session().get_service_model('sqs')

    def call(*calls):
        result = stack.invoke('Probe', calls)
        assert 'functionError' not in result, result
        for (operation, _), answer in zip(calls, result['payload']):
            if 'error' in answer:
                continue
            name = ''.join(word.capitalize() for word in operation.split('_'))
            shape = model.operation_model(name).output_shape
            if shape is not None:
                report = ParamValidator().validate(answer, shape)
                assert not report.has_errors(), report.generate_report()
        return result['payload']

    return call


def url(queue, host=AMAZON):
    return host + queue


def attributes_md5(attributes):
    digest = hashlib.md5()
    for name, value in sorted(attributes.items()):
        fields = [name, value['DataType']]
        for field in fields:
            digest.update(struct.pack('>I', len(field.encode())) + field.encode())
        binary = 'BinaryValue' in value
        data = (value['BinaryValue'] if binary else value['StringValue']).encode()
        digest.update(bytes([2 if binary else 1]) + struct.pack('>I', len(data)) + data)
    return digest.hexdigest()


def test_send_receive_delete(call):
    sent, received, again, deleted = call(
        ('send_message', {'QueueUrl': url('Plain'), 'MessageBody': 'ñandú 🦤\n\t"x"'}),
        ('receive_message', {'QueueUrl': url('Plain'), 'AttributeNames': ['All']}),
        ('receive_message', {'QueueUrl': url('Plain')}),
        ('delete_message', {'QueueUrl': url('Plain'), 'ReceiptHandle': '$1.Messages.0.ReceiptHandle'}))
    body = 'ñandú 🦤\n\t"x"'
    assert sent['MD5OfMessageBody'] == hashlib.md5(body.encode()).hexdigest()
    message = received['Messages'][0]
    assert message['MessageId'] == sent['MessageId']
    assert message['Body'] == body and message['MD5OfBody'] == sent['MD5OfMessageBody']
    assert set(message['Attributes']) == {'SenderId', 'SentTimestamp', 'ApproximateReceiveCount',
                                          'ApproximateFirstReceiveTimestamp'}
    assert again == {} and deleted == {}


@pytest.mark.parametrize('host', ['http://localhost:9/', 'https://queue.amazonaws.com/', 'https://elsewhere/x/'])
def test_the_host_of_a_queue_url_does_not_matter(call, host):
    sent, = call(('send_message', {'QueueUrl': f'{host}{ACCOUNT}/Plain', 'MessageBody': 'x'}))
    assert 'MessageId' in sent


def test_message_attributes(call):
    attributes = {
        'text': {'DataType': 'String', 'StringValue': 'ü'},
        'number': {'DataType': 'Number.float', 'StringValue': '-1.5e3'},
        'binary': {'DataType': 'Binary', 'BinaryValue': 'bytes:raw'},
    }
    sent, some, = call(
        ('send_message', {'QueueUrl': url('Attributes'), 'MessageBody': 'x', 'MessageAttributes': attributes}),
        ('receive_message', {'QueueUrl': url('Attributes'), 'MessageAttributeNames': ['t*', 'number', 'bin.*']}))
    attributes['binary']['BinaryValue'] = 'raw'
    assert sent['MD5OfMessageAttributes'] == attributes_md5(attributes)
    found = some['Messages'][0]
    assert set(found['MessageAttributes']) == {'number', 'binary'}
    assert found['MD5OfMessageAttributes'] == attributes_md5({name: attributes[name] for name in ['number', 'binary']})
    _, everything = call(
        ('send_message', {'QueueUrl': url('Attributes'), 'MessageBody': 'y',
                          'MessageAttributes': {**attributes, 'binary': {'DataType': 'Binary',
                                                                         'BinaryValue': 'bytes:raw'}}}),
        ('receive_message', {'QueueUrl': url('Attributes'), 'MessageAttributeNames': ['All']}))
    found = everything['Messages'][0]['MessageAttributes']
    assert found == attributes


def test_trace_header(call):
    header = {'AWSTraceHeader': {'DataType': 'String', 'StringValue': 'Root=1-5e-1'}}
    sent, received = call(
        ('send_message', {'QueueUrl': url('Empty'), 'MessageBody': 'x', 'MessageSystemAttributes': header}),
        ('receive_message', {'QueueUrl': url('Empty'), 'MessageSystemAttributeNames': ['AWSTraceHeader']}))
    assert sent['MD5OfMessageSystemAttributes'] == attributes_md5(header)
    assert received['Messages'][0]['Attributes'] == {'AWSTraceHeader': 'Root=1-5e-1'}


def test_batches(call):
    entries = [{'Id': str(n), 'MessageBody': f'm{n}'} for n in range(10)]
    entries[3]['MessageBody'] = 'bad \x01'
    sent, received, changed, deleted, rest = call(
        ('send_message_batch', {'QueueUrl': url('Batches'), 'Entries': entries}),
        ('receive_message', {'QueueUrl': url('Batches'), 'MaxNumberOfMessages': 10}),
        ('change_message_visibility_batch', {'QueueUrl': url('Batches'), 'Entries': [
            {'Id': 'a', 'ReceiptHandle': '$1.Messages.0.ReceiptHandle', 'VisibilityTimeout': 0},
            {'Id': 'b', 'ReceiptHandle': 'garbage', 'VisibilityTimeout': 0}]}),
        ('delete_message_batch', {'QueueUrl': url('Batches'), 'Entries': [
            {'Id': 'a', 'ReceiptHandle': '$1.Messages.1.ReceiptHandle'},
            {'Id': 'b', 'ReceiptHandle': 'garbage'}]}),
        ('receive_message', {'QueueUrl': url('Batches'), 'MaxNumberOfMessages': 10}))
    assert [entry['Id'] for entry in sent['Successful']] == ['0', '1', '2', '4', '5', '6', '7', '8', '9']
    assert sent['Failed'][0]['Id'] == '3' and sent['Failed'][0]['Code'] == 'InvalidMessageContents'
    assert sent['Failed'][0]['SenderFault'] is True
    assert len(received['Messages']) == 9
    for answer in [changed, deleted]:
        assert [entry['Id'] for entry in answer['Successful']] == ['a']
        assert [entry['Code'] for entry in answer['Failed']] == ['ReceiptHandleIsInvalid']
    assert [message['Body'] for message in rest['Messages']] == [received['Messages'][0]['Body']]


def test_sizes_in_a_batch(call):
    entries = [{'Id': 'fits', 'MessageBody': 'x' * 1024}, {'Id': 'not', 'MessageBody': 'x' * 1025}]
    answer, = call(('send_message_batch', {'QueueUrl': url('Small'), 'Entries': entries}))
    assert answer['Successful'][0]['Id'] == 'fits'
    assert answer['Failed'][0]['Code'] == 'InvalidParameterValue'


def test_fifo(call):
    def send(body, group, **more):
        return ('send_message', {'QueueUrl': url('Groups.fifo'), 'MessageBody': body, 'MessageGroupId': group, **more})
    first, again, _, _, received, blocked = call(
        send('a1', 'a'), send('a1', 'a'), send('b1', 'b'), send('a2', 'a'),
        ('receive_message', {'QueueUrl': url('Groups.fifo'), 'MaxNumberOfMessages': 10, 'AttributeNames': ['All']}),
        ('receive_message', {'QueueUrl': url('Groups.fifo')}))
    assert first['MessageId'] == again['MessageId'] and len(first['SequenceNumber']) == 20
    assert [message['Body'] for message in received['Messages']] == ['a1', 'a2', 'b1']
    attributes = received['Messages'][0]['Attributes']
    assert attributes['MessageGroupId'] == 'a' and attributes['SequenceNumber'] == first['SequenceNumber']
    assert attributes['MessageDeduplicationId'] == hashlib.sha256(b'a1').hexdigest()
    assert blocked == {}


def test_visibility_and_dead_letters(call):
    receive = ('receive_message', {'QueueUrl': url('Giver'), 'AttributeNames': ['ApproximateReceiveCount']})
    _, first, second, third, dead = call(
        ('send_message', {'QueueUrl': url('Giver'), 'MessageBody': 'poison'}), receive, receive, receive,
        ('receive_message', {'QueueUrl': url('Dead')}))
    assert first['Messages'][0]['Attributes']['ApproximateReceiveCount'] == '1'
    assert second['Messages'][0]['Attributes']['ApproximateReceiveCount'] == '2'
    assert third == {}
    assert dead['Messages'][0]['Body'] == 'poison'
    assert dead['Messages'][0]['MessageId'] == first['Messages'][0]['MessageId']


def test_queues(call):
    found, listed, page, rest, attributes, some, none = call(
        ('get_queue_url', {'QueueName': 'Giver'}),
        ('list_queues', {'QueueNamePrefix': 'List-'}),
        ('list_queues', {'QueueNamePrefix': 'List-', 'MaxResults': 1}),
        ('list_queues', {'QueueNamePrefix': 'List-', 'MaxResults': 1, 'NextToken': '$2.NextToken'}),
        ('get_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'AttributeNames': ['All']}),
        ('get_queue_attributes', {'QueueUrl': url('Groups.fifo'), 'AttributeNames': ['FifoQueue', 'RedrivePolicy']}),
        ('list_queues', {'QueueNamePrefix': 'nothing'}))
    assert found['QueueUrl'].endswith(f'/{ACCOUNT}/Giver')
    assert [name.rsplit('/')[-1] for name in listed['QueueUrls']] == ['List-a', 'List-b']
    assert page['QueueUrls'] == listed['QueueUrls'][:1] and rest['QueueUrls'] == listed['QueueUrls'][1:]
    assert 'NextToken' not in rest and none == {}
    values = attributes['Attributes']
    assert values['QueueArn'] == f'arn:aws:sqs:us-east-1:{ACCOUNT}:Giver'
    assert values['VisibilityTimeout'] == '0' and values['MessageRetentionPeriod'] == '345600'
    assert values['RedrivePolicy'] == (
        '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:%s:Dead","maxReceiveCount":2}' % ACCOUNT)
    assert 'FifoQueue' not in values
    assert some['Attributes'] == {'FifoQueue': 'true'}


GARBAGE = 'The input receipt handle "garbage" is not a valid receipt handle.'
PREFIX = 'AWS.SimpleQueueService.'


@pytest.mark.parametrize('operation, parameters, code, message', [
    ('send_message', {'QueueUrl': url('Nowhere'), 'MessageBody': 'x'}, PREFIX + 'NonExistentQueue',
     'The specified queue does not exist.'),
    ('send_message', {'QueueUrl': 'https://sqs.us-east-1.amazonaws.com/999999999999/Errors', 'MessageBody': 'x'},
     PREFIX + 'NonExistentQueue', None),
    ('get_queue_url', {'QueueName': 'Nowhere'}, PREFIX + 'NonExistentQueue', None),
    ('send_message', {'QueueUrl': url('Errors'), 'MessageBody': ''}, 'MissingParameter',
     'The request must contain the parameter MessageBody.'),
    ('send_message', {'QueueUrl': url('Errors'), 'MessageBody': 'x', 'DelaySeconds': 901}, 'InvalidParameterValue',
     None),
    ('send_message', {'QueueUrl': url('Errors'), 'MessageBody': 'x' * 1048577}, 'InvalidParameterValue',
     'One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.'),
    ('send_message', {'QueueUrl': url('Errors'), 'MessageBody': 'bad \x02'}, 'InvalidMessageContents', None),
    ('send_message', {'QueueUrl': url('Errors'), 'MessageBody': 'x', 'MessageAttributes': {
        'X': {'DataType': 'String', 'StringValue': ''}}}, 'InvalidParameterValue',
     "Message (user) attribute 'X' must contain a non-empty value of type 'String'."),
    ('send_message', {'QueueUrl': url('Strict.fifo'), 'MessageBody': 'x'}, 'MissingParameter',
     'The request must contain the parameter MessageGroupId.'),
    ('send_message', {'QueueUrl': url('Strict.fifo'), 'MessageBody': 'x', 'MessageGroupId': 'g'},
     'InvalidParameterValue', None),
    ('send_message', {'QueueUrl': url('Strict.fifo'), 'MessageBody': 'x', 'MessageGroupId': 'a b',
                      'MessageDeduplicationId': 'd'}, 'InvalidParameterValue', None),
    ('receive_message', {'QueueUrl': url('Errors'), 'MaxNumberOfMessages': 11}, 'InvalidParameterValue',
     'Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.'),
    ('receive_message', {'QueueUrl': url('Errors'), 'WaitTimeSeconds': 21}, 'InvalidParameterValue',
     'Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.'),
    ('delete_message', {'QueueUrl': url('Errors'), 'ReceiptHandle': 'garbage'}, 'ReceiptHandleIsInvalid', GARBAGE),
    ('change_message_visibility', {'QueueUrl': url('Errors'), 'ReceiptHandle': 'garbage', 'VisibilityTimeout': 1},
     'ReceiptHandleIsInvalid', GARBAGE),
    ('get_queue_attributes', {'QueueUrl': url('Errors'), 'AttributeNames': ['Nonsense']}, 'InvalidAttributeName',
     'Unknown Attribute Nonsense.'),
    ('send_message_batch', {'QueueUrl': url('Errors'), 'Entries': []}, PREFIX + 'EmptyBatchRequest', None),
    ('send_message_batch', {'QueueUrl': url('Errors'), 'Entries': [
        {'Id': str(n), 'MessageBody': 'x'} for n in range(11)]}, PREFIX + 'TooManyEntriesInBatchRequest',
     'Maximum number of entries per request are 10. You have sent 11.'),
    ('send_message_batch', {'QueueUrl': url('Errors'), 'Entries': [
        {'Id': 'a', 'MessageBody': 'x'}, {'Id': 'a', 'MessageBody': 'y'}]}, PREFIX + 'BatchEntryIdsNotDistinct', None),
    ('delete_message_batch', {'QueueUrl': url('Errors'), 'Entries': [{'Id': 'a:b', 'ReceiptHandle': 'x'}]},
     PREFIX + 'InvalidBatchEntryId', None),
    ('send_message_batch', {'QueueUrl': url('Errors'), 'Entries': [
        {'Id': str(n), 'MessageBody': 'x' * 524289} for n in range(2)]}, PREFIX + 'BatchRequestTooLong',
     'Batch requests cannot be longer than 1048576 bytes. You have sent 1048578 bytes.'),
    ('send_message_batch', {'QueueUrl': url('Strict.fifo'), 'Entries': [{'Id': 'a', 'MessageBody': 'x'}]},
     'InvalidParameterValue', None),
])
def test_errors(call, operation, parameters, code, message):
    answer, = call((operation, parameters))
    assert answer['error']['Code'] == code
    assert answer['error']['Type'] == 'Sender'
    if message:
        assert answer['error']['Message'] == message


def test_long_polling_is_woken_by_a_send(call):
    _, received = call(
        ('send_message', {'QueueUrl': url('Handles'), 'MessageBody': 'soon', 'DelaySeconds': 1}),
        ('receive_message', {'QueueUrl': url('Handles'), 'WaitTimeSeconds': 20}))
    assert received['Messages'][0]['Body'] == 'soon'


def test_move_tasks(call):
    arn = 'arn:aws:sqs:us-east-1:' + ACCOUNT + ':'
    giver, dead = url('Mover'), url('MoverDead')
    results = call(
        ('send_message', {'QueueUrl': giver, 'MessageBody': 'again'}),
        *[('receive_message', {'QueueUrl': giver})] * 2,
        ('receive_message', {'QueueUrl': dead, 'VisibilityTimeout': 0, 'MessageSystemAttributeNames': ['All']}),
        ('start_message_move_task', {'SourceArn': arn + 'MoverDead', 'MaxNumberOfMessagesPerSecond': 500}),
        ('receive_message', {'QueueUrl': giver, 'WaitTimeSeconds': 10}),
        ('list_message_move_tasks', {'SourceArn': arn + 'MoverDead'}),
        ('start_message_move_task', {'SourceArn': arn + 'Mover'}),
        ('start_message_move_task', {'SourceArn': arn + 'Nowhere'}),
        ('cancel_message_move_task', {'TaskHandle': '$4.TaskHandle'}))
    seen = results[3]['Messages'][0]
    assert seen['Attributes']['DeadLetterQueueSourceArn'] == arn + 'Mover'
    moved = results[5]['Messages'][0]
    assert moved['Body'] == 'again' and moved['MessageId'] != seen['MessageId']
    task, = results[6]['Results']
    assert task['SourceArn'] == arn + 'MoverDead' and task['ApproximateNumberOfMessagesMoved'] == 1
    assert task['Status'] in ('RUNNING', 'COMPLETED')
    assert [r['error']['Code'] for r in results[7:9]] == ['InvalidParameterValue', 'ResourceNotFoundException']


def test_receive_attempt(call):
    queue = url('Attempts.fifo')
    receive = ('receive_message', {'QueueUrl': queue, 'ReceiveRequestAttemptId': 'one'})
    _, first, second, other = call(
        ('send_message', {
            'QueueUrl': queue, 'MessageBody': 'a', 'MessageGroupId': 'g', 'MessageDeduplicationId': 'd'}),
        receive, receive, ('receive_message', {'QueueUrl': queue}))
    assert first['Messages'] == second['Messages']
    assert 'Messages' not in other
