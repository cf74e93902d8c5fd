import JSON
import Posix

/// Asks an SQS server over HTTP, by many connections that each wait for their answer: the one load
/// generator for msorch's endpoint and its peers. Prints one JSON object.
@main
struct LoadGenerator {
    private static let subjects: [String: @Sendable (LoadOptions) throws -> [any Script]] = [
        "send": SendScript.clients,
        "receive-delete": ReceiveDeleteScript.clients,
        "cycle": CycleScript.clients,
        "wake": WakeScripts.clients,
    ]

    static func main() {
        let words = CommandLine.arguments.dropFirst()
        guard let name = words.first, let clients = subjects[name],
            let options = LoadOptions(words.dropFirst())
        else {
            let names = subjects.keys.sorted().joined(separator: " | ")
            StandardStream.error.write(
                "usage: load \(names) --url URL --queue-url URL [--OPTION VALUE]...\n".utf8)
            ProcessEnvironment.exit(2)
        }
        do {
            let found = try Load.run(try clients(options), options)
            StandardStream.output.write("\(found.serialized())\n".utf8)
            // Clients are still under way.
            ProcessEnvironment.exit(0)
        } catch {
            StandardStream.error.write("error: \(error)\n".utf8)
            ProcessEnvironment.exit(1)
        }
    }
}
