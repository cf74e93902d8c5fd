"""Unmodified clients against `msorch serve`: every operation and error of SQS, in both protocols."""
import hashlib
import json
import struct

import pytest

from conftest import Client

ACCOUNT = '123456789012'
AMAZON = 'https://sqs.us-east-1.amazonaws.com/' + ACCOUNT + '/'
ARN = 'arn:aws:sqs:us-east-1:' + ACCOUNT + ':'
PREFIX = 'AWS.SimpleQueueService.'


@pytest.fixture(scope='module', params=['json', 'query'])
def protocol(request):
    return request.param


@pytest.fixture(scope='module')
def stack(make_stack, protocol):
    stack = make_stack(f'sqs-{protocol}')
    queues = {name: {} for name in ['Plain', 'Errors', 'Batches', 'Handles', 'Attributes', 'Empty', 'Woken']}
    queues['Small'] = {'maximumMessageSize': 1024}
    queues['Dead'] = {}
    queues['Giver'] = {'redrive': {'deadLetterQueue': 'Dead', 'maxReceiveCount': 2}, 'visibilityTimeout': 0}
    queues['MoverDead'] = {}
    queues['Mover'] = {'redrive': {'deadLetterQueue': 'MoverDead', 'maxReceiveCount': 1}, 'visibilityTimeout': 0}
    queues['Attempts.fifo'] = {}
    queues['Groups.fifo'] = {'contentBasedDeduplication': True}
    queues['Strict.fifo'] = {}
    queues['List-a'], queues['List-b'] = {}, {}
    stack.deploy({'lambdas': {}, 'queues': queues})
    stack.serve()
    yield stack
    stack.stop()


@pytest.fixture(scope='module')
def call(stack, protocol):
    client = Client(stack, protocol)

    def call(*calls):
        answers = client(*calls)
        for answer in answers:
            assert 'failure' not in answer, answer
        return answers

    yield call
    client.close()


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
        ('receive_message', {'QueueUrl': url('Empty'), 'AttributeNames': ['AWSTraceHeader']}))
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
    ('get_queue_attributes', {'QueueUrl': url('Errors'), 'AttributeNames': ['QueueArn', 'FifoQueue']},
     'InvalidAttributeName', 'Unknown Attribute FifoQueue.'),
    ('get_queue_attributes', {'QueueUrl': url('Errors'), 'AttributeNames': ['All', 'ContentBasedDeduplication']},
     'InvalidAttributeName', 'Unknown Attribute ContentBasedDeduplication.'),
    ('send_message', {'QueueUrl': url('Errors'), 'MessageBody': 'x', 'MessageAttributes': {
        'a': {'DataType': 'String', 'StringValue': 'x', 'StringListValues': ['x']}}},
     PREFIX + 'UnsupportedOperation', 'Message attribute list values in SendMessage operation are not supported.'),
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
     'InvalidParameterValue', 'The request must contain the parameter MessageGroupId.'),
    ('send_message_batch', {'QueueUrl': url('Strict.fifo'), 'Entries': [
        {'Id': 'a', 'MessageBody': 'x', 'MessageGroupId': 'g', 'MessageDeduplicationId': 'd'},
        {'Id': 'b', 'MessageBody': 'x', 'MessageGroupId': 'g'}]}, 'InvalidParameterValue',
     'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly'),
    ('receive_message', {'QueueUrl': url('Errors'), 'VisibilityTimeout': 43201}, 'InvalidParameterValue',
     'Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.'),
    ('list_queues', {'MaxResults': 1001}, 'InvalidParameterValue', None),
    ('list_queues', {'MaxResults': 1, 'NextToken': '?'}, 'InvalidParameterValue', None),
])
def test_errors(call, protocol, operation, parameters, code, message):
    answer, = call((operation, parameters))
    assert answer['error']['Code'] == code
    assert answer['error']['Type'] == 'Sender'
    if message and protocol == 'query':
        message = message.replace('queue does not exist.', 'queue does not exist for this wsdl version.')
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
        ('receive_message', {'QueueUrl': dead, 'VisibilityTimeout': 0, 'AttributeNames': ['All']}),
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


def names(answer, key='QueueUrls'):
    return [found.rsplit('/')[-1] for found in answer.get(key, [])]


