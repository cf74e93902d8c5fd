import Access
import JSON
import Journal
import Posix
import QueueModel
import Synchronization

/// One queue: SQS's operations on its journal. Any thread, and any process beside this one.
package final class Queue: Sendable {
    package let name: String
    let journal: Journal<QueueJournalState>
    let environment: QueueEnvironment
    let observe: QueueActivity.Observer
    /// Where the last receive left off: the next one needs not read again.
    let stream = Mutex<JournalStream?>(nil)
    /// From how many bytes on bodies are compressed, as of the last transaction here: they are
    /// packed before the lock is taken, and one packed too many or too few reads the same.
    private let compressionFloor: Atomic<Int64>
    /// What may be asked without looking at a file, as of the last transaction here.
    let known = Mutex(Known())
    /// When `takeLookAround` says yes again, on the monotonic clock.
    let nextLookAround = Atomic<UInt64>(0)

    struct Known {
        /// Of which settings it is known.
        var version: SettingsVersion?
        var isFIFO = true
        var isCompressed = true
        var policyText: ExactText?
        var policy: Policy?
        var demandsDeduplicationIDs = false
        var hasHighThroughput = false
    }

    /// What its receipt handles are known by: a hash of its name, and of when it was repaired.
    let mark: UInt32

    init(
        name: String, folder: String, creating: Bool, environment: QueueEnvironment,
        options: JournalOptions, observe: @escaping QueueActivity.Observer
    ) throws(JournalError) {
        self.name = name
        self.environment = environment
        self.observe = observe
        journal = try Journal(
            folder: folder, at: environment.clock.now(), options: options,
            storage: environment.storage, creating: creating, execute: environment.execute,
            nanoseconds: environment.nanoseconds, currentLoop: environment.currentLoop)
        compressionFloor = Atomic(.max)
        var repaired: Timestamp?
        journal.look { repaired = $0.queue.repaired }
        mark = Self.mark(of: name, repaired: repaired)
        journal.look { note($0.queue.settings, $0.settingsVersion) }
    }

    /// A message as it was handed out.
    package struct Delivery: Sendable {
        package var received: ReceivedMessage
        package var message: QueueRecord.NewMessage
        /// From then on others may receive it.
        package var hiddenUntil: Timestamp
        /// That of the queue.
        let mark: UInt32

        /// For this queue alone.
        package var handle: ReceiptHandle {
            var handle = received.handle
            handle.mark = mark
            return handle
        }

        /// As a client gets it.
        package var receiptHandle: String { handle.text }

        /// The decoded body.
        package var body: [UInt8] { JSONText.unescape(message.escapedBody) }
    }

    package struct Statistics: Sendable {
        package var counts: QueueState.Counts
        package var counters: QueueState.Counters
        package var settings: QueueSettings
        /// When the oldest message was sent; `nil` if there is none.
        package var oldestSent: Timestamp?
        package var created: Timestamp?
        package var modified: Timestamp?
        package var journalBytes: UInt64
        package var tornFiles: Int
        /// Messages on their way to other queues, until those take them.
        package var leaving: [Leaving] = []
        package var groups: QueueState.GroupCounts?
    }

    /// Messages that wait to be taken by another queue.
    package struct Leaving: Equatable, Sendable {
        package var target: String
        package var messages: Int
    }

    package var settings: QueueSettings {
        get throws { try journal.read { $0.state.queue.settings } }
    }

    /// When it was made; a repair does not change that.
    package var created: Timestamp? {
        get throws { try journal.read { $0.state.queue.created } }
    }

    package func set(_ settings: QueueSettings) throws {
        try commit { session in
            if session.state.queue.settings != settings {
                try session.append(session.state.queue.change(to: settings))
            }
        }
    }

    /// Changes some of the settings, alone among all processes.
    func change(_ change: (inout QueueSettings) throws -> Void) throws {
        try commit { session in
            var settings = session.state.queue.settings
            try change(&settings)
            if session.state.queue.settings != settings {
                try session.append(session.state.queue.change(to: settings))
            }
        }
    }

    /// Sends up to 10 entries each as one record; acknowledged when this returns.
    package func send(_ entries: [SendEntry]) throws -> [Outcome<SentMessage>] {
        let (outcomes, failure) = try sendBatches([entries])
        if let failure { throw failure }
        return outcomes[0]
    }

    /// Bytes of messages that one record of a bulk send holds, unless a single one has more.
    private static let bulkRecordBytes = 4 * 1024 * 1024

    /// Sends any number of entries, up to ten a record, with one lock and one sync for them all.
    ///
    /// - Parameter each: gets every entry's outcome, in order. Where the journal refuses in the
    ///   middle, those before it are sent, and come here before the error is thrown.
    package func sendBulk(
        _ entries: [SendEntry], each: (Outcome<SentMessage>) throws -> Void
    ) throws {
        var batches: [[SendEntry]] = []
        var start = 0
        var bytes = 0
        for (index, entry) in entries.enumerated() {
            let size = entry.escapedBody.count + (entry.attributes?.count ?? 0)
            if index - start == QueueLimits.batchEntries
                || (index > start && bytes + size > Self.bulkRecordBytes)
            {
                batches.append(Array(entries[start..<index]))
                start = index
                bytes = 0
            }
            bytes += size
        }
        if start < entries.count { batches.append(Array(entries[start...])) }
        let (outcomes, failure) = try sendBatches(batches)
        for outcome in outcomes.joined() { try each(outcome) }
        if let failure { throw failure }
    }

    /// Sends several batches, one record each, with one lock and one sync for them all; up to the
    /// first that the journal refuses.
    private func sendBatches(
        _ batches: [[SendEntry]]
    ) throws -> (outcomes: [[Outcome<SentMessage>]], failure: (any Error)?) {
        let batches = batches.map(packed)
        let result = try commit { session in
            var outcomes: [[Outcome<SentMessage>]] = []
            for batch in batches {
                do {
                    outcomes.append(try send(batch, &session))
                } catch {
                    return (outcomes: outcomes, failure: Optional(error))
                }
            }
            return (outcomes: outcomes, failure: nil)
        }
        observeSent(batches.flatMap { $0 }, result.outcomes.flatMap { $0 })
        return result
    }

    func send(
        _ entries: [SendEntry], _ session: inout JournalSession<QueueJournalState>
    ) throws -> [Outcome<SentMessage>] {
        try session.sweepExpired()
        let (new, outcomes) =
            session.state.queue.settings.isFIFO
            ? try session.decideSend(
                entries, newID: environment.messageID, heldWaiting: environment.heldWaiting)
            : session.state.queue.send(
                entries, at: session.now, n: session.nextN, newID: environment.messageID,
                heldWaiting: environment.heldWaiting)
        if !new.isEmpty { try session.append(send: new) }
        return outcomes
    }

    func observeSent(_ entries: [SendEntry], _ outcomes: [Outcome<SentMessage>]) {
        var first: Int?
        var others: [Int] = []
        for index in outcomes.indices {
            guard case .success = outcomes[index] else { continue }
            let size = entries[index].size
            if first == nil { first = size } else { others.append(size) }
        }
        guard let first else { return }
        observe(QueueActivity(queue: name, kind: .sent(bytes: first, others: others)))
    }

    /// Reads messages' bodies and attributes from their records, each record once.
    static func messages(
        _ entries: [StreamEntry], _ session: JournalSession<QueueJournalState>
    ) throws -> [QueueRecord.NewMessage] {
        var records = StoredRecords()
        return try entries.map { entry in
            try records.message(of: entry) { try session.read($0) }
        }
    }

    /// Removes every message, but for those on their way to another queue.
    ///
    /// - Returns: how many there were.
    /// - Throws: `SQSError.purgeInProgress` within a minute of the last.
    @discardableResult
    package func purge() throws -> UInt64 {
        try commit { session in
            let before = session.state.queue.counters.purged
            let record = try session.state.queue.purge(name, at: session.now)
            try session.append(record)
            return session.state.queue.counters.purged - before
        }
    }

    /// The next messages as they lie, without receiving: returned ones first.
    package func peek(upTo limit: Int) throws -> [(
        entry: StreamEntry, message: QueueRecord.NewMessage
    )] {
        var found: [(entry: StreamEntry, message: QueueRecord.NewMessage)] = []
        try peek(upTo: limit) { found.append((entry: $0, message: $1)) }
        return found
    }

    /// As above, one after the other; what goes meanwhile may be left out.
    package func peek(
        upTo limit: Int, _ visit: (StreamEntry, QueueRecord.NewMessage) throws -> Void
    ) throws {
        let now = environment.clock.now()
        let (entries, session) = try journal.read { session in
            let queue = session.state.queue
            let held = queue.held.values.filter {
                $0.visibleAt <= now && !queue.isGone($0, at: now)
            }
            .sorted { $0.visibleAt < $1.visibleAt }
            var entries = held.prefix(limit).map(\.entry)
            var stream = JournalStream(session)
            if queue.streamed > 0 { stream = stream.from(queue.visibleStart(at: now)) }
            while entries.count < limit, let next = try stream.next() {
                if queue.isVisible(next, at: now) { entries.append(next) }
            }
            return (entries, session)
        }
        for entry in entries {
            if let body = try message(entry, session) { try visit(entry, try body.unpacked()) }
        }
    }

    /// Visits every message that is there now, also those in flight, delayed, and on their way to
    /// another queue, without the lock; what comes meanwhile is left out, what goes meanwhile may
    /// still be seen.
    package func forEachMessage(
        _ visit: (_ entry: StreamEntry, QueueRecord.NewMessage) throws -> Void
    ) throws {
        let now = environment.clock.now()
        let session = try journal.read { $0 }
        for entry in session.state.queue.besideStream(at: now) {
            guard let body = try self.message(entry, session) else { continue }
            try visit(entry, try body.unpacked())
        }
        var stream = JournalStream(wholeOf: session)
        while let entry = try stream.next() {
            if session.state.queue.isWaiting(entry, at: now) {
                try visit(entry, stream.message.unpacked())
            }
        }
    }

    /// A message as its record has it. Where another has carried it on meanwhile, and deleted the
    /// segment, it is where the newest state says; `nil` if it is gone.
    private func message(
        _ entry: StreamEntry, _ session: JournalSession<QueueJournalState>
    ) throws -> QueueRecord.NewMessage? {
        do {
            return try Self.messages([entry], session)[0]
        } catch JournalError.storage(let error) where error.isNotFound {
            return try journal.read { session in
                guard let now = session.state.queue.besideStream(entry.place) else { return nil }
                return try Self.messages([now], session)[0]
            }
        }
    }

    /// What `statistics` tells of the messages alone.
    func depth() throws -> (
        counts: QueueState.Counts, oldestSent: Timestamp?, groups: QueueState.GroupCounts?
    ) {
        let now = environment.clock.now()
        return try journal.read { session in
            let (counts, oldest) = try session.liveCounts(at: now)
            return (counts, oldest, session.state.queue.groupCounts(at: now))
        }
    }

    package func statistics() throws -> Statistics {
        let now = environment.clock.now()
        return try journal.read { session in
            let queue = session.state.queue
            // Who removes the queue takes the lock for it.
            let files = try environment.storage.list(journal.folder)
            let (counts, oldest) = try session.liveCounts(at: now)
            var bytes: UInt64 = 0
            // Not what is prepared for records to come.
            let end = session.endLocation
            for name in session.segmentNames {
                guard name != end.segment else {
                    bytes += end.offset
                    continue
                }
                let path = "\(session.folderPath)/\(SegmentName.file(name))"
                bytes += try environment.storage.open(path, creating: false).status().size
            }
            return Statistics(
                counts: counts, counters: queue.counters, settings: queue.settings,
                oldestSent: oldest, created: queue.created, modified: queue.modified,
                journalBytes: bytes,
                tornFiles: files.count(where: TornName.isTorn),
                leaving: Self.leaving(queue), groups: queue.groupCounts(at: now))
        }
    }

    static func leaving(_ queue: QueueState) -> [Leaving] {
        let counts = Dictionary(
            queue.transfers.map { ($0.target, $0.messages.count) }, uniquingKeysWith: +)
        return counts.sorted { $0.key < $1.key }.map { Leaving(target: $0.key, messages: $0.value) }
    }

    /// Messages that are there, whatever their state.
    package var messageCount: UInt64 {
        get throws { try journal.read { $0.state.queue.messageCount } }
    }

    /// What is there now, and when the next message becomes visible by itself.
    package func outlook() throws -> (counts: QueueState.Counts, nextWake: Timestamp?) {
        let now = environment.clock.now()
        return try journal.read { session in
            let counts = try session.liveCounts(at: now).counts
            return (counts, session.state.queue.nextWake(after: now))
        }
    }

    /// Messages moved to the dead-letter queue so far.
    package var deadLetterCount: UInt64 {
        get throws { try journal.read { $0.state.queue.counters.deadLettered } }
    }

    /// Runs a transaction and waits for its durability, if the queue promises one.
    @discardableResult
    func commit<R: Sendable>(
        isDurable: (QueueSettings) -> Bool = { _ in true },
        _ body: (inout JournalSession<QueueJournalState>) throws -> R
    ) throws -> R {
        let (result, ticket) = try journal.transact(now: environment.clock.now()) { session in
            let result = try body(&session)
            note(&session)
            return (result, session.mustSync(isDurable))
        }
        if let ticket, result.1 { try wait(ticket) }
        return result.0
    }

    /// The entries with their bodies as the journal is to keep them.
    func packed(_ entries: [SendEntry]) -> [SendEntry] {
        let floor = compressionFloor.load(ordering: .relaxed)
        return floor == .max ? entries : entries.map { $0.packed(from: floor) }
    }

    /// Keeps what the next calls should know of the settings before they take the lock.
    func note(_ session: inout JournalSession<QueueJournalState>) {
        let version = session.state.settingsVersion
        guard known.withLock({ $0.version !== version }) else { return }
        note(session.state.queue.settings, version)
    }

    private func note(_ settings: QueueSettings, _ version: SettingsVersion) {
        compressionFloor.store(settings.compressionBytes ?? .max, ordering: .relaxed)
        let text = settings.keptAttributes["Policy"].map { ExactText($0) }
        known.withLock { known in
            known.version = version
            known.isFIFO = settings.isFIFO
            known.isCompressed = settings.compressionBytes != nil
            known.demandsDeduplicationIDs =
                settings.isFIFO && !settings.isContentBasedDeduplication
            known.hasHighThroughput =
                settings.hasPerGroupThroughput && settings.deduplicatesByGroup
            guard known.policyText != text else { return }
            known.policyText = text
            known.policy = text.flatMap { try? Policy(ofResource: $0.text) }
        }
    }

    /// Whether each message must bring a deduplication id.
    var demandsDeduplicationIDs: Bool { known.withLock { $0.demandsDeduplicationIDs } }

    /// Whether AWS would let FIFO calls come at any rate.
    var hasHighThroughput: Bool { known.withLock { $0.hasHighThroughput } }

    /// The queue's own policy; where its text is none, the one that leaves nobody but `owner` in.
    func policy(owner: String) -> Policy? {
        known.withLock { known in
            known.policyText == nil ? nil : known.policy ?? .unreadable(owner: owner)
        }
    }

    /// The queue's own policy, whoever set it.
    func newestPolicy(owner: String) throws -> Policy? {
        try journal.read { note($0.state.queue.settings, $0.state.settingsVersion) }
        return policy(owner: owner)
    }

    /// Nothing more is to be done with it.
    func close() { journal.close() }

    /// Everything decided so far is on the disk when this returns.
    func settle() throws { try journal.sync() }

    func wait(_ ticket: Journal<QueueJournalState>.Ticket) throws {
        try journal.waitDurable(ticket)
    }
}

extension JournalSession where State == QueueJournalState {
    /// Whether the queue promises that what `isDurable` asks about is on the disk before the reply.
    func mustSync(_ isDurable: (QueueSettings) -> Bool) -> Bool {
        state.queue.settings.durability == .fsync && isDurable(state.queue.settings)
    }
}

extension QueueRecordError {
    static let missingMessage = QueueRecordError(
        message: "a record does not hold the message that another one names")
}
