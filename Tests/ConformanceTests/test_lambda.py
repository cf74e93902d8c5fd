"""Lambda's Invoke API as boto3 sees it, against a server that runs."""
import base64
import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

HANDLER = '''
import json


def handle(event, context):
    print('got ' + json.dumps(event))
    if event == 'fail':
        raise ValueError('as told')
    return {'event': event, 'context': context.client_context and context.client_context.custom}
'''
ARN = 'arn:aws:lambda:us-east-1:123456789012:function:'


@pytest.fixture(scope='module')
def stack(make_stack):
    stack = make_stack('lambda')
    (stack.folder / 'code').mkdir()
    (stack.folder / 'code/handler.py').write_text(HANDLER)
    function = {'runtime': 'python3', 'handler': 'handler.handle', 'code': 'code', 'timeout': 20}
    stack.deploy({
        'lambdas': {'Echo': {**function, 'functionName': 'EchoService'},
                    'Other': {**function, 'policies': [{'Effect': 'Allow', 'Action': 'lambda:InvokeFunction',
                                                        'Resource': ARN + 'Other'}]},
                    'Stopped': {**function, 'reservedConcurrency': 0}},
        'queues': {},
    })
    stack.serve()
    return stack


def client(stack, owner='developer', **options):
    keys = {name.lower(): value for name, value in stack.keys(owner).items()}
    return boto3.client('lambda', region_name='us-east-1', endpoint_url=stack.endpoint,
                        config=Config(retries={'max_attempts': 0}), **{**keys, **options})


def refusal(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    response = error.value.response
    return response['ResponseMetadata']['HTTPStatusCode'], response['Error']['Code'], response['Error']['Message']


def test_request_and_response(stack):
    context = base64.b64encode(json.dumps({'custom': {'a': 'ñ 😀'}}, indent=1, ensure_ascii=False).encode()).decode()
    answer = client(stack).invoke(FunctionName='EchoService', Payload=b'{"n": 1}', LogType='Tail', ClientContext=context)
    assert answer['StatusCode'] == 200 and answer['ExecutedVersion'] == '$LATEST'
    assert json.loads(answer['Payload'].read()) == {'event': {'n': 1}, 'context': {'a': 'ñ 😀'}}
    log = base64.b64decode(answer['LogResult']).decode()
    request_id = answer['ResponseMetadata']['RequestId']
    assert 'got {"n": 1}\n' in log and f'END RequestId: {request_id}\n' in log and 'REPORT' in log


def test_function_error(stack):
    answer = client(stack).invoke(FunctionName='EchoService', Payload=b'"fail"')
    assert answer['StatusCode'] == 200 and answer['FunctionError'] == 'Unhandled'
    error = json.loads(answer['Payload'].read())
    assert error['errorType'] == 'ValueError' and error['errorMessage'] == 'as told'


@pytest.mark.parametrize('name', ['EchoService', ARN + 'EchoService', '123456789012:function:EchoService',
                                  ARN + 'EchoService:$LATEST'])
def test_names(stack, name):
    assert client(stack).invoke(FunctionName=name)['StatusCode'] == 200


def test_dry_run_and_event(stack):
    answer = client(stack).invoke(FunctionName='EchoService', InvocationType='DryRun')
    assert answer['StatusCode'] == 204 and 'ExecutedVersion' not in answer
    answer = client(stack).invoke(FunctionName='EchoService', InvocationType='Event', Payload=b'{}')
    assert answer['StatusCode'] == 202 and answer['Payload'].read() == b'' and 'ExecutedVersion' not in answer


@pytest.mark.parametrize('parameters,expected', [
    ({'FunctionName': 'Nobody'}, (404, 'ResourceNotFoundException', f'Function not found: {ARN}Nobody')),
    ({'FunctionName': 'EchoService', 'Qualifier': '7'},
     (404, 'ResourceNotFoundException', f'Function not found: {ARN}EchoService:7')),
    ({'FunctionName': 'Stopped'}, (429, 'TooManyRequestsException', 'Rate Exceeded.')),
])
def test_refusals(stack, parameters, expected):
    assert refusal(client(stack).invoke, **parameters) == expected


def test_bad_requests(stack):
    status, code, message = refusal(client(stack).invoke, FunctionName='EchoService', Payload=b'{')
    assert (status, code) == (400, 'InvalidRequestContentException')
    assert message.startswith('Could not parse request body into json: ')
    for context in ['string', base64.b64encode(b'[1]').decode()]:
        assert refusal(client(stack).invoke, FunctionName='EchoService', ClientContext=context) == (
            400, 'InvalidRequestContentException', 'Client context must be a valid Base64-encoded JSON object.')
    large = b'"' + b'x' * 6_291_455 + b'"'
    assert refusal(client(stack).invoke, FunctionName='EchoService', Payload=large) == (
        413, 'RequestEntityTooLargeException', 'Request must be smaller than 6291456 bytes for the InvokeFunction operation')
    assert refusal(client(stack).invoke, FunctionName='EchoService', InvocationType='Event', Payload=large[:1_048_576] + b'"') == (
        413, 'RequestEntityTooLargeException', '1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)')


def test_who_may(stack):
    assert client(stack, 'Other').invoke(FunctionName='Other')['StatusCode'] == 200
    status, code, message = refusal(client(stack, 'Other').invoke, FunctionName='EchoService')
    assert (status, code) == (403, 'AccessDeniedException')
    assert 'is not authorized to perform: lambda:InvokeFunction on resource: ' + ARN + 'EchoService' in message
    forged = client(stack, aws_secret_access_key='forged')
    assert refusal(forged.invoke, FunctionName='EchoService')[:2] == (403, 'InvalidSignatureException')
    unknown = client(stack, aws_access_key_id='AKIANOBODY')
    assert refusal(unknown.invoke, FunctionName='EchoService')[:2] == (403, 'UnrecognizedClientException')