def test_create_queue(call, stack):
    attributes = {'VisibilityTimeout': '7', 'DelaySeconds': '1', 'KmsMasterKeyId': 'alias/x'}
    made, same, bare, found, other, gone, soon, listed = call(
        ('create_queue', {'QueueName': 'Made', 'Attributes': attributes, 'tags': {'team': 'a'}}),
        ('create_queue', {'QueueName': 'Made', 'Attributes': attributes}),
        ('create_queue', {'QueueName': 'Made'}),
        ('get_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'AttributeNames': ['All']}),
        ('create_queue', {'QueueName': 'Made', 'Attributes': {'DelaySeconds': '2', 'VisibilityTimeout': '7'}}),
        ('delete_queue', {'QueueUrl': '$0.QueueUrl'}),
        ('create_queue', {'QueueName': 'Made'}),
        ('list_queues', {'QueueNamePrefix': 'Made'}))
    assert made['QueueUrl'] == f'{stack.endpoint}/{ACCOUNT}/Made'
    assert same == made and bare == made and gone == {} and listed == {}
    values = found['Attributes']
    assert values['VisibilityTimeout'] == '7' and values['DelaySeconds'] == '1'
    assert values['KmsMasterKeyId'] == 'alias/x' and values['SqsManagedSseEnabled'] == 'false'
    assert other['error']['Code'] == 'QueueAlreadyExists' and other['status'] == 400
    assert other['error']['Message'] == (
        'A queue already exists with the same name and a different value for attribute DelaySeconds')
    assert soon['error']['Code'] == PREFIX + 'QueueDeletedRecently'


def test_create_fifo(call):
    made, found, other, changed, same = call(
        ('create_queue', {'QueueName': 'Made.fifo', 'Attributes': {
            'FifoQueue': 'true', 'ContentBasedDeduplication': 'true', 'DeduplicationScope': 'messageGroup',
            'FifoThroughputLimit': 'perMessageGroupId'}}),
        ('get_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'AttributeNames': [
            'FifoQueue', 'ContentBasedDeduplication', 'DeduplicationScope', 'FifoThroughputLimit']}),
        ('create_queue', {'QueueName': 'Made.fifo', 'Attributes': {
            'FifoQueue': 'true', 'ContentBasedDeduplication': 'false'}}),
        ('set_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'Attributes': {'FifoQueue': 'false'}}),
        ('set_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'Attributes': {'FifoQueue': 'true'}}))
    assert found['Attributes'] == {'FifoQueue': 'true', 'ContentBasedDeduplication': 'true',
                                   'DeduplicationScope': 'messageGroup', 'FifoThroughputLimit': 'perMessageGroupId'}
    assert 'ContentBasedDeduplication' in other['error']['Message']
    assert changed['error']['Code'] == 'InvalidAttributeValue'
    assert changed['error']['Message'] == (
        'Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.')
    assert same == {}


def test_set_attributes(call):
    made, one, found, two, rest = call(
        ('create_queue', {'QueueName': 'Set'}),
        ('set_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'Attributes': {
            'VisibilityTimeout': '0', 'MaximumMessageSize': '2048', 'MessageRetentionPeriod': '60',
            'ReceiveMessageWaitTimeSeconds': '3', 'DelaySeconds': '900',
            'RedrivePolicy': json.dumps({'deadLetterTargetArn': ARN + 'Dead', 'maxReceiveCount': '3'}),
            'RedriveAllowPolicy': json.dumps({'redrivePermission': 'byQueue', 'sourceQueueArns': [ARN + 'Plain']}),
            'SqsManagedSseEnabled': 'false'}}),
        ('get_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'AttributeNames': ['All']}),
        ('set_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'Attributes': {
            'RedrivePolicy': '', 'RedriveAllowPolicy': '', 'SqsManagedSseEnabled': 'true'}}),
        ('get_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'AttributeNames': [
            'RedrivePolicy', 'RedriveAllowPolicy', 'SqsManagedSseEnabled', 'DelaySeconds']}))
    values = found['Attributes']
    assert json.loads(values['RedrivePolicy']) == {'deadLetterTargetArn': ARN + 'Dead', 'maxReceiveCount': 3}
    assert json.loads(values['RedriveAllowPolicy'])['sourceQueueArns'] == [ARN + 'Plain']
    assert {key: values[key] for key in ['VisibilityTimeout', 'MaximumMessageSize', 'MessageRetentionPeriod',
                                         'ReceiveMessageWaitTimeSeconds', 'DelaySeconds', 'SqsManagedSseEnabled']} == {
        'VisibilityTimeout': '0', 'MaximumMessageSize': '2048', 'MessageRetentionPeriod': '60',
        'ReceiveMessageWaitTimeSeconds': '3', 'DelaySeconds': '900', 'SqsManagedSseEnabled': 'false'}
    assert rest['Attributes'] == {'SqsManagedSseEnabled': 'true', 'DelaySeconds': '900'}


