"""The gateway, asked with botocore's signatures; its events read by AWS's own Powertools for Lambda."""
import json
import threading
from urllib.parse import quote

import pytest
import urllib3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

POWERTOOLS = '''
import json
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.parser.models import APIGatewayProxyEventModel, APIGatewayProxyEventV2Model

def routes(app):
    @app.get('/orders/<order>')
    def order(order):
        return {'order': order, 'page': app.current_event.get_query_string_value('page'),
                'agent': app.current_event.headers.get('user-agent')}

    @app.post('/orders')
    def create():
        return Response(status_code=201, content_type='application/json', body=json.dumps(app.current_event.json_body),
                        headers={'Location': '/orders/1'})

    @app.get('/missing')
    def missing():
        raise NotFoundError('no such order')

    @app.get('/image')
    def image():
        return Response(status_code=200, content_type='image/png', body=bytes(range(256)))

    return app

rest_app, http_app = routes(APIGatewayRestResolver()), routes(APIGatewayHttpResolver())

def rest(event, context):
    APIGatewayProxyEventModel.model_validate(event)
    return rest_app.resolve(event, context)

def http(event, context):
    APIGatewayProxyEventV2Model.model_validate(event)
    return http_app.resolve(event, context)

def echo(event, context):
    return {'statusCode': 200, 'body': json.dumps(event)}

def custom(event, context):
    if event.get('fail'):
        raise ValueError(f"no such order: {event['fail']}")
    return event
'''


class API:
    """A stack with a gateway that runs."""
    def __init__(self, stack, definition):
        self.stack = stack
        (stack.folder / 'code').mkdir()
        (stack.folder / 'code/handler.py').write_text(POWERTOOLS)
        functions = {name: {'runtime': 'python3', 'handler': f'handler.{name}', 'code': 'code', 'timeout': 20}
                     for name in ('rest', 'http', 'echo', 'custom')}
        stack.deploy({'name': 'shop', 'lambdas': functions, 'queues': {}, **definition})
        self.url = stack.serve()['gateway']
        self.pool = urllib3.PoolManager(retries=False, maxsize=32)

    def send(self, method, path, body=None, headers=None, fields=None):
        """The status, the headers and the body."""
        return self.pool.request(method, self.url + path, body=body, headers=headers, fields=fields, timeout=40,
                                 redirect=False)

    def sign(self, method, path, body=b'', owner='developer', service='execute-api', region='us-east-1',
             presign=False):
        request = AWSRequest(method=method, url=self.url + path, data=body,
                             headers={'Content-Type': 'application/json'} if body else {})
        auth = SigV4QueryAuth if presign else SigV4Auth
        auth(Credentials(*self.stack.keys(owner).values()), service, region).add_auth(request)
        prepared = request.prepare()
        return self.pool.urlopen(method, prepared.url, body=body, headers=dict(prepared.headers), timeout=40)


@pytest.fixture(scope='module')
def rest(make_stack):
    return API(make_stack('rest'), {
        'api': {'name': 'Shop', 'binaryMediaTypes': ['image/png'], 'stageVariables': {'colour': 'blue'}},
        'routes': {
            'POST /signed': {'lambda': 'custom', 'authorization': 'iam'},
            'GET /signed/{id}': {'lambda': 'echo', 'integration': 'proxy', 'authorization': 'iam'},
            'POST /custom': {'lambda': 'custom', 'responses': [{'pattern': 'no such order.*', 'statusCode': 404}],
                             'requestSchema': {'type': 'object', 'required': ['order_id']}},
            'ANY /echo/{proxy+}': {'lambda': 'echo', 'integration': 'proxy'},
            'ANY /orders/{proxy+}': {'lambda': 'rest', 'integration': 'proxy'},
            'POST /orders': {'lambda': 'rest', 'integration': 'proxy'},
            'GET /missing': {'lambda': 'rest', 'integration': 'proxy'},
            'GET /image': {'lambda': 'rest', 'integration': 'proxy'},
        }})


@pytest.fixture(scope='module')
def http(make_stack):
    return API(make_stack('http'), {
        'api': {'type': 'http', 'stage': '$default'},
        'routes': {'$default': {'lambda': 'http'}, 'GET /echo/{id}': {'lambda': 'echo'},
                   'GET /signed': {'lambda': 'echo', 'authorization': 'iam'}}})


def error(response):
    return response.status, response.headers.get('x-amzn-ErrorType'), json.loads(response.data)


@pytest.mark.parametrize('presign', [False, True])
def test_signed(rest, presign):
    body = b'' if presign else json.dumps({'order_id': 1}).encode()
    response = rest.sign('POST', '/prod/signed', body, presign=presign)
    assert (response.status, json.loads(response.data)) == (200, {'order_id': 1} if body else {})
    assert response.headers['x-amzn-RequestId'] and response.headers['x-amz-apigw-id']


