"""A user pool as boto3's cognito-idp sees it; its tokens as PyJWT does, by the keys that it publishes."""
import json
import subprocess
import time
import urllib.request

import boto3
import botocore.exceptions
import jwt
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.validate import ParamValidator

from conftest import MSORCH

PASSWORD = 'Correct-Horse-1'


class Pool:
    """A stack with a user pool that runs."""
    def __init__(self, stack, settings):
        self.stack = stack
        stack.deploy({'name': 'shop', 'lambdas': {}, 'queues': {}, 'security': {'userPool': settings}})
        ready = stack.folder / 'ready.json'
        self.log = stack.folder / 'serve.log'
        self.output = open(self.log, 'w')
        self.process = subprocess.Popen(
            [MSORCH, 'serve', '--port', '0', '--gateway-port', '0', '--ready-file', str(ready)],
            cwd=stack.folder, stdout=self.output, stderr=self.output)
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.01)
        self.url = json.loads(ready.read_text())['endpoint']
        pool = json.loads(stack.msorch('users', 'pool', '--output', 'json').stdout)
        self.id, self.client, self.issuer = pool['id'], pool['clientIds'][0], pool['issuer']
        key = json.loads((stack.folder / '.msorch/credentials').read_text())['developer']
        self.keys = {'aws_access_key_id': key['accessKeyId'], 'aws_secret_access_key': key['secretAccessKey']}

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0
        self.output.close()

    def boto(self, **options):
        return boto3.client('cognito-idp', region_name='us-east-1', endpoint_url=self.url, **options)

    def call(self, operation, **parameters):
        """An answer of the shape that botocore knows, or an error's code and message."""
        client = self.boto(**self.keys)
        if operation.startswith(('admin_', 'list_', 'describe_')):
            parameters = {'UserPoolId': self.id, **parameters}
        if operation in ('initiate_auth', 'respond_to_auth_challenge', 'sign_up', 'confirm_sign_up', 'forgot_password',
                         'confirm_forgot_password', 'resend_confirmation_code', 'admin_initiate_auth'):
            parameters = {'ClientId': self.client, **parameters}
        try:
            answer = getattr(client, operation)(**parameters)
        except botocore.exceptions.ClientError as error:
            assert isinstance(error, getattr(client.exceptions, error.response['Error']['Code'], Exception))
            return error.response['Error']['Code'], error.response['Error']['Message']
        assert answer.pop('ResponseMetadata')['HTTPStatusCode'] == 200
        name = client.meta.method_to_api_mapping[operation]
        shape = client.meta.service_model.operation_model(name).output_shape
        if shape is None:
            return answer
        report = ParamValidator().validate(answer, shape)
        assert not report.has_errors(), report.generate_report()
        assert set(answer) <= set(shape.members), 'nothing that the model does not know'
        return answer

    def sign_in(self, name, password=PASSWORD):
        return self.call('initiate_auth', AuthFlow='USER_PASSWORD_AUTH',
                         AuthParameters={'USERNAME': name, 'PASSWORD': password})

    def code(self, name, kind):
        users = json.loads(self.stack.msorch('users', 'list', '--output', 'json').stdout)
        return next(user[kind] for user in users if user['username'] == name)


@pytest.fixture(scope='module')
def pool(make_stack):
    pool = Pool(make_stack('users'), {})
    yield pool
    pool.stop()


