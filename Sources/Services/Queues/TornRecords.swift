import JSON
import Journal
import QueueModel

/// What a writer that died left behind: never known to be on the disk, set aside by the next one
/// (docs/journal.md, *Torn, or damaged*). Whole records in there can still be read.
package struct TornFile: Sendable {
    package var name: String
    /// Bytes that are whole records, and others.
    package var readableBytes: UInt64 = 0
    package var harmedBytes: UInt64 = 0
    package var records = 0
    /// Messages that its records bring and do not end.
    package var messages: [QueueRecord.NewMessage] = []
}

extension TornFile {
    /// - Parameter folder: the queue's.
    init(_ name: String, in folder: String, _ storage: any JournalStorage) throws {
        self.name = name
        var brought: [Place: QueueRecord.NewMessage] = [:]
        var leaving: [UInt64: [Place]] = [:]
        try Salvage.read(torn: name, in: folder, storage: storage) { piece in
            switch piece {
            case .harmed(let bytes): harmedBytes += UInt64(bytes)
            case .record(let line):
                readableBytes += UInt64(line.location.length)
                records += 1
                // What cannot be understood is left where it is.
                guard let record = try? line.bytes.withUnsafeBytes({ try QueueRecord(line: $0) })
                else { return }
                Self.apply(record, line, &brought, &leaving)
            }
        }
        messages = brought.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Places are of this file as far as they are known here: numbers may be used again after it.
    private static func apply(
        _ record: QueueRecord, _ line: RecordLine,
        _ brought: inout [Place: QueueRecord.NewMessage], _ leaving: inout [UInt64: [Place]]
    ) {
        switch record {
        case .send(let messages), .take(_, _, let messages):
            for (index, message) in messages.enumerated() {
                var message = message
                message.sent = message.sent ?? line.time
                message.delaySeconds = 0
                message.due = nil
                brought[Place(n: line.n, index: UInt8(index))] = message
            }
        case .requeue(let messages):
            for (index, message) in messages.enumerated() {
                guard let known = message.was.flatMap({ brought.removeValue(forKey: $0) }) else {
                    continue
                }
                brought[Place(n: line.n, index: UInt8(index))] = known
            }
        case .delete(let places): for place in places { brought[place] = nil }
        case .transfer(let number, _, _, let places): leaving[number] = places
        case .transferred(let number): for place in leaving[number] ?? [] { brought[place] = nil }
        case .purge(_, let keepsLeaving):
            let left = keepsLeaving ? Set(leaving.values.joined()) : []
            brought = brought.filter { left.contains($0.key) }
        default: break
        }
    }

    /// The torn files of a queue's folder, oldest first.
    static func all(in folder: String, _ storage: any JournalStorage) throws -> [TornFile] {
        let names = try storage.list(folder).filter(TornName.isTorn)
        return try names.sorted(by: TornName.isOlder)
            .map { try TornFile($0, in: folder, storage) }
    }
}

/// Which messages of torn files the queue had.
struct TornLook {
    /// Those that it was asked for, and had.
    var sought: Set<String>
    var found: Set<String> = []
    /// The segment that grew: what has come since stands there, or behind.
    var segment: UInt64
}

extension JournalSession where State == QueueJournalState {
    /// Sends the messages of torn files that the queue does not have, as they were. They come last,
    /// and at once: one that was received before comes again.
    ///
    /// - Parameter look: what is known already; `nil`, or one that did not seek all of them, is of
    ///   no use.
    /// - Returns: how many.
    mutating func restore(_ files: [TornFile], knowing look: TornLook? = nil) throws -> Int {
        var missing: [String: Int] = [:]
        var messages: [QueueRecord.NewMessage] = []
        for message in files.flatMap(\.messages) where missing[message.messageID] == nil {
            missing[message.messageID] = messages.count
            messages.append(message)
        }
        guard !messages.isEmpty else { return 0 }
        let look = look.flatMap { $0.sought.isSuperset(of: missing.keys) ? $0 : nil }
        for id in look?.found ?? [] { missing[id] = nil }
        try flush()
        try forEachMessageID(from: look?.segment, at: now) { missing[$0] = nil }
        let rest = missing.values.sorted().map { messages[$0] }
        var batch: [QueueRecord.NewMessage] = []
        var bytes = 0
        func send() throws {
            if !batch.isEmpty { try append(send: batch) }
            batch = []
            bytes = 0
        }
        for message in rest {
            let size = message.escapedBody.count + (message.packed?.base64.count ?? 0)
            if batch.count == QueueLimits.batchEntries || bytes + size > QueueLimits.carriedBytes {
                try send()
            }
            batch.append(message)
            bytes += size
        }
        try send()
        return rest.count
    }

    /// - Parameter segment: those of the stream that stand before it are left out.
    fileprivate func forEachMessageID(
        from segment: UInt64? = nil, at now: Timestamp, _ visit: (String) -> Void
    ) throws {
        for entry in state.queue.besideStream(at: now) { visit(entry.messageID) }
        var stream =
            segment.map { JournalStream(self, from: Head(segment: $0, offset: 0, index: 0)) }
            ?? JournalStream(wholeOf: self)
        while let entry = try stream.next() {
            if state.queue.isWaiting(entry, at: now) { visit(entry.messageID) }
        }
    }

    /// They have been sent again, and are torn no more; each stays as it is, under another name.
    fileprivate func setAside(_ files: [TornFile]) throws {
        var names = Set(try storage.list(folderPath))
        for file in files {
            var times = 1
            while names.contains(TornName.restored(file.name, times)) { times += 1 }
            let name = TornName.restored(file.name, times)
            names.insert(name)
            try storage.rename("\(folderPath)/\(file.name)", to: "\(folderPath)/\(name)")
        }
        try storage.syncDirectory(folderPath)
    }
}

extension Queue {
    /// Sends again what can be read in the queue's torn files, and sets those aside once it is on
    /// the disk. All of it happens alone: of what is sent nobody takes anything before. Only along
    /// what came long ago it looks while others work.
    ///
    /// - Returns: how many.
    func restoreTorn() throws -> Int {
        // Where that fails, as others deleted what it was about to read, all is looked at alone.
        let look = try? lookForTorn()
        return try journal.transact(now: environment.clock.now()) { session in
            let torn = try TornFile.all(in: session.folderPath, session.storage)
                .filter { $0.records > 0 }
            let count = try session.restore(torn, knowing: look)
            try session.settle()
            crashPoint("before-torn-aside")
            try session.setAside(torn)
            return count
        }.result
    }

    private func lookForTorn() throws -> TornLook {
        let session = try journal.read { $0 }
        let torn = try TornFile.all(in: session.folderPath, session.storage)
        var look = TornLook(
            sought: Set(torn.flatMap(\.messages).map(\.messageID)),
            segment: session.endLocation.segment)
        try session.forEachMessageID(at: environment.clock.now()) {
            if look.sought.contains($0) { look.found.insert($0) }
        }
        return look
    }
}
