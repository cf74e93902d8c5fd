import FunctionModel
import JSON
import Testing

@Suite struct InvocationTests {
    private static let prefix = "RequestId: r Error: "
    private static let errors: [(InvocationFailure, type: String, message: String)] = [
        (.timeout(seconds: 1), "Sandbox.Timedout", "\(prefix)Task timed out after 1.00 seconds"),
        (
            .exit(reason: nil), "Runtime.ExitError",
            "\(prefix)Runtime exited without providing a reason"
        ),
        (
            .exit(reason: "exit status 127"), "Runtime.ExitError",
            "\(prefix)Runtime exited with error: exit status 127"
        ),
        (
            .outOfMemory, "Runtime.OutOfMemory",
            "\(prefix)Runtime exited with error: signal: killed"
        ),
        (
            .responseTooLarge, "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        ),
    ]

    @Test("Lambda's error objects", arguments: errors.indices)
    func payloads(row: Int) throws {
        let (failure, type, message) = Self.errors[row]
        let expected: JSONValue = ["errorType": .string(type), "errorMessage": .string(message)]
        #expect(try JSONValue.parse(failure.payload(requestID: "r")) == expected)
    }

    @Test("what the runtime reported is passed on as it came")
    func reported() {
        let body = Array(#"{"errorType":"E"}"#.utf8)
        #expect(InvocationFailure.reported(type: "E", body: body).payload(requestID: "r") == body)
    }

    @Test("REPORT counts the init phase, and says what went wrong")
    func report() {
        var report = InvocationReport(
            requestID: "r", durationMilliseconds: 12.3, initMilliseconds: nil, memorySize: 128,
            maxMemoryUsed: 40, failure: nil)
        #expect(
            report.reportLine == "REPORT RequestId: r\tDuration: 12.30 ms\tBilled Duration: 13 ms\t"
                + "Memory Size: 128 MB\tMax Memory Used: 40 MB\t")
        report.initMilliseconds = 200.057
        report.failure = .timeout(seconds: 3)
        #expect(
            report.reportLine
                == "REPORT RequestId: r\tDuration: 12.30 ms\tBilled Duration: 213 ms\t"
                + "Memory Size: 128 MB\tMax Memory Used: 40 MB\tInit Duration: 200.06 ms\t"
                + "Status: timeout")
    }

    @Test(
        "partial batch responses",
        arguments: [
            ("null", BatchResponse.succeeded), ("{}", .succeeded), ("\"ok\"", .succeeded),
            (#"{"batchItemFailures":null}"#, .succeeded),
            (#"{"batchItemFailures":[]}"#, .succeeded),
            (#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#, .failed(["a"])),
            (
                #"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#,
                .unusable("'c' is not in the batch")
            ),
            (
                #"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
                .unusable("a batch item failure has no itemIdentifier")
            ),
            (
                #"{"batchItemFailures":[{"id":"a"}]}"#,
                .unusable("a batch item failure has no itemIdentifier")
            ),
            (#"{"batchItemFailures":"a"}"#, .unusable("batchItemFailures is not a list")),
            ("{", .unusable("the response is not JSON")),
        ])
    func batches(response: String, expected: BatchResponse) {
        #expect(BatchResponse(Array(response.utf8), messageIDs: ["a", "b"]) == expected)
    }
}
