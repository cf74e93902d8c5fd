import JSON
import QueueModel
import Testing

/// Messages are read as they are mostly written, or in any other spelling.
@Suite struct RecordReadingTests {
    private typealias NewMessage = QueueRecord.NewMessage

    private func read(_ members: some Sequence<UInt8>) throws -> QueueRecord {
        let line = Array(#"{"n":1,"t":2,"d":0,"#.utf8) + members + Array("}".utf8)
        return try line.withUnsafeBytes { try QueueRecord(line: $0) }
    }

    @Test("each member that few messages have is kept, alone and beside the others")
    func rareMembers() throws {
        let changes: [(inout NewMessage) -> Void] = [
            { $0.escapedBody = Array(#"a\"b\\ \u00e9"#.utf8) },
            { $0.packed = PackedBody(base64: Array("aGk=".utf8), size: 2) },
            { $0.delaySeconds = 3 }, { $0.due = Timestamp(milliseconds: 4) }, { $0.group = "g\"" },
            { $0.deduplicationID = "d" }, { $0.attributes = Array(#"{"a":{}}"#.utf8) },
            { $0.traceHeader = "t" }, { $0.sender = "AIDA" },
            { $0.sent = Timestamp(milliseconds: 5) },
            { $0.receiveCount = 6 }, { $0.source = "s" },
            { $0.firstReceived = Timestamp(milliseconds: 7) }, { $0.was = Place(n: 8, index: 9) },
        ]
        let plain = NewMessage(messageID: "1", escapedBody: [])
        var messages = [plain]
        var all = plain
        for change in changes {
            var one = plain
            change(&one)
            #expect(one != plain)
            change(&all)
            messages += [one, all]
        }
        all.packed = nil
        messages.append(all)
        for message in messages {
            guard case .send(let back) = try read(QueueRecord.send([message, plain]).members) else {
                Issue.record("no send")
                continue
            }
            // A body that is packed is not there plain.
            var expected = message
            if message.packed != nil { expected.escapedBody = [] }
            #expect(back == [expected, plain])
        }
    }

    @Test("a place that was set and taken away again leaves no trace")
    func forgotten() {
        var message = NewMessage(messageID: "1", escapedBody: [])
        message.place = Place(n: 1, index: 0)
        message.receiveCount = 2
        message.place = nil
        message.receiveCount = 0
        #expect(message == NewMessage(messageID: "1", escapedBody: []))
    }

    @Test(
        "other spellings say the same",
        arguments: [
            #""op":"send","m":[{"id":"1","body":"b"}]"#,
            #""op":"send","m":[{"body":"b","id":"1"}]"#,
            #""op":"send","m":[ {"id":"1","body":"b" } ]"#,
            #""op":"send","m":[{"id":"\u0031","body":"b"}]"#,
            #""op":"send","m":[{"id":"1","body":"b","later":[1]}]"#,
        ])
    func spellings(members: String) throws {
        let record = try read(members.utf8)
        #expect(record == .send([NewMessage(messageID: "1", escapedBody: Array("b".utf8))]))
    }

    @Test("what receives took and gave back reads the same in other spellings")
    func receives() throws {
        let id = "fb666b89-26e6-4c09-9b09-1c7814d51a4f"
        let usual =
            #"{"m":[3,1],"at":[1,200,77],"id":"\#(id)","sent":5,"group":"g","bits":"00000000000000ff"}"#
        let other =
            #"{"bits":"ff","group":"\u0067","sent":5,"id":"\#(id)","at":[1,200,77],"m":[3, 1]}"#
        let passedOver = #"{"m":[3,2],"at":[1,200,77],"id":"\#(id)","sent":5,"group":"g"}"#
        let records = try [usual, other].map { first in
            try read(
                #""op":"receive","until":9,"head":[1,2,3],"first":[\#(first),\#(passedOver)]"#.utf8)
        }
        #expect(records[0] == records[1])
        guard case .receive(let receive) = records[0] else { throw OtherKind() }
        #expect(receive.first.map(\.bits) == [255, nil])
        #expect(receive.first.map(\.entry.group) == ["g", "g"])
        for members in [
            #""op":"visibility","m":[[3,1,99],[4,0,100]]"#,
            #""later":{"a":1},"op":"visibility", "m": [ [3,1,99], [4,0,100]], "more":[2]"#,
        ] {
            guard case .visibility(let changes) = try read(members.utf8) else {
                throw OtherKind()
            }
            #expect(changes.map(\.place) == [Place(n: 3, index: 1), Place(n: 4, index: 0)])
            #expect(changes.map(\.visibleAt.milliseconds) == [99, 100])
        }
    }

    private struct OtherKind: Error {}

    @Test(
        "a message that is cut short is refused",
        arguments: [
            #""op":"send","m":[{"id":"1","body":"b]"#,
            #""op":"send","m":[{"id":"1","body":"b\x"}]"#,
            #""op":"send","m":[{"id":"1","body":3}]"#,
        ])
    func refused(members: String) {
        #expect(throws: QueueRecordError.self) { try read(members.utf8) }
    }
}