def test_attributes_as_they_are_told(call):
    made, first, _, keyed, _, bare = call(
        ('create_queue', {'QueueName': 'Told.fifo', 'Attributes': {
            'FifoQueue': 'True', 'ContentBasedDeduplication': 'True',
            'RedriveAllowPolicy': '{"redrivePermission": "allowAll"}'}}),
        ('get_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'AttributeNames': ['All']}),
        ('set_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'Attributes': {
            'KmsMasterKeyId': 'alias/x', 'KmsDataKeyReusePeriodSeconds': '6000'}}),
        ('get_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'AttributeNames': ['All']}),
        ('set_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'Attributes': {
            'KmsMasterKeyId': '', 'KmsDataKeyReusePeriodSeconds': '300', 'RedriveAllowPolicy': ''}}),
        ('get_queue_attributes', {'QueueUrl': '$0.QueueUrl', 'AttributeNames': ['All']}))
    attributes = first['Attributes']
    assert attributes['FifoQueue'] == attributes['ContentBasedDeduplication'] == 'true'
    assert json.loads(attributes['RedriveAllowPolicy']) == {'redrivePermission': 'allowAll'}
    assert attributes['SqsManagedSseEnabled'] == 'true'
    attributes = keyed['Attributes']
    assert attributes['SqsManagedSseEnabled'] == 'false' and attributes['KmsDataKeyReusePeriodSeconds'] == '6000'
    assert bare['Attributes']['SqsManagedSseEnabled'] == 'false'
    for name in ['KmsMasterKeyId', 'KmsDataKeyReusePeriodSeconds', 'RedriveAllowPolicy']:
        assert name not in bare['Attributes']


@pytest.mark.parametrize('name, attributes, code, message', [
    ('Bad', {'VisibilityTimeout': '43201'}, 'InvalidAttributeValue',
     'Invalid value for the parameter VisibilityTimeout.'),
    ('Bad', {'MessageRetentionPeriod': '59'}, 'InvalidAttributeValue', None),
    ('Bad', {'MaximumMessageSize': '1048577'}, 'InvalidAttributeValue', None),
    ('Bad', {'DelaySeconds': 'soon'}, 'InvalidAttributeValue', None),
    ('Bad', {'ReceiveMessageWaitTimeSeconds': '21'}, 'InvalidAttributeValue', None),
    ('Bad', {'KmsDataKeyReusePeriodSeconds': '59'}, 'InvalidAttributeValue', None),
    ('Bad', {'Policy': '{'}, 'InvalidAttributeValue', 'Invalid value for the parameter Policy.'),
    ('Bad', {'Colour': 'red'}, 'InvalidAttributeName', 'Unknown Attribute Colour.'),
    ('Bad', {'QueueArn': 'x'}, 'InvalidAttributeName', 'Unknown Attribute QueueArn.'),
    ('Bad', {'FifoQueue': 'false'}, 'InvalidAttributeName', 'Unknown Attribute FifoQueue.'),
    ('Bad', {'ContentBasedDeduplication': 'true'}, 'InvalidAttributeName',
     'Unknown Attribute ContentBasedDeduplication.'),
    ('Bad', {'DeduplicationScope': 'queue'}, 'InvalidAttributeName',
     'You can specify the DeduplicationScope only when FifoQueue is set to true.'),
    ('Bad', {'FifoThroughputLimit': 'perQueue'}, 'InvalidAttributeName',
     'You can specify the FifoThroughputLimit only when FifoQueue is set to true.'),
    ('Bad', {'KmsMasterKeyId': 'k', 'SqsManagedSseEnabled': 'True'}, 'InvalidAttributeName', None),
    ('Bad', {'SqsManagedSseEnabled': 'true', 'KmsMasterKeyId': 'k'}, 'InvalidAttributeName',
     'You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.'),
    ('Bad', {'RedrivePolicy': '[]'}, 'InvalidParameterValue',
     'Value [] for parameter RedrivePolicy is invalid. Reason: Redrive policy is not a valid JSON map.'),
    ('Bad', {'RedrivePolicy': '{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}'}, 'InvalidParameterValue',
     'Value {"deadLetterTargetArn": "dummy", "maxReceiveCount": 42} for parameter RedrivePolicy is invalid. '
     'Reason: Invalid value for deadLetterTargetArn.'),
    ('Bad', {'RedrivePolicy': json.dumps({'deadLetterTargetArn': ARN + 'Dead', 'maxReceiveCount': 1001})},
     'InvalidParameterValue', None),
    ('Bad', {'RedrivePolicy': json.dumps({'deadLetterTargetArn': ARN + 'Nowhere', 'maxReceiveCount': 1})},
     'InvalidParameterValue', None),
    ('Bad.fifo', {'FifoQueue': 'true', 'RedrivePolicy': json.dumps(
        {'deadLetterTargetArn': ARN + 'Dead', 'maxReceiveCount': 1})}, 'InvalidParameterValue', None),
    ('Bad', {'RedriveAllowPolicy': '{"redrivePermission":"some"}'}, 'InvalidParameterValue', None),
    ('Bad.fifo', {'FifoQueue': 'true', 'FifoThroughputLimit': 'perMessageGroupId'}, 'InvalidAttributeValue', None),
    ('Bad', {'FifoQueue': 'true'}, 'InvalidParameterValue',
     'The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with '
     '.fifo suffix and be 1 to 80 in length.'),
    ('Bad.fifo', {}, 'InvalidParameterValue',
     'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length'),
    ('B' * 81, {}, 'InvalidParameterValue', None),
    ('B d', {}, 'InvalidParameterValue', None),
])
def test_attribute_errors(call, name, attributes, code, message):
    answer, listed = call(('create_queue', {'QueueName': name, 'Attributes': attributes}),
                          ('list_queues', {'QueueNamePrefix': 'B'}))
    assert answer['error']['Code'] == code
    assert answer['status'] == 400
    if message:
        assert answer['error']['Message'] == message
    assert name not in names(listed)


