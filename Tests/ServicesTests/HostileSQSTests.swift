import HTTP
import JSON
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// Requests that a client got wrong in every way that a seed finds: each gets one answer, in SQS's
/// words.
@Suite struct HostileSQSTests {
    private static let url = "http://h/123456789012/Q"
    /// Whole requests, to begin with: those that no other test of these queues could miss.
    private static let requests: [HTTPRequest] = {
        let json: [(String, String)] = [
            ("SendMessage", #"{"QueueUrl":"\#(url)","MessageBody":"a\u00e9\n","DelaySeconds":0}"#),
            (
                "SendMessageBatch",
                #"{"QueueUrl":"\#(url)","Entries":[{"Id":"a","MessageBody":"x","#
                    + #""MessageAttributes":{"n":{"DataType":"Number","StringValue":"1"}}}]}"#
            ),
            (
                "ReceiveMessage",
                #"{"QueueUrl":"\#(url)","MaxNumberOfMessages":3,"AttributeNames":["All"],"#
                    + #""MessageAttributeNames":["All"],"VisibilityTimeout":0}"#
            ),
            (
                "DeleteMessageBatch",
                #"{"QueueUrl":"\#(url)","Entries":[{"Id":"a","ReceiptHandle":"x"}]}"#
            ),
            (
                "ChangeMessageVisibilityBatch",
                #"{"QueueUrl":"\#(url)","Entries":[{"Id":"a","ReceiptHandle":"x","#
                    + #""VisibilityTimeout":0}]}"#
            ),
            (
                "CreateQueue",
                #"{"QueueName":"Q","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":"#
                    + #"\"arn:aws:sqs:us-east-1:123456789012:Q\",\"maxReceiveCount\":1}"}}"#
            ),
            (
                "SetQueueAttributes",
                #"{"QueueUrl":"\#(url)","Attributes":{"Policy":"{\"Statement\":[]}"}}"#
            ),
            ("TagQueue", #"{"QueueUrl":"\#(url)","Tags":{"a":"b"}}"#),
            ("ListQueues", #"{"MaxResults":1,"NextToken":"UQ=="}"#),
            ("CancelMessageMoveTask", #"{"TaskHandle":"eyJ0YXNrSWQiOiJhIn0="}"#),
        ]
        let posts = json.map { operation, body in
            HTTPRequest(
                method: "POST", target: "/",
                headers: ["Host": "h", "X-Amz-Target": "AmazonSQS.\(operation)"],
                body: Array(body.utf8))
        }
        let query =
            "Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=a"
            + "&SendMessageBatchRequestEntry.1.MessageBody=%C3%A9+x"
            + "&SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n"
            + "&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=Binary"
            + "&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.BinaryValue=YQ%3D%3D"
        return posts + [
            HTTPRequest(
                method: "POST", target: "/123456789012/Q", headers: ["Host": "h"],
                body: Array(query.utf8)),
            HTTPRequest(
                method: "GET",
                target: "/123456789012/Q?Action=GetQueueAttributes&AttributeName.1=All",
                headers: ["Host": "h"]),
        ]
    }()

    private struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    private static let pieces = [
        "\\ud800", "\u{0}", "null", "{}", "[]", "-1", "9223372036854775808", "1e999", "\"", "%",
        "&",
        "=", ".", String(repeating: "[", count: 2000), String(repeating: "a", count: 3000), "{",
        ",",
    ].map { Array($0.utf8) }

    private func mutated(_ bytes: [UInt8], _ random: inout Seeded) -> [UInt8] {
        var bytes = bytes
        for _ in 0...Int.random(in: 0..<3, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            let end = min(bytes.count, at + Int.random(in: 1..<9, using: &random))
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.removeSubrange(at..<end)
            case 2: bytes.insert(contentsOf: bytes[at..<end], at: at)
            case 3: bytes.removeSubrange(at...)
            default:
                let piece = Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &random)]
                bytes.replaceSubrange(at..<end, with: piece)
            }
        }
        return bytes
    }

    @Test("each gets one answer, and none is our fault", arguments: 0..<8)
    func answers(seed: Int) throws {
        let folder = try TemporaryFolder("hostile")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        let loop = try EventLoop(name: "test")
        let workers = WorkerPool(name: "test", limit: 4)
        let polls = LongPolls(loop: loop, workers: workers, queues: queues)
        let host = RuntimeHost(
            loop: loop, pool: workers, queues: queues, polls: polls,
            moveTasks: MoveTaskRunner(queues, warn: { _ in }), clock: StackClock(),
            monitor: Monitor(stateDirectory: folder.path), endpointURL: "http://h",
            guardExecutable: "", warn: { _ in })
        let endpoint = SQSEndpoint(region: "us-east-1", accountID: "123456789012", host: host)
        defer {
            polls.stop()
            loop.shutdown()
            workers.shutdown()
        }
        polls.stop()  // a receive that a mutation lets wait is answered at once
        var random = Seeded(state: UInt64(seed) &* 7919)
        for round in 0..<150 {
            var request = Self.requests[round % Self.requests.count]
            if request.body.isEmpty {
                let target = mutated(Array(request.target.utf8), &random)
                request.target = String(decoding: target, as: UTF8.self)
            } else {
                request.body = mutated(request.body, &random)
            }
            let answers = ThreadCondition<[HTTPResponse]>([])
            let client = PretendClient(loop: loop) { response in
                answers.withLock { $0.append(response) }
                answers.signal()
            }
            let asked = request
            loop.execute { endpoint.handle(asked, client) }
            let answer = answers.wait(upTo: .seconds(30)) { $0.first }
            let status = try #require(answer?.status, "seed \(seed), round \(round)")
            #expect(
                (200..<500).contains(status),
                "seed \(seed), round \(round): \(String(decoding: asked.body, as: UTF8.self))")
            #expect(answers.withLock { $0.count } == 1)
        }
    }
}
