'use strict';
exports.echo = async (event, context) => {
    console.log('two\nlines');
    return { event, name: context.functionName, remaining: context.getRemainingTimeInMillis() };
};
exports.later = (event, context, callback) => {
    setTimeout(() => callback(null, { later: true }), 5);
};
exports.fail = async () => {
    throw new RangeError('no good');
};
exports.reject = (event, context, callback) => {
    Promise.reject(new Error('nobody looks'));
    setTimeout(callback, 1000);
};
exports.nothing = () => {};
exports.inner = { handler: async () => 'inner' };
exports.aws = async (event) => {
    const https = require('https');
    const options = {
        method: 'POST', hostname: 'sqs.us-east-1.amazonaws.com', path: '/',
        headers: { 'X-Amz-Target': 'AmazonSQS.ListQueues', 'Content-Type': 'application/x-amz-json-1.0' },
    };
    return new Promise((resolve, reject) => {
        const sent = https.request(options, (response) => {
            let text = '';
            response.on('data', (chunk) => { text += chunk; });
            response.on('end', () => resolve(JSON.parse(text)));
        });
        sent.on('error', reject);
        sent.end('{}');
    });
};