def test_tags(call):
    queue = url('Plain')
    none, _, some, _, one, _, rest, many, reserved, value = call(
        ('list_queue_tags', {'QueueUrl': queue}),
        ('tag_queue', {'QueueUrl': queue, 'Tags': {'a': '1', 'b': 'ü&<', 'c': ''}}),
        ('list_queue_tags', {'QueueUrl': queue}),
        ('untag_queue', {'QueueUrl': queue, 'TagKeys': ['a', 'c', 'nothing']}),
        ('list_queue_tags', {'QueueUrl': queue}),
        ('untag_queue', {'QueueUrl': queue, 'TagKeys': ['b']}),
        ('list_queue_tags', {'QueueUrl': queue}),
        ('tag_queue', {'QueueUrl': queue, 'Tags': {str(n): 'x' for n in range(51)}}),
        ('tag_queue', {'QueueUrl': queue, 'Tags': {'aws:team': 'x'}}),
        ('create_queue', {'QueueName': 'Reserved', 'tags': {'team': 'aws:x'}}))
    assert none.get('Tags', {}) == {} and rest.get('Tags', {}) == {}
    assert some['Tags'] == {'a': '1', 'b': 'ü&<', 'c': ''}
    assert one['Tags'] == {'b': 'ü&<'}
    for refused in (many, reserved, value):
        assert refused['error']['Code'] == 'InvalidParameterValue'


def test_permissions(call):
    queue = url('Plain')
    policy = ('get_queue_attributes', {'QueueUrl': queue, 'AttributeNames': ['Policy']})
    add = {'QueueUrl': queue, 'Label': 'one', 'AWSAccountIds': [ACCOUNT, '668614515564'], 'Actions': ['ReceiveMessage']}
    _, first, twice, _, both, _, _, rest, lost, owner, nobody = call(
        ('add_permission', add), policy, ('add_permission', add),
        ('add_permission', {**add, 'Label': 'two', 'AWSAccountIds': [ACCOUNT], 'Actions': ['*', 'SendMessage']}), policy,
        ('remove_permission', {'QueueUrl': queue, 'Label': 'one'}),
        ('remove_permission', {'QueueUrl': queue, 'Label': 'two'}), policy,
        ('remove_permission', {'QueueUrl': queue, 'Label': 'two'}),
        ('add_permission', {**add, 'Actions': ['DeleteQueue']}),
        ('add_permission', {**add, 'AWSAccountIds': ['me']}))
    assert json.loads(first['Attributes']['Policy']) == {
        'Version': '2008-10-17', 'Id': ARN + 'Plain/SQSDefaultPolicy', 'Statement': [{
            'Sid': 'one', 'Effect': 'Allow', 'Action': 'SQS:ReceiveMessage', 'Resource': ARN + 'Plain',
            'Principal': {'AWS': [f'arn:aws:iam::{ACCOUNT}:root', 'arn:aws:iam::668614515564:root']}}]}
    assert twice['error']['Message'] == 'Value one for parameter Label is invalid. Reason: Already exists.'
    assert [s['Sid'] for s in json.loads(both['Attributes']['Policy'])['Statement']] == ['one', 'two']
    assert rest.get('Attributes', {}) == {}
    assert lost['error']['Message'] == "Value two for parameter Label is invalid. Reason: can't find label."
    assert owner['error']['Code'] == nobody['error']['Code'] == 'InvalidParameterValue'


