"""Calls that come as lines of JSON on standard input, made with this interpreter's botocore; answers on standard output.

Every answer is validated against botocore's own model: shapes, and the members that it requires."""
import base64
import json
import sys

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.validate import ParamValidator

endpoint, service = sys.argv[1:3]
config = Config(retries={'max_attempts': 0}, read_timeout=40)
session = botocore.session.get_session()
client = session.create_client(service, endpoint_url=endpoint, config=config)


def validate(parsed, model, http_response, **_):
    """Runs after every call, whoever makes it."""
    headers = http_response.headers
    assert headers.get('x-amzn-RequestId'), 'an answer has a request id'
    assert parsed['ResponseMetadata'].get('RequestId') == headers['x-amzn-RequestId'], 'the body has the same one'
    if http_response.status_code >= 300:
        assert set(parsed['Error']) >= {'Code', 'Message', 'Type'}, parsed
        if model.metadata['protocol'] == 'json':
            assert headers['x-amzn-query-error'].startswith(parsed['Error']['Code']), headers
            assert parsed['Error']['QueryErrorCode'], parsed
        return
    if model.output_shape is None:
        return
    answer = {key: value for key, value in parsed.items() if key != 'ResponseMetadata'}
    if model.metadata['protocol'] == 'query':
        # An empty list is nothing at all in this protocol's XML.
        for name in model.output_shape.required_members:
            if model.output_shape.members[name].type_name == 'list':
                answer.setdefault(name, [])
    report = ParamValidator().validate(answer, model.output_shape)
    assert not report.has_errors(), report.generate_report()


client.meta.events.register(f'after-call.{service}', validate)


def resolve(value, results):
    """'$0.Messages.1.Body' is what an earlier call answered; 'bytes:x' is binary."""
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


def plain(value):
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return 'base64:' + base64.b64encode(value).decode()
    return str(value)


for line in sys.stdin:
    results = []
    for operation, parameters in json.loads(line):
        try:
            answer = getattr(client, operation)(**resolve(parameters, results))
            meta = answer.pop('ResponseMetadata')
            assert meta['HTTPStatusCode'] == 200
            results.append(answer)
        except ClientError as error:
            status = error.response['ResponseMetadata']['HTTPStatusCode']
            results.append({'error': error.response['Error'], 'status': status, 'class': type(error).__name__})
        except (AssertionError, ParamValidationError, KeyError) as error:
            results.append({'failure': f'{operation}: {error!r}'})
    print(json.dumps(results, default=plain), flush=True)