def test_sign_up(pool):
    answer = pool.call('sign_up', Username='ana', Password=PASSWORD,
                       UserAttributes=[{'Name': 'email', 'Value': 'ana@example.com'}])
    assert answer['UserConfirmed'] is False
    assert answer['CodeDeliveryDetails']['DeliveryMedium'] == 'EMAIL'
    assert pool.call('sign_up', Username='ana', Password=PASSWORD) == ('UsernameExistsException', 'User already exists')
    assert pool.sign_in('ana') == ('UserNotConfirmedException', 'User is not confirmed.')
    code = pool.code('ana', 'confirmationCode')
    assert code in pool.log.read_text()
    wrong = '000000' if code != '000000' else '000001'
    assert pool.call('confirm_sign_up', Username='ana', ConfirmationCode=wrong) == (
        'CodeMismatchException', 'Invalid verification code provided, please try again.')
    assert pool.call('confirm_sign_up', Username='ana', ConfirmationCode=code) == {}
    tokens = pool.sign_in('ana')['AuthenticationResult']
    user = pool.call('get_user', AccessToken=tokens['AccessToken'])
    assert user['Username'] == 'ana'
    assert {'Name': 'email', 'Value': 'ana@example.com'} in user['UserAttributes']
    assert {'Name': 'sub', 'Value': answer['UserSub']} in user['UserAttributes']
    assert pool.sign_in('ana', 'Wrong-Horse-1') == ('NotAuthorizedException', 'Incorrect username or password.')
    assert pool.sign_in('nobody') == ('NotAuthorizedException', 'Incorrect username or password.')
    assert pool.call('sign_up', Username='bob', Password='short')[0] == 'InvalidPasswordException'


def test_tokens_by_their_keys(pool):
    """Whoever has the address of the keys can check the tokens, also after another key signs."""
    pool.stack.msorch('users', 'add', 'tom', '--password', PASSWORD, '--attributes', 'email=tom@example.com')
    known = f'{pool.url}/{pool.id}/.well-known'
    configuration = json.load(urllib.request.urlopen(f'{known}/openid-configuration'))
    assert configuration['issuer'] == pool.issuer

    def check(token, **options):
        key = jwt.PyJWKClient(configuration['jwks_uri']).get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=['RS256'], issuer=pool.issuer, **options)

    first = pool.sign_in('tom')['AuthenticationResult']
    assert pool.stack.msorch('users', 'rotate-key').returncode == 0
    second = pool.sign_in('tom')['AuthenticationResult']
    ids = set()
    for result in (first, second):
        access = check(result['AccessToken'])
        assert access['client_id'] == pool.client and access['token_use'] == 'access' and access['username'] == 'tom'
        assert access['scope'] == 'aws.cognito.signin.user.admin' and access['exp'] - access['iat'] == 3600
        identity = check(result['IdToken'], audience=pool.client)
        assert identity['cognito:username'] == 'tom' and identity['email'] == 'tom@example.com'
        assert identity['sub'] == access['sub'] and identity['token_use'] == 'id'
        ids.add(jwt.get_unverified_header(result['AccessToken'])['kid'])
    assert len(ids) == 2
    made = pool.stack.msorch('users', 'token', 'tom', '--scopes', 'orders/read').stdout.strip()
    assert check(made)['scope'] == 'orders/read'


def test_refresh(pool):
    pool.stack.msorch('users', 'add', 'rita', '--password', PASSWORD)
    result = pool.sign_in('rita')['AuthenticationResult']
    def refresh(token):
        return pool.call('initiate_auth', AuthFlow='REFRESH_TOKEN_AUTH', AuthParameters={'REFRESH_TOKEN': token})
    again = refresh(result['RefreshToken'])['AuthenticationResult']
    assert 'RefreshToken' not in again and again['AccessToken'] != result['AccessToken']
    assert refresh(result['IdToken'])[1] == 'Invalid Refresh Token'
    assert pool.call('global_sign_out', AccessToken=again['AccessToken']) == {}
    assert refresh(result['RefreshToken']) == ('NotAuthorizedException', 'Refresh Token has been revoked')
    assert pool.call('get_user', AccessToken=again['AccessToken'])[1] == 'Access Token has been revoked'