def test_dead_letter_sources(call):
    all_of_them, one, rest, none = call(
        ('list_dead_letter_source_queues', {'QueueUrl': url('Dead')}),
        ('list_dead_letter_source_queues', {'QueueUrl': url('Dead'), 'MaxResults': 1}),
        ('list_dead_letter_source_queues', {'QueueUrl': url('MoverDead'), 'MaxResults': 1}),
        ('list_dead_letter_source_queues', {'QueueUrl': url('Plain')}))
    assert names(all_of_them, 'queueUrls') == names(one, 'queueUrls') == ['Giver']
    assert names(rest, 'queueUrls') == ['Mover'] and none.get('queueUrls', []) == []


def test_purge(call):
    queue = url('List-a')
    _, _, empty, again = call(
        ('send_message', {'QueueUrl': queue, 'MessageBody': 'x'}), ('purge_queue', {'QueueUrl': queue}),
        ('receive_message', {'QueueUrl': queue}), ('purge_queue', {'QueueUrl': queue}))
    assert 'Messages' not in empty
    assert again['status'] == 403 and again['error']['Code'] == PREFIX + 'PurgeQueueInProgress'
    assert again['error']['Message'] == 'Only one PurgeQueue operation on List-a is allowed every 60 seconds.'


def test_message_texts_survive(call):
    bodies = ['a\r\nb\tc', '<a href="x">&amp;</a>', '\\u0041 \\ "q"', '🦤' * 3, ' lead and trail ', 'é\ufffd']
    entries = [{'Id': str(n), 'MessageBody': body, 'MessageAttributes': {
        'binary': {'DataType': 'Binary.x', 'BinaryValue': 'bytes:<&\r\n'},
        'text': {'DataType': 'String', 'StringValue': body}}} for n, body in enumerate(bodies)]
    sent, received = call(
        ('send_message_batch', {'QueueUrl': url('List-b'), 'Entries': entries}),
        ('receive_message', {'QueueUrl': url('List-b'), 'MaxNumberOfMessages': 10, 'MessageAttributeNames': ['All']}))
    assert sent.get('Failed', []) == [] and len(sent['Successful']) == len(bodies)
    for body, entry, message in zip(bodies, sent['Successful'], received['Messages']):
        assert message['Body'] == body
        assert message['MD5OfBody'] == hashlib.md5(body.encode()).hexdigest()
        assert message['MessageAttributes'] == {
            'binary': {'DataType': 'Binary.x', 'BinaryValue': '<&\r\n'},
            'text': {'DataType': 'String', 'StringValue': body}}
        assert message['MD5OfMessageAttributes'] == entry['MD5OfMessageAttributes'] == attributes_md5(
            message['MessageAttributes'])


def test_large_requests(call):
    body = '\x7f"é\n' * 200_000  # 1,000,000 bytes; several million as JSON and as a form
    sent, received = call(
        ('send_message', {'QueueUrl': url('Handles'), 'MessageBody': body}),
        ('receive_message', {'QueueUrl': url('Handles'), 'VisibilityTimeout': 0}))
    assert received['Messages'][0]['Body'] == body
    call(('delete_message', {'QueueUrl': url('Handles'), 'ReceiptHandle': received['Messages'][0]['ReceiptHandle']}))


@pytest.mark.parametrize('address', [
    'https://eu-west-1.queue.amazonaws.com/%s/Plain', 'https://sqs.eu-west-1.amazonaws.com/%s/Plain'])
