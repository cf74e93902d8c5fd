import JSON
import Journal
import Posix
import QueueModel

/// A damage of a journal, and what it touches as far as that can be known.
package struct QueueDamage: Sendable {
    package var problem: Verification.Problem
    /// What the harmed bytes say that they were: `send`, `receive`…, each with how often.
    package var kinds: [(name: String, count: Int)] = []
    /// Message ids in the harmed bytes, or in other records that speak of messages which the
    /// missing ones brought.
    package var messages: [String] = []

    /// How many records are not there; 0 if that is not known.
    package var recordCount: UInt64 {
        problem.records.map { $0.upperBound - $0.lowerBound + 1 } ?? 0
    }

    /// Records that brought messages, up to ten each: those messages may be lost.
    package var sends: UInt64 { count { ["send", "take", "requeue", "carry"].contains($0) } }
    /// Records after which messages were hidden or gone: those may come back.
    package var endings: UInt64 {
        count {
            ["receive", "retry", "delete", "visibility", "purge", "transfer", "transferred"]
                .contains($0)
        }
    }
    /// Records of which nothing can be said.
    package var unknown: UInt64 {
        let known = sends + endings
        return recordCount > known ? recordCount - known : 0
    }

    private func count(_ belongs: (String) -> Bool) -> UInt64 {
        kinds.reduce(0) { belongs($1.name) ? $0 + UInt64($1.count) : $0 }
    }
}

/// A check of one queue: its journal, and the files that follow from it.
package struct QueueExamination: Sendable {
    package var journal: Verification
    package var damages: [QueueDamage] = []
    package var torn: [TornFile] = []
}

extension QueueDirectory {
    /// Ids that one damage lists at most.
    private static let listedIDs = 1000
    /// Harmed bytes that are looked through at most.
    private static let searchedBytes = 64 * 1024 * 1024

    /// Checks a queue's whole journal, also one that no longer opens, and what else is in its
    /// folder. Changes nothing.
    package func examine(_ name: String) throws -> QueueExamination {
        try readWhereItIs(name) { try examineOnce(name) }
    }

    private func examineOnce(_ name: String) throws -> QueueExamination {
        var found = QueueExamination(journal: try verify(name))
        let folder = folderPath(of: name)
        found.torn = try TornFile.all(in: folder, storage)
        found.damages = try found.journal.problems.map { try describe($0, in: folder) }
        if found.damages.contains(where: { $0.problem.records != nil }) {
            do {
                try addMentioned(&found.damages, in: folder)
            } catch let error as SystemError where error.isNotFound {
                // A segment was consumed, and deleted meanwhile: what was found till then.
            }
        }
        return found
    }

    /// What the harmed bytes themselves tell.
    private func describe(
        _ problem: Verification.Problem, in folder: String
    ) throws -> QueueDamage {
        var damage = QueueDamage(problem: problem)
        // Where no record is missing, nothing is touched: one stands there twice, say.
        guard problem.bytes > 0, problem.records != nil else { return damage }
        let file: any JournalFile
        do throws(SystemError) {
            file = try storage.open("\(folder)/\(problem.file)", creating: false)
        } catch {
            if error.isNotFound { return damage }  // consumed, and deleted since
            throw error
        }
        let bytes = try file.bytes(
            at: problem.offset, count: Int(min(problem.bytes, UInt64(Self.searchedBytes))))
        var kinds: [String: Int] = [:]
        for start in Self.places(of: Array(#""op":""#.utf8), in: bytes) {
            let word = bytes[start...].prefix { $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A }.prefix(16)
            if QueueRecord.names.contains(String(decoding: word, as: UTF8.self)) {
                kinds[String(decoding: word, as: UTF8.self), default: 0] += 1
            }
        }
        damage.kinds = kinds.sorted { $0.key < $1.key }.map { (name: $0.key, count: $0.value) }
        for start in Self.places(of: Array(#""id":""#.utf8), in: bytes) {
            let id = bytes[start...].prefix(36)
            guard id.count == 36, damage.messages.count < Self.listedIDs,
                id.allSatisfy({ $0 == 0x2D || $0 &- 0x30 < 10 || $0 &- 0x61 < 6 })
            else { continue }
            damage.messages.append(String(decoding: id, as: UTF8.self))
        }
        return damage
    }

    /// Right behind each `pattern`. What a body holds has its quotes escaped, and is none.
    private static func places(of pattern: [UInt8], in bytes: [UInt8]) -> [Int] {
        guard bytes.count > pattern.count else { return [] }
        return (0..<(bytes.count - pattern.count)).filter {
            bytes[$0] == pattern[0] && bytes[$0...].starts(with: pattern)
        }.map { $0 + pattern.count }
    }

    /// Adds messages that the missing records brought and whole ones speak of.
    private func addMentioned(_ damages: inout [QueueDamage], in folder: String) throws {
        try SalvagedLines(folder: folder, storage: storage).forEach { line in
            guard let record = try? line.bytes.withUnsafeBytes({ try QueueRecord(line: $0) })
            else { return }
            let entries: [StreamEntry]
            switch record {
            case .receive(let receive): entries = receive.first.map(\.entry)
            case .base(_, let held): entries = held.map(\.entry)
            default: return
            }
            for entry in entries {
                for index in damages.indices
                where damages[index].problem.records?.contains(entry.place.n) == true
                    && damages[index].messages.count < Self.listedIDs
                    && !damages[index].messages.contains(entry.messageID)
                {
                    damages[index].messages.append(entry.messageID)
                }
            }
        }
    }
}
