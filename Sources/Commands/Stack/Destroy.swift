import JSON
import Posix
import Services

extension Command {
    static let destroy = Command(
        path: ["destroy"], abstract: "Removes everything that is deployed, messages and logs, too.",
        options: [.flag("yes", "Do not ask.")],
        examples: ["msorch destroy --yes"],
        run: { invocation in
            let folder = invocation.stateDirectory
            guard FileSystem.isDirectory(folder) else {
                throw CommandError(.notFound, "Nothing is deployed: there is no \(folder).")
            }
            try check(folder)
            // First, under no lock: nobody has to wait for an answer.
            if !invocation.has("yes") { try confirm("\(folder) with \(try contents(invocation))") }
            let removal = try StackRemoval(stateDirectory: folder) { holder in
                let who = holder.map { " (process \($0))" } ?? ""
                invocation.output.note("Waiting for a deploy to end\(who).")
            }
            let removed = try contents(invocation)
            try removal.carryOut()
            try invocation.output.result(removed.json) { nil }
            invocation.output.note("Removed \(folder) with \(removed).")
        })

    /// Refuses a folder that was named by mistake, or that others use, too.
    private static func check(_ folder: String) throws {
        let hint = "Nothing was changed. --state-dir names the state folder."
        guard StateFolder.isState(folder) else {
            throw CommandError(
                .notFound, "\(folder) has no deployment and no queues.", hint: hint)
        }
        let foreign = try StateFolder.foreignNames(folder)
        guard foreign.isEmpty else {
            let rest = foreign.count - shownNames
            throw CommandError(
                .refused,
                "\(folder) holds what is not of msorch: "
                    + foreign.prefix(shownNames).joined(separator: ", ")
                    + (rest > 0 ? " and \(rest) more." : "."),
                hint: hint)
        }
    }

    private static var shownNames: Int { 3 }

    private static func contents(_ invocation: Invocation) throws -> StackContents {
        let queues = invocation.queues()
        let names = try queues.names()
        // A damaged queue must not keep its stack alive.
        let messages = names.reduce(UInt64(0)) { sum, name in
            sum + ((try? queues.queue(name).messageCount) ?? 0)
        }
        return StackContents(queues: names.count, messages: messages)
    }

    private static func confirm(_ what: String) throws {
        guard StandardStream.input.isTerminal, StandardStream.error.isTerminal else {
            throw CommandError(
                .refused, "This would remove \(what).",
                hint: "Nothing was changed. --yes says that it is meant.")
        }
        StandardStream.error.write("Remove \(what)? [y/N] ".utf8)
        let answer = String(decoding: try StandardStream.input.read(upTo: 64), as: UTF8.self)
        guard ["y", "Y", "yes"].contains(answer.prefix { !$0.isWhitespace }) else {
            throw CommandError(.refused, "Nothing was removed.")
        }
    }
}

/// What a stack holds that somebody may miss.
private struct StackContents: CustomStringConvertible {
    var queues: Int
    var messages: UInt64

    var description: String { "\(queues) queues and \(messages) messages" }
    var json: JSONValue {
        ["queues": .int(queues), "messages": .int(Int64(clamping: messages))]
    }
}
