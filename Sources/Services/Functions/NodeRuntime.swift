/// The Runtime API client that Node.js functions are started with. Its text is written to the state
/// directory, where anybody can read it.
package enum NodeRuntime {
    package static let source = #"""
        'use strict';
        // The Lambda runtime client that msorch starts Node.js functions with.
        const fs = require('fs');
        const http = require('http');
        const https = require('https');
        const Module = require('module');
        const path = require('path');
        const url = require('url');
        const util = require('util');

        const API = '/2018-06-01/runtime/';
        const [apiHost, apiPort] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        const request = http.request;

        /** The invocation that runs: {id, context, isCalled, error, result}. */
        let current = null;
        /** What ends itself must not take another invocation with it. */
        let isDying = false;

        // MARK: the Runtime API

        function call(method, name, body, headers = {}) {
            return new Promise((resolve, reject) => {
                const options = {
                    host: apiHost, port: apiPort, method, path: API + name, agent,
                    headers: { ...headers, 'Content-Length': body ? Buffer.byteLength(body) : 0 },
                };
                const sent = request(options, (response) => {
                    const chunks = [];
                    response.on('data', (chunk) => chunks.push(chunk));
                    response.on('end', () => {
                        resolve({ headers: response.headers, body: Buffer.concat(chunks) });
                    });
                });
                sent.on('error', reject);
                sent.end(body);
            });
        }

        function errorObject(error) {
            if (error instanceof Error) {
                return {
                    errorType: error.name, errorMessage: error.message,
                    trace: (error.stack || '').split('\n'),
                };
            }
            return { errorType: typeof error, errorMessage: String(error), trace: [] };
        }

        function postError(name, object) {
            return call('POST', name, JSON.stringify(object), {
                'Content-Type': 'application/json',
                'Lambda-Runtime-Function-Error-Type': object.errorType,
            });
        }

        /** An error with Lambda's own type. */
        function fault(type, message, cause) {
            const error = new Error(message);
            error.name = type;
            if (cause && cause.stack) error.stack = cause.stack;
            return error;
        }

        // MARK: console

        // What does not fit into a pipe would wait in this process's memory, and go with it.
        for (const stream of [process.stdout, process.stderr]) stream._handle?.setBlocking?.(true);

        const levels = {
            log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR', debug: 'DEBUG', trace: 'TRACE',
        };
        for (const [name, level] of Object.entries(levels)) {
            console[name] = (...values) => {
                const head = [new Date().toISOString(), current ? current.id : undefined, level];
                const text = head.join('\t') + '\t' + util.format(...values);
                process.stdout.write(text.replace(/\n/g, '\r') + '\n');
            };
        }

        function logError(title, object) {
            const { errorType, errorMessage, trace } = object;
            console.error(`${title} \t${JSON.stringify({ errorType, errorMessage, stack: trace })}`);
        }

        // MARK: requests to AWS

        /** SDKs for JavaScript send to a QueueUrl's own host: what is for AWS goes to the endpoint. */
        function redirected(original) {
            return function (...args) {
                const callback = typeof args[args.length - 1] === 'function' ? args.pop() : undefined;
                let options = {};
                if (typeof args[0] === 'string' || args[0] instanceof URL) {
                    options = url.urlToHttpOptions(new URL(args.shift()));
                }
                options = { ...options, ...args[0] };
                const host = String(options.hostname || options.host || '').replace(/:\d+$/, '');
                if (!/\.amazonaws\.com$/.test(host) || !process.env.AWS_ENDPOINT_URL) {
                    return original.call(this, options, callback);
                }
                const endpoint = new URL(process.env.AWS_ENDPOINT_URL);
                const headers = { ...options.headers };
                if (!Object.keys(headers).some((name) => name.toLowerCase() === 'host')) {
                    headers.Host = host;
                }
                return request({
                    ...options, headers, protocol: 'http:', host: endpoint.hostname,
                    hostname: endpoint.hostname, port: endpoint.port, agent: undefined,
                }, callback);
            };
        }

        const secureRequest = https.request;
        https.request = redirected(secureRequest);
        https.get = function (...args) {
            const sent = https.request(...args);
            sent.end();
            return sent;
        };
        Module.syncBuiltinESMExports();

        // MARK: the handler

        function isModule(file) {
            if (file.endsWith('.mjs')) return true;
            if (file.endsWith('.cjs')) return false;
            const root = process.env.LAMBDA_TASK_ROOT;
            for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
                const description = path.join(folder, 'package.json');
                if (fs.existsSync(description)) {
                    return JSON.parse(fs.readFileSync(description, 'utf8')).type === 'module';
                }
                if (folder === root || folder === path.dirname(folder)) return false;
            }
        }

        async function load(name) {
            const root = path.resolve(process.env.LAMBDA_TASK_ROOT, path.dirname(name));
            const match = path.basename(name).match(/^([^.]+)\.(.+)$/);
            if (!match) throw fault('Runtime.MalformedHandlerName', 'Bad handler');
            const [, moduleName, property] = match;
            const file = ['.js', '.mjs', '.cjs'].map((end) => path.join(root, moduleName + end))
                .find((candidate) => fs.existsSync(candidate));
            if (!file) {
                throw fault('Runtime.ImportModuleError', `Error: Cannot find module '${moduleName}'`);
            }
            let found;
            try {
                found = isModule(file) ? await import(url.pathToFileURL(file).href) : require(file);
            } catch (error) {
                if (error instanceof SyntaxError) {
                    throw fault('Runtime.UserCodeSyntaxError', `SyntaxError: ${error.message}`, error);
                }
                if (error && /MODULE_NOT_FOUND/.test(error.code)) {
                    throw fault('Runtime.ImportModuleError', `Error: ${error.message}`, error);
                }
                throw error;
            }
            const handler = property.split('.').reduce((value, key) => value && value[key], found);
            if (!handler) {
                throw fault('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
            }
            if (typeof handler !== 'function') {
                throw fault('Runtime.HandlerNotFound', `${name} is not a function`);
            }
            return handler;
        }

        function makeContext(headers, complete) {
            const deadline = Number(headers['lambda-runtime-deadline-ms']);
            const parse = (text) => (text ? JSON.parse(text) : undefined);
            return {
                callbackWaitsForEmptyEventLoop: true,
                awsRequestId: headers['lambda-runtime-aws-request-id'],
                invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
                functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
                functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
                memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
                logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
                logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
                clientContext: parse(headers['lambda-runtime-client-context']),
                identity: parse(headers['lambda-runtime-cognito-identity']),
                getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
                succeed: (result) => complete(null, result, true),
                fail: (error) => complete(error === undefined ? 'handled' : error, null, true),
                done: (error, result) => complete(error, result, true),
            };
        }

        /** Answers the invocation that runs, once. */
        async function finish(error, result) {
            const { id } = current;
            let body;
            if (!error) {
                try {
                    body = JSON.stringify(result === undefined ? null : result);
                } catch (cause) {
                    error = fault('Error', 'Unable to stringify response body', cause);
                }
            }
            if (error) {
                const object = errorObject(error);
                logError('Invoke Error', object);
                current = null;
                await postError(`invocation/${id}/error`, object);
            } else {
                current = null;
                const headers = { 'Content-Type': 'application/json' };
                await call('POST', `invocation/${id}/response`, body, headers);
            }
            next();
        }

        let handler;

        async function next() {
            if (isDying) return;
            const { headers, body } = await call('GET', 'invocation/next');
            const invocation = { id: headers['lambda-runtime-aws-request-id'], isCalled: false };
            current = invocation;
            const trace = headers['lambda-runtime-trace-id'];
            if (trace) process.env._X_AMZN_TRACE_ID = trace;
            const complete = (error, result, isImmediate) => {
                if (current !== invocation || invocation.isCalled) return;
                invocation.isCalled = true;
                Object.assign(invocation, { error, result });
                if (isImmediate || !context.callbackWaitsForEmptyEventLoop) finish(error, result);
            };
            const context = makeContext(headers, complete);
            let returned;
            try {
                returned = handler(JSON.parse(body), context, (error, result) => complete(error, result));
            } catch (error) {
                return complete(error || 'handled', null, true);
            }
            if (returned && typeof returned.then === 'function') {
                returned.then(
                    (result) => complete(null, result, true),
                    (error) => complete(error || 'handled', null, true));
            }
        }

        // Nothing is left to do: a handler that has called back is done, and so is one that never will.
        process.on('beforeExit', () => {
            if (current) finish(current.error, current.result);
        });

        async function die(title, object, code) {
            isDying = true;
            logError(title, object);
            const place = current ? `invocation/${current.id}/error` : 'init/error';
            current = null;
            await postError(place, object).catch(() => {});
            process.exit(code);
        }

        process.on('uncaughtException', (error) => {
            die('Uncaught Exception', errorObject(error), 129);
        });
        process.on('unhandledRejection', (reason) => {
            const object = errorObject(reason);
            object.errorMessage = `${object.errorType}: ${object.errorMessage}`;
            object.errorType = 'Runtime.UnhandledPromiseRejection';
            die('Unhandled Promise Rejection', object, 128);
        });

        load(process.env._HANDLER).then((found) => {
            handler = found;
            return next();
        }).catch((error) => die('Uncaught Exception', errorObject(error), 1));
        """#
}
