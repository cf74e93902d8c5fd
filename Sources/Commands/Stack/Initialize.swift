import JSON
import Posix

extension Command {
    static let initialize = Command(
        path: ["init"], abstract: "Makes a small working stack to begin with.",
        arguments: [Argument(name: "DIR", help: "Where (default: here).", isOptional: true)],
        examples: ["msorch init shop && cd shop && msorch deploy"],
        run: { invocation in
            let folder = CommandLineParser.path(
                invocation.arguments.first ?? ".", in: invocation.text("C"))
            let files = [
                ("stack.json", stack), ("functions/hello/handler.py", handler),
            ]
            for (name, _) in files where FileSystem.exists("\(folder)/\(name)") {
                throw CommandError(
                    .refused, "\(folder)/\(name) is there already.", hint: "Nothing was changed.")
            }
            for (name, text) in files {
                let path = "\(folder)/\(name)"
                try FileSystem.makeDirectory(FileSystem.parent(of: path))
                try FileSystem.replace(path, with: Array(text.utf8))
            }
            try invocation.output.result(.array(files.map { .string($0.0) })) { nil }
            invocation.output.note(
                "Made \(folder)/stack.json and a function. Next: msorch deploy, "
                    + "msorch send Greetings '{\"name\": \"Ada\"}', msorch drain, msorch logs.")
        })

    private static let stack = """
        {
          "name": "hello",
          "lambdas": {
            "Hello": {
              "runtime": "python3",
              "handler": "handler.lambda_handler",
              "code": "functions/hello",
              "timeout": 5,
              "policies": [
                {
                  "Effect": "Allow",
                  "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                  "Resource": "arn:aws:sqs:us-east-1:123456789012:Greetings"
                }
              ],
              "triggers": [{"queue": "Greetings", "reportBatchItemFailures": true}]
            }
          },
          "queues": {
            "Greetings": {
              "visibilityTimeout": 30,
              "redrive": {"deadLetterQueue": "FailedGreetings", "maxReceiveCount": 5}
            },
            "FailedGreetings": {"retention": 1209600}
          }
        }

        """

    private static let handler = #"""
        """Greets: one event by itself, or a batch of messages from the queue Greetings."""
        import json


        def greet(event):
            greeting = f"Hello, {event.get('name', 'world')}!"
            print(greeting)
            return greeting


        def lambda_handler(event, context):
            if 'Records' not in event:
                return {'greeting': greet(event)}
            failures = []
            for record in event['Records']:
                try:
                    greet(json.loads(record['body']))
                except (AttributeError, ValueError) as error:
                    print(f"message {record['messageId']} is not a greeting: {error!r}")
                    failures.append({'itemIdentifier': record['messageId']})
            return {'batchItemFailures': failures}

        """#
}
