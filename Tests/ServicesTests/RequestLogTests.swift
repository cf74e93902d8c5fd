import HTTP
import JSON
import Posix
import Synchronization
import TestSupport
import Testing

@testable import Services

@Suite struct RequestLogTests {
    private let folder: TemporaryFolder
    private let clock = SteppedClock()

    init() throws { folder = try TemporaryFolder("requests") }

    private func log(
        _ limits: RequestLog.Limits = RequestLog.Limits(),
        schedule: @escaping Monitor.Schedule = { _, _ in }
    ) -> RequestLog {
        RequestLog(
            stateDirectory: folder.path, clock: clock.clock, limits: limits, schedule: schedule)
    }

    private func files() throws -> [String] { try FileSystem.list(folder.path + "/requests") }

    @Test("a line says who asked for what, and not what may be secret")
    func line() throws {
        let log = log()
        var request = HTTPRequest(
            method: "POST", target: "/a\"b?X-Amz-Signature=secret",
            headers: ["X-Amz-Target": "AmazonSQS.SendMessage", "Authorization": "secret"])
        request.localPort = 4566
        var response = HTTPResponse(200, body: [1, 2, 3])
        response.requestID = "id-1"
        response.principal = "arn:aws:iam::1:user/a"
        log.record(response, to: request, after: 1_234_567)
        log.record(response, to: request, after: 1_234_567, isSent: false)
        log.flush()
        let text = try FileSystem.read(folder.path + "/requests/2027-01-15.jsonl")
        let lines = try text.split(separator: 0x0A).map { try JSONValue.parse(Array($0)) }
        var line: JSONObject = [
            "time": "2027-01-15T08:00:00.000Z", "port": 4566, "from": "127.0.0.1",
            "method": "POST", "path": "/a\"b", "operation": "SendMessage", "status": 200,
            "bytes": 3, "ms": 1.234, "principal": "arn:aws:iam::1:user/a",
            "requestId": "id-1",
        ]
        #expect(lines.first == .object(line))
        line["gone"] = true
        #expect(lines.count == 2 && lines.last == .object(line))
    }

    @Test("lines that pile up are written at once; there is one timer, however often that happens")
    func hurry() throws {
        let scheduled = Mutex<[(delay: Duration, work: @Sendable () -> Void)]>([])
        var limits = RequestLog.Limits()
        limits.flushBytes = 300
        let log = log(limits) { delay, work in scheduled.withLock { $0.append((delay, work)) } }
        func delays() -> [Duration] { scheduled.withLock { $0.map(\.delay) } }
        func run(_ index: Int) { scheduled.withLock { $0[index].work }() }
        func lines() throws -> Int {
            try FileSystem.read(folder.path + "/requests/2027-01-15.jsonl").count { $0 == 0x0A }
        }
        let timer = Duration.milliseconds(200)
        let request = HTTPRequest(method: "GET", target: "/")
        for _ in 1...10 { log.record(HTTPResponse(200), to: request, after: 0) }
        #expect(delays() == [timer, .zero])
        run(1)
        #expect(try lines() == 10)
        for _ in 1...10 { log.record(HTTPResponse(200), to: request, after: 0) }
        #expect(delays() == [timer, .zero, .zero], "the first timer is still to come")
        run(2)
        log.record(HTTPResponse(200), to: request, after: 0)
        run(0)
        #expect(try lines() == 21)
        log.record(HTTPResponse(200), to: request, after: 0)
        #expect(delays() == [timer, .zero, .zero, timer])
    }

    @Test("files are put aside when they are full, and the oldest go")
    func rotation() throws {
        var limits = RequestLog.Limits()
        limits.fileBytes = 10
        limits.files = 3
        let log = log(limits)
        let request = HTTPRequest(method: "GET", target: "/")
        for number in 1...5 {
            log.record(HTTPResponse(200 + number), to: request, after: 0)
            log.flush()
        }
        #expect(
            try files() == [
                "2027-01-15.000003.jsonl", "2027-01-15.000004.jsonl", "2027-01-15.jsonl",
            ])
        clock.step(.seconds(86_400))
        log.record(HTTPResponse(200), to: request, after: 0)
        log.flush()
        #expect(
            try files() == ["2027-01-15.000004.jsonl", "2027-01-15.jsonl", "2027-01-16.jsonl"])
        let last = try FileSystem.read(folder.path + "/requests/2027-01-15.jsonl")
        #expect(try JSONValue.parse(last)["status"] == 205)
    }

    @Test("what was too much is counted once, though midnight came between")
    func dropped() throws {
        var limits = RequestLog.Limits()
        limits.waitingBytes = 1
        let log = log(limits)
        let request = HTTPRequest(method: "GET", target: "/")
        log.record(HTTPResponse(200), to: request, after: 0)
        for _ in 0..<3 { log.record(HTTPResponse(201), to: request, after: 0) }
        log.flush()
        limits.waitingBytes = 200
        let next = self.log(limits)
        clock.step(.seconds(15 * 3600 + 3599))
        next.record(HTTPResponse(200), to: request, after: 0)
        clock.step(.seconds(60))
        for _ in 0..<5 { next.record(HTTPResponse(202), to: request, after: 0) }
        next.flush()
        func dropped(_ day: String) throws -> [JSONValue] {
            try FileSystem.read("\(folder.path)/requests/\(day).jsonl").split(separator: 0x0A)
                .compactMap { try JSONValue.parse(Array($0))["dropped"] }
        }
        #expect(try dropped("2027-01-15") == [3])
        #expect(try dropped("2027-01-16") == [4])
    }
}
