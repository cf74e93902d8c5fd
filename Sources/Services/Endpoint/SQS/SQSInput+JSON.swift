import JSON
import Posix
import QueueModel

extension SQSInput {
    /// Reads the parameters of a call in one pass over its bytes. A value of a wrong kind is
    /// refused; a member that nobody knows is passed over.
    ///
    /// - Parameter lastURL: what `QueueUrl` may well be; of that no text is made again. Without
    ///   backslashes.
    mutating func read(json: [UInt8], lastURL: String? = nil) throws(SQSError) {
        var reader = ValueReader()
        do {
            try json.withUnsafeBytes { bytes in
                var scanner = JSONScanner(bytes)
                try scanner.object { (key, scanner) throws(JSONError) in
                    // Most calls are about messages.
                    if scanner.matches(key, "QueueUrl") {
                        queueURL = try reader.text("QueueUrl", &scanner, unless: lastURL)
                    } else if scanner.matches(key, "MessageBody") {
                        entry.body = try reader.body(&scanner) ?? entry.body
                    } else if scanner.matches(key, "Entries") {
                        entries = try reader.entries("Entries", &scanner)
                    } else {
                        try member(scanner.text(key), &reader, &scanner)
                    }
                }
                try scanner.end()
            }
        } catch {
            throw .malformed
        }
        if let failure = reader.failure { throw failure }
    }

    private mutating func member(
        _ name: String, _ reader: inout ValueReader, _ scanner: inout JSONScanner
    ) throws(JSONError) {
        switch name {
        case "QueueUrl": queueURL = try reader.text(name, &scanner)
        case "QueueName": queueName = try reader.text(name, &scanner)
        case "QueueOwnerAWSAccountId": ownerAccount = try reader.text(name, &scanner)
        case "QueueNamePrefix": namePrefix = try reader.text(name, &scanner)
        case "NextToken": nextToken = try reader.text(name, &scanner)
        case "Label": label = try reader.text(name, &scanner)
        case "SourceArn": sourceARN = try reader.text(name, &scanner)
        case "DestinationArn": destinationARN = try reader.text(name, &scanner)
        case "TaskHandle": taskHandle = try reader.text(name, &scanner)
        case "ReceiveRequestAttemptId": attemptID = try reader.text(name, &scanner)
        case "MaxNumberOfMessages": maxMessages = try reader.integer(name, &scanner)
        case "WaitTimeSeconds": waitSeconds = try reader.integer(name, &scanner)
        case "MaxResults": maxResults = try reader.integer(name, &scanner)
        case "MaxNumberOfMessagesPerSecond": maxPerSecond = try reader.integer(name, &scanner)
        case "AttributeNames": attributeNames = try reader.texts(name, &scanner)
        case "MessageSystemAttributeNames":
            systemAttributeNames = try reader.texts(name, &scanner)
        case "MessageAttributeNames": messageAttributeNames = try reader.texts(name, &scanner)
        case "AWSAccountIds": accountIDs = try reader.texts(name, &scanner)
        case "Actions": actions = try reader.texts(name, &scanner)
        case "TagKeys": tagKeys = try reader.texts(name, &scanner)
        case "Attributes": attributes = try reader.pairs(name, &scanner)
        case "Tags", "tags": tags = try reader.pairs(name, &scanner)
        case "Entries": entries = try reader.entries(name, &scanner)
        default: try reader.member(name, of: &entry, &scanner)
        }
    }

    /// Reads values, and remembers the first that is of a wrong kind.
    private struct ValueReader {
        /// Of a map; no queue has so many attributes or tags.
        private static let pairLimit = 200
        /// Of a batch; ten are allowed, and whoever sends some more is told how many they were.
        private static let entryLimit = 1000

        var failure: SQSError?

        mutating func member(
            _ name: String, of entry: inout Entry, _ scanner: inout JSONScanner
        ) throws(JSONError) {
            switch name {
            case "Id": entry.id = try text(name, &scanner)
            case "MessageBody": entry.body = try body(&scanner) ?? entry.body
            case "DelaySeconds": entry.delaySeconds = try integer(name, &scanner)
            case "MessageAttributes": entry.attributes = try object(name, &scanner)
            case "MessageSystemAttributes": entry.systemAttributes = try object(name, &scanner)
            case "MessageGroupId": entry.group = try text(name, &scanner)
            case "MessageDeduplicationId": entry.deduplicationID = try text(name, &scanner)
            case "ReceiptHandle": entry.receiptHandle = try text(name, &scanner)
            case "VisibilityTimeout": entry.visibilityTimeout = try integer(name, &scanner)
            default: try scanner.skipValue()
            }
        }

