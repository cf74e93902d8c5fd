import Posix

/// Measures what only a program inside one process can: many clients on one queue, the disk alone,
/// wake-ups, warm invocations. Prints one line a figure: `name: value unit`.
@main
struct InProcess {
    private static let subjects: [String: @Sendable (Options) throws -> Void] = [
        "sends": Sends.run,
        "fill": Fill.run,
        "receive-delete": ReceiveDelete.run,
        "cycle": Cycle.run,
        "depth": Depth.run,
        "disk-limit": DiskLimit.run,
        "bare-loop": BareLoop.run,
        "wake": Wake.run,
        "receiver": Wake.receiver,
        "sender": Wake.sender,
        "invocations": Invocations.run,
    ]

    static func main() {
        let words = CommandLine.arguments.dropFirst()
        guard let name = words.first, let run = subjects[name],
            let options = Options(words.dropFirst())
        else {
            let names = subjects.keys.sorted().joined(separator: " | ")
            StandardStream.error.write("usage: in-process \(names) [--OPTION VALUE]...\n".utf8)
            ProcessEnvironment.exit(2)
        }
        do {
            try run(options)
            Report.figure("resident", Report.residentMegabytes(), "MB")
        } catch {
            StandardStream.error.write("error: \(error)\n".utf8)
            ProcessEnvironment.exit(1)
        }
    }
}
