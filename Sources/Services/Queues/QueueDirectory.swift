import Access
import JSON
import Journal
import Posix
import QueueModel
import Synchronization

/// All queues of one state directory.
package final class QueueDirectory: Sendable {
    let folder: String
    let environment: QueueEnvironment
    let options: JournalOptions
    private let observe: QueueActivity.Observer
    private let open = Mutex(OpenQueues())

    /// One queue that is open, or being opened: others are not kept waiting for it.
    private final class Slot: Sendable {
        /// Is held while the queue is opened.
        let opening = Mutex(())
        private let opened = Mutex<Queue?>(nil)

        /// `nil` until it is open.
        var queue: Queue? {
            get { opened.withLock { $0 } }
            set { opened.withLock { $0 = newValue } }
        }
    }

    /// The slots by name, to the byte: policies judge a name as it is spelled. A command opens one
    /// queue or two, and is spared the hash table.
    private struct OpenQueues {
        private static let limitOfFew = 16

        private var few: [(name: String, slot: Slot)] = []
        /// All of them, once there are many.
        private var many: [ExactText: Slot] = [:]

        subscript(name: String) -> Slot? {
            get {
                guard many.isEmpty else { return many[ExactText(name)] }
                return few.first { $0.name.isExactly(name) }?.slot
            }
            set {
                guard many.isEmpty else {
                    many[ExactText(name)] = newValue
                    return
                }
                few.removeAll { $0.name.isExactly(name) }
                guard let newValue else { return }
                few.append((name, newValue))
                guard few.count > Self.limitOfFew else { return }
                for (name, slot) in few { many[ExactText(name)] = slot }
                few = []
            }
        }

        var slots: [Slot] { few.map(\.slot) + many.values }
    }

    /// - Parameters:
    ///   - stateDirectory: the folder `.msorch`; made when the first queue is.
    ///   - observe: gets what the queues do, for their metrics; from any thread.
    package init(
        stateDirectory: String, environment: QueueEnvironment = QueueEnvironment(),
        options: JournalOptions = JournalOptions(),
        observe: @escaping QueueActivity.Observer = { _ in }
    ) {
        folder = "\(stateDirectory)/queues"
        self.environment = environment
        self.options = options
        self.observe = observe
    }

    var storage: any JournalStorage { environment.storage }

    /// The queues there are, sorted.
    package func names() throws -> [String] {
        guard try storage.isDirectory(folder) else { return [] }
        return try storage.list(folder).filter { !$0.hasPrefix(".") }
    }

    /// - Throws: `QueueError.noSuchQueue`.
    package func queue(_ name: String) throws -> Queue {
        let slot = try slot(name)
        do {
            if let queue = slot.queue { return queue }
            return try slot.opening.withLock { _ -> Queue in
                if let queue = slot.queue { return queue }
                let opened = try loadOrBury(name)
                slot.queue = opened
                return opened
            }
        } catch {
            forget(name, slot)
            throw error
        }
    }

    /// Another may have opened it meanwhile.
    private func forget(_ name: String, _ slot: Slot) {
        open.withLock { known in
            if known[name] === slot { known[name] = nil }
        }
    }

    private func slot(_ name: String) throws -> Slot {
        if let slot = open.withLock({ $0[name] }) { return slot }
        guard Self.isValid(name), try storage.isDirectory("\(folder)/\(name)") else {
            throw QueueError.noSuchQueue(name, existing: try names())
        }
        return open.withLock { open in
            let slot = open[name] ?? Slot()
            open[name] = slot
            return slot
        }
    }

    /// What is seen of a queue that others remove and make again meanwhile, at most.
    static let lives = 4

    private func loadOrBury(_ name: String) throws -> Queue {
        for _ in 0..<Self.lives {
            do {
                return try open(name, in: folderPath(of: name), creating: false)
            } catch QueueError.journal(.removed, _) {
                // A removal that was cut short; or a repair, or another queue, has its place now.
                try bury(name)
                clearGraves()
            } catch QueueError.journal(.storage(let error), _) where error.isNotFound {
                guard try storage.isDirectory(folderPath(of: name)) else { break }
            }
        }
        throw QueueError.noSuchQueue(name, existing: try names())
    }

    /// Runs `body`, which looks at a queue's folder; anew if meanwhile a repair or another queue
    /// came in its place, or a removal that was cut short had to be finished.
    func whereItIs<R>(_ name: String, _ body: () throws -> R) throws -> R {
        for _ in 0..<Self.lives {
            do {
                return try body()
            } catch JournalError.removed {
                try bury(name)
            }
        }
        throw QueueError.noSuchQueue(name, existing: try names())
    }

    /// The same for a body that only reads: what it does not find was removed.
    func readWhereItIs<R>(_ name: String, _ body: () throws -> R) throws -> R {
        try whereItIs(name) {
            do {
                return try body()
            } catch let error as SystemError where error.isNotFound {
                throw JournalError.removed
            }
        }
    }

    /// Runs `body` with a queue; once more if the one that was open here has been removed by
    /// another process, which may have made a new one, or has repaired it.
    package func withQueue<R>(_ name: String, _ body: (Queue) throws -> R) throws -> R {
        do {
            return try body(try queue(name))
        } catch JournalError.removed {
            forget(name)
            return try body(try queue(name))
        }
    }

    /// The queue, if this process has it open already: no file is looked at.
    package func opened(_ name: String) -> Queue? {
        open.withLock { $0[name] }?.queue
    }

    /// - Throws: `QueueError.redriveDenied` if the dead-letter queue takes none of `name`'s.
    package func checkRedrive(from name: String, _ settings: QueueSettings) throws {
        guard let target = settings.redrivePolicy?.deadLetterQueue, try names().contains(target)
        else { return }
        do {
            let allows = try withQueue(target) { try $0.settings.redriveAllow.allows(name) }
            guard allows else { throw QueueError.redriveDenied(name, target: target) }
        } catch QueueError.noSuchQueue {
            return  // removed meanwhile
        }
    }

    /// Changes a queue's attributes.
    package func set(_ name: String, _ settings: QueueSettings) throws {
        try checkRedrive(from: name, settings)
        try withQueue(name) { try $0.set(settings) }
    }

    /// Changes some of a queue's attributes, and leaves to the others what others make of them.
    ///
    /// - Parameter change: runs inside the transaction.
    package func change(
        _ name: String, redrive: QueueSettings.RedrivePolicy? = nil,
        _ change: (inout QueueSettings) throws -> Void
    ) throws {
        var planned = QueueSettings()
        planned.redrivePolicy = redrive
        try checkRedrive(from: name, planned)
        try withQueue(name) { try $0.change(change) }
    }

    /// The queue's own policy, whoever set it; a queue that is not there has nothing to say.
    ///
    /// - Parameter owner: who may use the queue although its policy is none.
    /// - Throws: what keeps the queue from being read: nobody knows then what it denies.
    package func policy(of name: String, owner: String) throws -> Policy? {
        do {
            return try withQueue(name) { try $0.newestPolicy(owner: owner) }
        } catch QueueError.noSuchQueue, JournalError.removed {
            return nil
        }
    }

    /// The next use of the queue opens it anew.
    package func forget(_ name: String) { open.withLock { $0[name] = nil } }

    /// Leaves each queue's files as who comes next should find them. Whoever has used queues calls
    /// it at the end; nothing more is to be done with them here.
    package func close() {
        for slot in open.withLock({ $0.slots }) {
            slot.opening.withLock { _ in slot.queue?.close() }
        }
    }

    /// Checks a queue's whole journal, also one that no longer opens.
    package func verify(_ name: String) throws -> Verification {
        guard try names().contains(name) else {
            throw QueueError.noSuchQueue(name, existing: try names())
        }
        return try readWhereItIs(name) { try verify(in: folderPath(of: name)) }
    }

    private func verify(in path: String) throws -> Verification {
        var report = try Journal<QueueJournalState>.verify(folder: path, storage: storage)
        for file in try storage.list(path) where DeduplicationRun.range(ofName: file) != nil {
            guard try DeduplicationRun.open(file, in: path, storage)?.all() == nil,
                try storage.list(path).contains(file)
            else { continue }
            report.ignored.append(
                Verification.Note(
                    file: file, message: "it is harmed; passed over, the records have it all"))
        }
        return report
    }

    func folderPath(of name: String) -> String { "\(folder)/\(name)" }

    /// A name that no queue can have.
    func hiddenPath(_ name: String) -> String { "\(folder)/.\(name)" }

    /// The queue of a journal anywhere.
    func open(_ name: String, in folder: String, creating: Bool) throws -> Queue {
        do throws(JournalError) {
            return try Queue(
                name: name, folder: folder, creating: creating, environment: environment,
                options: options, observe: observe)
        } catch {
            throw QueueError.journal(error, queue: name)
        }
    }

    static func isValid(_ name: String) -> Bool {
        let stem = name.hasSuffix(".fifo") ? String(name.dropLast(5)) : name
        return !stem.isEmpty && name.utf8.count <= QueueLimits.nameLength
            && stem.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
