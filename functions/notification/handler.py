"""Tells the customer that an order was paid."""
import json


def lambda_handler(event, context):
    failures = []
    for record in event['Records']:
        try:
            payment = json.loads(record['body'])
            print(json.dumps({'notification': 'order paid', 'order_id': payment['order_id']}))
        except (KeyError, TypeError, ValueError) as error:
            print(f"payment in message {record['messageId']} is not valid: {error!r}")
            failures.append({'itemIdentifier': record['messageId']})
    return {'batchItemFailures': failures}