def test_addresses_of_elsewhere(call, address):
    address = address.replace('%s', ACCOUNT)
    answer, = call(('send_message', {'QueueUrl': address, 'MessageBody': 'x'}))
    assert answer['error']['Code'] == 'InvalidAddress'
    assert answer['error']['Message'] == f'The address {address} is not valid for this endpoint.'


def test_bare_names(call):
    named, unknown, host, path = call(
        ('get_queue_attributes', {'QueueUrl': 'Plain', 'AttributeNames': ['QueueArn']}),
        ('purge_queue', {'QueueUrl': 'Nowhere'}),
        ('purge_queue', {'QueueUrl': 'http://nowhere'}),
        ('purge_queue', {'QueueUrl': 'http://nowhere/Plain'}))
    assert named['Attributes']['QueueArn'] == ARN + 'Plain'
    for answer in [unknown, host, path]:
        assert answer['error']['Code'] == PREFIX + 'NonExistentQueue'


def test_handles_of_another_queue(call):
    sent, received, *refused, deleted = call(
        ('send_message', {'QueueUrl': url('Handles'), 'MessageBody': 'x'}),
        ('receive_message', {'QueueUrl': url('Handles')}),
        ('delete_message', {'QueueUrl': url('Plain'), 'ReceiptHandle': '$1.Messages.0.ReceiptHandle'}),
        ('change_message_visibility', {'QueueUrl': url('Plain'), 'VisibilityTimeout': 0,
                                       'ReceiptHandle': '$1.Messages.0.ReceiptHandle'}),
        ('delete_message_batch', {'QueueUrl': url('Plain'), 'Entries': [
            {'Id': 'a', 'ReceiptHandle': '$1.Messages.0.ReceiptHandle'}]}),
        ('delete_message', {'QueueUrl': url('Handles'), 'ReceiptHandle': '$1.Messages.0.ReceiptHandle'}))
    handle = received['Messages'][0]['ReceiptHandle']
    words = f'The receipt handle "{handle}" is not valid for this queue.'
    for answer in refused[:2]:
        assert (answer['error']['Code'], answer['error']['Message']) == ('ReceiptHandleIsInvalid', words)
    assert refused[2]['Failed'][0]['Message'] == words
    assert 'error' not in deleted


def test_other_accounts(call):
    own, other = call(('get_queue_url', {'QueueName': 'Plain', 'QueueOwnerAWSAccountId': ACCOUNT}),
                      ('get_queue_url', {'QueueName': 'Plain', 'QueueOwnerAWSAccountId': '999999999999'}))
    assert own['QueueUrl'].endswith('/Plain') and other['error']['Code'] == PREFIX + 'NonExistentQueue'


def test_long_polls_wait_for_other_processes(call, stack, protocol, make_client):
    pollers = [make_client(stack, protocol) for _ in range(3)]
    for poller in pollers:
        poller.start(('receive_message', {'QueueUrl': url('Woken'), 'WaitTimeSeconds': 20}))
    # Sent by a command, which knows nothing of the server.
    for n in range(3):
        assert stack.msorch('send', 'Woken', f'm{n}').returncode == 0
    bodies = [poller.finish()[0]['Messages'][0]['Body'] for poller in pollers]
    assert sorted(bodies) == ['m0', 'm1', 'm2']


def test_long_polls_end(call):
    empty, = call(('receive_message', {'QueueUrl': url('Woken'), 'WaitTimeSeconds': 1}))
    assert 'Messages' not in empty


def test_a_queue_that_is_removed_and_made_again(call, stack):
    _, _ = call(('create_queue', {'QueueName': 'Again'}),
                ('send_message', {'QueueUrl': url('Again'), 'MessageBody': 'old'}))
    assert stack.msorch('queue', 'rm', 'Again', '--force').returncode == 0
    gone, = call(('receive_message', {'QueueUrl': url('Again')}))
    assert gone['error']['Code'] == PREFIX + 'NonExistentQueue'
    assert stack.msorch('queue', 'create', 'Again', '--force').returncode == 0
    _, received = call(('send_message', {'QueueUrl': url('Again'), 'MessageBody': 'new'}),
                       ('receive_message', {'QueueUrl': url('Again'), 'MaxNumberOfMessages': 10}))
    assert [message['Body'] for message in received['Messages']] == ['new']


