/// The Runtime API client that Python functions are started with. Its text is written to the state
/// directory, where anybody can read it.
package enum PythonRuntime {
    package static let source = #"""
        """The Lambda runtime client that msorch starts Python functions with."""
        import http.client
        import importlib
        import json
        import logging
        import os
        import re
        import sys
        import time
        import traceback
        from decimal import Decimal

        API = '/2018-06-01/runtime/'
        # AWS's runtimes before Python 3.12 write ASCII alone.
        OLD = {f'AWS_Lambda_python3.{minor}' for minor in range(12)}
        # Begins a string that stands for a number that json cannot write; no other string has it.
        MARK = os.urandom(16).hex()


        class Fault(Exception):
            """An error with Lambda's own type and message."""

            def __init__(self, kind, message, trace=()):
                super().__init__(message)
                self.kind = kind
                self.trace = list(trace)


        class Identity:
            def __init__(self, values):
                self.cognito_identity_id = values.get('cognitoIdentityId')
                self.cognito_identity_pool_id = values.get('cognitoIdentityPoolId')


        class ClientContext:
            def __init__(self, values):
                self.custom = values.get('custom')
                self.env = values.get('env')
                self.client = values.get('client')


        class Context:
            """What AWS hands to a handler as its second argument."""

            def __init__(self, headers):
                self.aws_request_id = headers['Lambda-Runtime-Aws-Request-Id']
                self.invoked_function_arn = headers['Lambda-Runtime-Invoked-Function-Arn']
                self.function_name = os.environ['AWS_LAMBDA_FUNCTION_NAME']
                self.function_version = os.environ['AWS_LAMBDA_FUNCTION_VERSION']
                self.memory_limit_in_mb = os.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
                self.log_group_name = os.environ['AWS_LAMBDA_LOG_GROUP_NAME']
                self.log_stream_name = os.environ['AWS_LAMBDA_LOG_STREAM_NAME']
                client = headers.get('Lambda-Runtime-Client-Context')
                self.client_context = ClientContext(json.loads(client)) if client else None
                identity = headers.get('Lambda-Runtime-Cognito-Identity')
                self.identity = Identity(json.loads(identity) if identity else {})
                self._deadline = int(headers['Lambda-Runtime-Deadline-Ms'])

            def get_remaining_time_in_millis(self):
                return max(0, self._deadline - int(time.time() * 1000))

            def log(self, message):
                sys.stdout.write(str(message))

            def __repr__(self):
                return f'LambdaContext([aws_request_id={self.aws_request_id}])'


        class LogHandler(logging.Handler):
            """Lambda's format: level, time and request id before each record."""

            request_id = ''

            def __init__(self):
                super().__init__()
                form = '[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s'
                formatter = logging.Formatter(form, '%Y-%m-%dT%H:%M:%S')
                formatter.converter = time.gmtime
                self.setFormatter(formatter)

            def emit(self, record):
                record.aws_request_id = LogHandler.request_id
                write_event(self.format(record))


        def write_event(text):
            """One log event, whatever lines it has."""
            sys.stdout.write(text.replace('\n', '\r') + '\n')
            sys.stdout.flush()


        class RuntimeAPI:
            def __init__(self, address):
                self.connection = http.client.HTTPConnection(address)

            def call(self, method, path, body=None, headers=None):
                self.connection.request(method, API + path, body, headers or {})
                response = self.connection.getresponse()
                return response.status, response.headers, response.read()

            def post_error(self, path, error):
                body = json.dumps(error, ensure_ascii=False).encode('utf-8', 'replace')
                headers = {'Content-Type': 'application/json'}
                # A header cannot hold every name of a class; the body has it, too.
                if error['errorType'].isascii() and error['errorType'].isprintable():
                    headers['Lambda-Runtime-Function-Error-Type'] = error['errorType']
                self.call('POST', path, body, headers)


        def error_object(error, request_id, frames):
            kind = error.kind if isinstance(error, Fault) else type(error).__name__
            trace = error.trace if isinstance(error, Fault) else traceback.format_list(frames)
            found = {
                'errorMessage': str(error),
                'errorType': kind,
                'requestId': request_id,
                'stackTrace': trace,
            }
            text = f"[ERROR] {kind}: {error}"
            if trace:
                text += '\nTraceback (most recent call last):\n' + ''.join(trace)
            write_event(text.rstrip('\n'))
            return found


        def find_handler(name):
            try:
                module_name, function_name = name.rsplit('.', 1)
            except ValueError as error:
                raise Fault('Runtime.MalformedHandlerName', f"Bad handler '{name}': {error}")
            try:
                module = importlib.import_module(module_name.replace('/', '.'))
            except ImportError as error:
                message = f"Unable to import module '{module_name}': {error}"
                raise Fault('Runtime.ImportModuleError', message)
            except SyntaxError as error:
                place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text or ""}\n'
                message = f"Syntax error in module '{module_name}': {error}"
                raise Fault('Runtime.UserCodeSyntaxError', message, [place])
            handler = getattr(module, function_name, None)
            if handler is None:
                message = f"Handler '{function_name}' missing on module '{module_name}'"
                raise Fault('Runtime.HandlerNotFound', message)
            return handler


        def plain(value, above):
            """What json writes as simplejson, the encoder of AWS's runtime, writes `value`."""
            if value is None or isinstance(value, (str, int, float)):
                return value
            if isinstance(value, bytes):
                return value.decode('utf-8')
            if isinstance(value, Decimal):
                return float('nan') if value.is_nan() else MARK + str(value)
            if id(value) in above:
                raise ValueError('Circular reference detected')
            above.add(id(value))
            named = getattr(value, '_asdict', None)
            found = named() if callable(named) else value
            # No comprehensions: before Python 3.12 they would halve the depth that can be written.
            if isinstance(found, dict):
                items, found = found, {}
                for key, item in items.items():
                    key = key.decode('utf-8') if isinstance(key, bytes) else key
                    found[key] = plain(item, above)
            elif isinstance(found, (list, tuple)):
                items, found = found, []
                for item in items:
                    found.append(plain(item, above))
            above.remove(id(value))
            return found


        def serialize(value):
            """A result as it goes out, and its content type."""
            if isinstance(value, bytes):
                return value, 'application/unknown'
            try:
                ascii_alone = os.environ.get('AWS_EXECUTION_ENV') in OLD
                text = json.dumps(plain(value, set()), ensure_ascii=ascii_alone)
                return re.sub(f'"{MARK}([^"]*)"', r'\1', text).encode('utf-8'), 'application/json'
            except Exception as error:
                raise Fault('Runtime.MarshalError', f'Unable to marshal response: {error}')


        def own_frames(error):
            """The frames of the function's code; ours is the first."""
            return traceback.extract_tb(error.__traceback__)[1:]


        def run_once(api, handler):
            _, headers, body = api.call('GET', 'invocation/next')
            request_id = headers['Lambda-Runtime-Aws-Request-Id']
            LogHandler.request_id = request_id
            trace_id = headers.get('Lambda-Runtime-Trace-Id')
            if trace_id:
                os.environ['_X_AMZN_TRACE_ID'] = trace_id
            try:
                answer, kind = serialize(handler(json.loads(body), Context(headers)))
            except Exception as error:
                found = error_object(error, request_id, own_frames(error))
                sys.stdout.flush()
                sys.stderr.flush()
                api.post_error(f'invocation/{request_id}/error', found)
                return
            sys.stdout.flush()
            sys.stderr.flush()
            headers = {'Content-Type': kind}
            api.call('POST', f'invocation/{request_id}/response', answer, headers)


        def main():
            sys.stdout.reconfigure(encoding='utf-8', errors='backslashreplace', line_buffering=True)
            sys.stderr.reconfigure(encoding='utf-8', errors='backslashreplace', line_buffering=True)
            logging.getLogger().addHandler(LogHandler())
            api = RuntimeAPI(os.environ['AWS_LAMBDA_RUNTIME_API'])
            sys.path[0] = os.environ['LAMBDA_TASK_ROOT']
            try:
                handler = find_handler(os.environ['_HANDLER'])
            except Exception as error:
                frames = [f for f in own_frames(error) if 'importlib' not in f.filename]
                api.post_error('init/error', error_object(error, '', frames))
                sys.exit(1)
            while True:
                run_once(api, handler)


        if __name__ == '__main__':
            main()
        """#
}
