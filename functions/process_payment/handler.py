"""Pays orders: a batch from OrderQueue, or one order from the route POST /payments."""
import json

import boto3

sqs = boto3.client('sqs')

QUEUE_URL = 'https://sqs.us-east-1.amazonaws.com/123456789012/PaymentQueue'


def pay(order):
    payment = {'order_id': order['order_id'], 'status': 'paid'}
    sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=json.dumps(payment))
    print(json.dumps(payment))


def lambda_handler(event, context):
    if 'Records' not in event:
        pay(event)
        return {'statusCode': 200, 'body': json.dumps('Pago procesado')}
    failures = []
    for record in event['Records']:
        try:
            pay(json.loads(record['body']))
        except (KeyError, TypeError, ValueError) as error:
            print(f"order in message {record['messageId']} is not valid: {error!r}")
            failures.append({'itemIdentifier': record['messageId']})
    return {'batchItemFailures': failures}