def test_cancelled_move_task(call):
    arn = ARN + 'CancelDead'
    receive = ('receive_message', {'QueueUrl': url('Cancel')})
    results = call(
        ('create_queue', {'QueueName': 'CancelDead'}),
        ('create_queue', {'QueueName': 'Cancel', 'Attributes': {'VisibilityTimeout': '0', 'RedrivePolicy': json.dumps(
            {'deadLetterTargetArn': arn, 'maxReceiveCount': 1})}}),
        *[('send_message', {'QueueUrl': url('Cancel'), 'MessageBody': str(n)}) for n in range(6)],
        *[receive] * 8,
        ('start_message_move_task', {'SourceArn': arn, 'MaxNumberOfMessagesPerSecond': 1}),
        ('start_message_move_task', {'SourceArn': arn}),
        ('list_message_move_tasks', {'SourceArn': arn}),
        ('cancel_message_move_task', {'TaskHandle': '$16.TaskHandle'}),
        ('cancel_message_move_task', {'TaskHandle': 'garbage'}))
    started, second, listed, cancelled, garbage = results[16:]
    assert started['TaskHandle'] == listed['Results'][0]['TaskHandle']
    assert listed['Results'][0]['Status'] == 'RUNNING'
    assert listed['Results'][0]['MaxNumberOfMessagesPerSecond'] == 1
    assert second['error']['Message'] == ('There is already a task running. Only one active task is allowed for a '
                                          'source queue arn at a given time.')
    assert cancelled['ApproximateNumberOfMessagesMoved'] < 6
    assert garbage['error']['Message'] == 'Value for parameter TaskHandle is invalid.'


def test_the_aws_command(stack, protocol):
    def aws(*arguments):
        result = stack.aws('sqs', *arguments, protocol=protocol)
        return json.loads(result.stdout) if result.stdout else result
    queue = aws('create-queue', '--queue-name', 'Cli')['QueueUrl']
    sent = aws('send-message', '--queue-url', queue, '--message-body', 'hello')
    received = aws('receive-message', '--queue-url', queue, '--attribute-names', 'All')['Messages'][0]
    assert received['Body'] == 'hello' and received['MessageId'] == sent['MessageId']
    assert aws('delete-message', '--queue-url', queue, '--receipt-handle', received['ReceiptHandle']).returncode == 0
    assert queue in aws('list-queues')['QueueUrls']
    refused = stack.aws('sqs', 'get-queue-url', '--queue-name', 'Nowhere', protocol=protocol)
    assert 'AWS.SimpleQueueService.NonExistentQueue' in refused.stderr and refused.returncode != 0
    assert aws('delete-queue', '--queue-url', queue).returncode == 0


def test_queues_of_the_api_outlive_server_and_deploys(make_stack, make_client):
    stack = make_stack('api-queues')
    definition = {'lambdas': {}, 'queues': {'Own': {'visibilityTimeout': 40}}}
    stack.deploy(definition)
    stack.serve()
    make_client(stack)(
        ('create_queue', {'QueueName': 'Extra', 'Attributes': {'DelaySeconds': '1'}, 'tags': {'a': 'b'}}),
        ('set_queue_attributes', {'QueueUrl': url('Own'), 'Attributes': {'VisibilityTimeout': '1'}}))
    listed = stack.msorch('queue', 'ls')
    assert listed.stdout.split() == ['Own', 'Extra'] and 'Not of the stack: Extra.' in listed.stderr
    assert stack.msorch('queue', 'ls', '--origin', 'other').stdout.split() == ['Extra']
    assert stack.msorch('queue', 'ls', '--origin', 'stack').stdout.split() == ['Own']
    stack.stop()
    stack.deploy(definition)
    stack.serve()
    extra, tags, own, deleted = make_client(stack)(
        ('get_queue_attributes', {'QueueUrl': url('Extra'), 'AttributeNames': ['DelaySeconds']}),
        ('list_queue_tags', {'QueueUrl': url('Extra')}),
        ('get_queue_attributes', {'QueueUrl': url('Own'), 'AttributeNames': ['VisibilityTimeout']}),
        ('delete_queue', {'QueueUrl': url('Own')}))
    assert extra['Attributes'] == {'DelaySeconds': '1'} and tags['Tags'] == {'a': 'b'}
    assert own['Attributes'] == {'VisibilityTimeout': '40'}, 'the stack file wins'
    assert deleted == {}
    stack.deploy(definition)
    assert stack.msorch('queue', 'ls').stdout.split() == ['Own', 'Extra']