        mutating func body(_ scanner: inout JSONScanner) throws(JSONError) -> EscapedText? {
            try string("MessageBody", &scanner).map { EscapedText(scanner.slice($0)) }
        }

        private mutating func refuse(
            _ name: String, _ kind: String, _ scanner: inout JSONScanner
        ) throws(JSONError) {
            if scanner.nextByte != UInt8(ascii: "n"), failure == nil {
                failure = .serialization(name, kind)
            }
            try scanner.skipValue()
        }

        mutating func string(
            _ name: String, _ scanner: inout JSONScanner
        ) throws(JSONError) -> Range<Int>? {
            if scanner.nextByte == UInt8(ascii: "\"") { return try scanner.string() }
            try refuse(name, "a string", &scanner)
            return nil
        }

        /// - Parameter known: the text itself, if it is there already; without backslashes.
        mutating func text(
            _ name: String, _ scanner: inout JSONScanner, unless known: String? = nil
        ) throws(JSONError) -> String? {
            guard let range = try string(name, &scanner) else { return nil }
            if var known {
                let bytes = scanner.slice(range)
                let isSame = known.withUTF8 { bytes.isSame(as: UnsafeRawBufferPointer($0)) }
                if isSame { return known }
            }
            return scanner.text(range)
        }

        mutating func integer(
            _ name: String, _ scanner: inout JSONScanner
        ) throws(JSONError) -> Int64? {
            let range = try scanner.skipValue()
            let text = String(decoding: scanner.slice(range), as: UTF8.self)
            guard text != "null" else { return nil }
            // 1.0 is an integer, too.
            let value = Int64(text) ?? Double(text).flatMap { Int64(exactly: $0) }
            if value == nil, failure == nil { failure = .serialization(name, "an integer") }
            return value
        }

        mutating func texts(
            _ name: String, _ scanner: inout JSONScanner
        ) throws(JSONError) -> [String] {
            var list: [String] = []
            guard scanner.nextByte == UInt8(ascii: "[") else {
                try refuse(name, "a list", &scanner)
                return []
            }
            try scanner.array { (scanner) throws(JSONError) in
                if let item = try text(name, &scanner) { list.append(item) }
            }
            return list
        }

        mutating func pairs(
            _ name: String, _ scanner: inout JSONScanner
        ) throws(JSONError) -> [Pair]? {
            var list: [Pair] = []
            guard scanner.nextByte == UInt8(ascii: "{") else {
                try refuse(name, "an object", &scanner)
                return nil
            }
            try scanner.object { (key, scanner) throws(JSONError) in
                let key = scanner.text(key)
                guard let value = try text("\(name).\(key)", &scanner) else { return }
                if let known = list.firstIndex(where: { $0.name.isExactly(key) }) {
                    list[known].value = value
                } else if list.count < Self.pairLimit {
                    list.append((key, value))
                } else if failure == nil {
                    failure = .serialization(name, "smaller")
                }
            }
            return list
        }

        mutating func object(
            _ name: String, _ scanner: inout JSONScanner
        ) throws(JSONError) -> JSONValue? {
            guard scanner.nextByte == UInt8(ascii: "{") else {
                try refuse(name, "an object", &scanner)
                return nil
            }
            let range = try scanner.skipValue()
            return try JSONValue.parse(Array(scanner.slice(range)))
        }

        mutating func entries(
            _ name: String, _ scanner: inout JSONScanner
        ) throws(JSONError) -> [Entry]? {
            var list: [Entry] = []
            guard scanner.nextByte == UInt8(ascii: "[") else {
                try refuse(name, "a list", &scanner)
                return nil
            }
            try scanner.array { (scanner) throws(JSONError) in
                guard scanner.nextByte == UInt8(ascii: "{") else {
                    return try refuse(name, "a list of objects", &scanner)
                }
                guard list.count < Self.entryLimit else {
                    if failure == nil { failure = .serialization(name, "smaller") }
                    _ = try scanner.skipValue()
                    return
                }
                var entry = Entry()
                try scanner.object { (key, scanner) throws(JSONError) in
                    try member(scanner.text(key), of: &entry, &scanner)
                }
                list.append(entry)
            }
            return list
        }
    }
}