@pytest.mark.parametrize('query', [{'b': '2', 'a': '1'}, {'q': 'ä & ö = ü + 1'}, {'empty': ''}, {}])
@pytest.mark.parametrize('order', ['1', 'a b', '1/2', 'ñ'])
def test_signed_paths_and_queries(rest, query, order):
    words = '&'.join(f'{name}={quote(value, safe="")}' for name, value in query.items())
    response = rest.sign('GET', f'/prod/signed/{quote(order, safe="")}' + (f'?{words}' if words else ''))
    assert response.status == 200, response.data
    event = json.loads(response.data)
    assert event['queryStringParameters'] == (query or None)
    assert event['pathParameters'] == {'id': quote(order, safe='')}
    assert event['requestContext']['identity']['userArn'] == 'arn:aws:iam::123456789012:user/developer'


def test_unsigned(rest):
    missing = {'message': 'Missing Authentication Token'}
    assert error(rest.send('POST', '/prod/signed', b'{}')) == (403, 'MissingAuthenticationTokenException', missing)


@pytest.mark.parametrize('options, kind', [
    ({'service': 'sqs'}, 'InvalidSignatureException'), ({'region': 'eu-west-1'}, 'InvalidSignatureException'),
    ({'owner': 'echo'}, 'AccessDeniedException')])
def test_refused(rest, options, kind):
    status, error_type, body = error(rest.sign('POST', '/prod/signed', b'{}', **options))
    assert (status, error_type) == (403, kind), body
    if kind == 'AccessDeniedException':
        assert body['Message'].startswith('User: arn:aws:sts::123456789012:assumed-role/echo/echo is not authorized')
        assert 'arn:aws:execute-api:us-east-1:********9012:shop/prod/POST/signed' in body['Message']


def test_custom(rest):
    def post(body):
        response = rest.send('POST', '/prod/custom', json.dumps(body).encode(), {'Content-Type': 'application/json'})
        return response.status, json.loads(response.data)
    assert post({'order_id': 1}) == (200, {'order_id': 1})
    assert post({}) == (400, {'message': 'Invalid request body'})
    status, body = post({'order_id': 1, 'fail': 7})
    assert (status, body['errorMessage'], body['errorType']) == (404, 'no such order: 7', 'ValueError')


def check_powertools(api, prefix, order):
    get = api.send('GET', f'{prefix}/orders/a%20b?page=2', headers={'User-Agent': 'test'})
    assert (get.status, json.loads(get.data)) == (200, {'order': order, 'page': '2', 'agent': 'test'}), get.data
    post = api.send('POST', f'{prefix}/orders', b'{"order_id": 1}', {'Content-Type': 'application/json'})
    assert (post.status, post.headers['Location'], json.loads(post.data)) == (201, '/orders/1', {'order_id': 1})
    missing = api.send('GET', f'{prefix}/missing')
    assert (missing.status, json.loads(missing.data)['message']) == (404, 'no such order')
    image = api.send('GET', f'{prefix}/image', headers={'Accept': 'image/png'})
    assert (image.status, image.data, image.headers['Content-Type']) == (200, bytes(range(256)), 'image/png')


def test_powertools_rest(rest):
    check_powertools(rest, '/prod', 'a%20b')  # a REST API leaves the path as it is


def test_powertools_http(http):
    check_powertools(http, '', 'a b')  # an HTTP API decodes it
    assert http.send('GET', '/nothing').status == 404


def test_binary_body(rest):
    response = rest.send('POST', '/prod/echo/x', bytes(range(256)), {'Content-Type': 'image/png'})
    event = json.loads(response.data)
    assert event['isBase64Encoded'] and event['body'].startswith('AAECAwQF')


def test_methods(rest):
    for method in ('DELETE', 'GET', 'OPTIONS', 'PATCH', 'POST', 'PUT'):
        response = rest.send(method, '/prod/echo/a/b')
        assert (response.status, json.loads(response.data)['httpMethod']) == (200, method)
    head = rest.send('HEAD', '/prod/echo/a')
    assert (head.status, head.data) == (200, b'') and int(head.headers['Content-Length']) > 0
    assert rest.send('TRACE', '/prod/echo/a').status == 403


def test_http_api_signed(http):
    event = json.loads(http.sign('GET', '/signed').data)
    assert event['requestContext']['authorizer']['iam']['userArn'] == 'arn:aws:iam::123456789012:user/developer'
    response = http.send('GET', '/signed')
    assert (response.status, json.loads(response.data)) == (403, {'message': 'Forbidden'})


def test_many_at_once(rest):
    bodies = {}

    def send(number):
        response = rest.send('POST', '/prod/echo/x', str(number).encode(), {'Content-Type': 'text/plain'})
        bodies[number] = json.loads(response.data)['body']

    threads = [threading.Thread(target=send, args=[number]) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == {number: str(number) for number in range(32)}
