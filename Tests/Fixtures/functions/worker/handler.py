"""A worker whose messages say how it is to behave: {"id": …, "fail": times, "raise": times}."""
import json


def handle(event, context):
    failures = []
    print(json.dumps({'batch': [json.loads(r['body'])['id'] for r in event['Records']]}))
    for record in event['Records']:
        body = json.loads(record['body'])
        received = int(record['attributes']['ApproximateReceiveCount'])
        if received <= body.get('raise', 0):
            raise RuntimeError(f"no luck with {body['id']}")
        if received <= body.get('fail', 0):
            failures.append({'itemIdentifier': record['messageId']})
    return {'batchItemFailures': failures}


def strange(event, context):
    return {'batchItemFailures': [{'itemIdentifier': 'nobody knows'}]}


def show(event, context):
    print(json.dumps(event))


def slow(event, context):
    import time
    time.sleep(600)


def short(event, context):
    import time
    print('begun', flush=True)
    time.sleep(1.5)
    print(json.dumps({'batch': [json.loads(r['body'])['id'] for r in event['Records']]}))
    print('done')


def wait(event, context):
    """Until the file is there that its message names."""
    import os, time
    print('begun', flush=True)
    path = json.loads(event['Records'][0]['body'])['until']
    while not os.path.exists(path):
        time.sleep(0.01)
