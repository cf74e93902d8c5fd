"""Takes an order and puts it into OrderQueue."""
import json

import boto3

sqs = boto3.client('sqs')

QUEUE_URL = 'https://sqs.us-east-1.amazonaws.com/123456789012/OrderQueue'


def lambda_handler(event, context):
    order = {'order_id': event['order_id'], 'order_details': event['order_details']}
    sent = sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=json.dumps(order))
    print(json.dumps({'order_id': order['order_id'], 'message_id': sent['MessageId']}))
    return {'statusCode': 200, 'body': json.dumps('Pedido creado exitosamente')}