def test_administration(pool):
    made = pool.call('admin_create_user', Username='eva', TemporaryPassword='Only-Once-1',
                     UserAttributes=[{'Name': 'email', 'Value': 'eva@example.com'},
                                     {'Name': 'email_verified', 'Value': 'true'}])
    assert made['User']['UserStatus'] == 'FORCE_CHANGE_PASSWORD'
    challenge = pool.sign_in('eva', 'Only-Once-1')
    assert challenge['ChallengeName'] == 'NEW_PASSWORD_REQUIRED'
    answer = pool.call('respond_to_auth_challenge', ChallengeName='NEW_PASSWORD_REQUIRED',
                       Session=challenge['Session'],
                       ChallengeResponses={'USERNAME': 'eva', 'NEW_PASSWORD': PASSWORD})
    assert answer['AuthenticationResult']['TokenType'] == 'Bearer'
    assert pool.call('admin_set_user_password', Username='eva', Password='Another-Horse-1', Permanent=True) == {}
    assert 'AuthenticationResult' in pool.call(
        'admin_initiate_auth', AuthFlow='ADMIN_USER_PASSWORD_AUTH',
        AuthParameters={'USERNAME': 'eva', 'PASSWORD': 'Another-Horse-1'})
    assert pool.call('admin_get_user', Username='eva')['UserStatus'] == 'CONFIRMED'
    assert pool.call('admin_get_user', Username='nobody') == ('UserNotFoundException', 'User does not exist.')
    listed = pool.call('list_users', Filter='email = "eva@example.com"')['Users']
    assert [user['Username'] for user in listed] == ['eva']
    pages = pool.boto(**pool.keys).get_paginator('list_users').paginate(
        UserPoolId=pool.id, PaginationConfig={'PageSize': 1})
    assert 'eva' in [user['Username'] for page in pages for user in page['Users']]
    assert pool.call('describe_user_pool')['UserPool']['Policies']['PasswordPolicy']['MinimumLength'] == 8
    assert pool.call('admin_disable_user', Username='eva') == {}
    assert pool.sign_in('eva', 'Another-Horse-1') == ('NotAuthorizedException', 'User is disabled.')
    assert pool.call('admin_delete_user', Username='eva') == {}
    unsigned = pool.boto(config=Config(signature_version=UNSIGNED))
    with pytest.raises(botocore.exceptions.ClientError, match='MissingAuthenticationToken'):
        unsigned.admin_create_user(UserPoolId=pool.id, Username='x')
    forged = pool.boto(aws_access_key_id=pool.keys['aws_access_key_id'], aws_secret_access_key='forged')
    with pytest.raises(botocore.exceptions.ClientError, match='InvalidSignature'):
        forged.list_users(UserPoolId=pool.id)


def test_keys_with_policies(pool):
    """A key may what its policy allows, from the moment on that it is made, while the stack runs."""
    policy = json.dumps({'Effect': 'Allow', 'Action': 'cognito-idp:List*', 'Resource': '*'})
    made = json.loads(pool.stack.msorch('keys', 'create', 'auditor', '--policy', policy, '--output', 'json').stdout)
    auditor = pool.boto(aws_access_key_id=made['accessKeyId'], aws_secret_access_key=made['secretAccessKey'])
    assert auditor.list_users(UserPoolId=pool.id)['Users']
    with pytest.raises(botocore.exceptions.ClientError, match='AccessDenied.*user/auditor is not authorized'):
        auditor.admin_create_user(UserPoolId=pool.id, Username='x')
    assert pool.stack.msorch('keys', 'rm', 'auditor').returncode == 0
    with pytest.raises(botocore.exceptions.ClientError, match='UnrecognizedClient'):
        auditor.list_users(UserPoolId=pool.id)


def test_forgotten_password(pool):
    pool.stack.msorch('users', 'add', 'fay', '--password', PASSWORD)
    assert pool.call('forgot_password', Username='fay')['CodeDeliveryDetails']
    assert pool.call('forgot_password', Username='nobody')['CodeDeliveryDetails'], 'the same for somebody unknown'
    answer = pool.call('confirm_forgot_password', Username='fay', Password='Another-Horse-1',
                       ConfirmationCode=pool.code('fay', 'resetCode'))
    assert answer == {}
    tokens = pool.sign_in('fay', 'Another-Horse-1')['AuthenticationResult']
    assert pool.call('change_password', AccessToken=tokens['AccessToken'], PreviousPassword='Another-Horse-1',
                     ProposedPassword=PASSWORD) == {}
    assert 'AuthenticationResult' in pool.sign_in('fay')


def test_lock(pool):
    for _ in range(5):
        assert pool.sign_in('locked')[1] == 'Incorrect username or password.'
    assert pool.sign_in('locked') == ('NotAuthorizedException', 'Password attempts exceeded')
