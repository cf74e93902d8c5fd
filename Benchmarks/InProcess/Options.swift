import Posix
import QueueModel

/// The words after a subject: `--name value`, in any order; each has a default.
struct Options {
    private var words: [String: String] = [:]

    /// `nil` if the words are not pairs.
    init?(_ arguments: ArraySlice<String>) {
        var rest = arguments
        while let name = rest.popFirst() {
            guard name.hasPrefix("--"), let value = rest.popFirst() else { return nil }
            words[String(name.dropFirst(2))] = value
        }
    }

    func text(_ name: String, _ fallback: String) -> String { words[name] ?? fallback }
    func integer(_ name: String, _ fallback: Int) -> Int {
        words[name].flatMap(Int.init) ?? fallback
    }
    func number(_ name: String, _ fallback: Double) -> Double {
        words[name].flatMap(Double.init) ?? fallback
    }

    /// The state directory; the current folder's if none is named.
    var state: String { FileSystem.absolute(text("state", ".msorch")) }
    var queue: String { text("queue", "q") }
    /// `fsync` or `os`, as a queue is told.
    var durability: QueueSettings.Durability {
        QueueSettings.Durability(rawValue: text("durability", "fsync")) ?? .fsync
    }
    /// A message of `--body` bytes.
    var entry: SendEntry {
        let bytes = integer("body", 256)
        return SendEntry(
            escapedBody: [UInt8](repeating: UInt8(ascii: "x"), count: bytes), size: bytes)
    }
    /// Whether clients are threads that block, or chains of completions.
    var usesCallbacks: Bool { text("by", "threads") == "callbacks" }
    /// How many clients work, and until when.
    var load: Load {
        Load(
            clients: integer("clients", 64), seconds: number("seconds", 3),
            count: integer("count", .max))
    }
}
