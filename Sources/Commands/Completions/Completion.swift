import Posix
import Services
import StackModel

/// What could be typed next. One answer for every shell: their scripts only ask.
package enum Completion {
    /// The hidden command that shells call with the words typed so far, the unfinished one last.
    package static let command = "__complete"

    package static func candidates(_ typed: [String]) -> [String] {
        let unfinished = typed.last ?? ""
        return all(Array(typed.dropLast()), unfinished).filter { $0.hasPrefix(unfinished) }
    }

    private static func all(_ typed: [String], _ unfinished: String) -> [String] {
        let (common, words) = CommandLineParser.leadingCommonOptions(typed)
        if words.isEmpty {
            if let option = Command.common.first(where: { $0.dashed == common.last }),
                option.value != nil
            {
                return option.choices ?? []
            }
            if unfinished.hasPrefix("-") { return Command.common.map(\.dashed) + ["--version"] }
        }
        if words.first == "help" { return commandWords(after: Array(words.dropFirst())) }
        let matches = CommandLineTool.commands.filter { words.starts(with: $0.path) }
        guard let command = matches.max(by: { $0.path.count < $1.path.count }) else {
            return commandWords(after: words) + (words.isEmpty ? ["help"] : [])
        }
        let rest = words.dropFirst(command.path.count)
        let options = command.options + command.commonOptions
        func option(_ word: String) -> Command.Option? {
            options.first { word == $0.dashed }
        }
        if let last = rest.last, let option = option(last), option.value != nil {
            if option.name == "output" { return command.formats.map(\.rawValue) }
            return option.choices ?? []
        }
        if unfinished.hasPrefix("-") {
            return options.map(\.dashed)
        }
        return names(of: command, given: Array(rest), at: located(common + rest), option)
    }

    /// What goes on with a command's path.
    private static func commandWords(after words: [String]) -> [String] {
        var next: [String] = []
        for command in CommandLineTool.commands where command.path.count > words.count {
            guard command.path.starts(with: words) else { continue }
            if !next.contains(command.path[words.count]) { next.append(command.path[words.count]) }
        }
        return next
    }

    /// Names that an argument may be: of what the stack has, which is where `place` says.
    private static func names(
        of command: Command, given words: [String], at place: [String],
        _ option: (String) -> Command.Option?
    ) -> [String] {
        var arguments = 0
        var isValue = false
        for word in words {
            if isValue {
                isValue = false
            } else if word.hasPrefix("-") {
                isValue = option(word)?.value != nil
            } else {
                arguments += 1
            }
        }
        let isOpen = command.arguments.last?.isRepeated == true
        let index = isOpen ? min(arguments, command.arguments.count - 1) : arguments
        guard command.arguments.indices.contains(index) else { return [] }
        let argument = command.arguments[index]
        if let choices = argument.choices { return choices }
        guard
            let parsed = try? CommandLineParser().parse(
                command.path + command.arguments.map(\.name) + place),
            case .run(_, let invocation) = parsed
        else { return [] }
        switch argument.name {
        case "QUEUE": return queues(invocation)
        case "FUNCTION": return functions(invocation)
        case "APIKEY": return apiKeys(invocation)
        case "KEY": return keys(invocation)
        case "PRINCIPAL": return functions(invocation) + keys(invocation)
        case "RESOURCE": return functions(invocation) + queues(invocation)
        case "USER": return users(invocation)
        default: return []
        }
    }

    /// The options that say where the stack is.
    private static func located(_ words: [String]) -> [String] {
        let places = ["-C", "--stack", "--state-dir"]
        return words.indices.flatMap { index -> ArraySlice<String> in
            let word = words[index]
            if places.contains(word) { return words[index...].prefix(2) }
            return places.contains { word.hasPrefix("\($0)=") } ? [word] : []
        }
    }

    private static func queues(_ invocation: Invocation) -> [String] {
        (try? QueueDirectory(stateDirectory: invocation.stateDirectory).names()) ?? []
    }

    private static func apiKeys(_ invocation: Invocation) -> [String] {
        (try? Deployment.load(invocation.stateDirectory))?.stack.apiKeyNames ?? []
    }

    private static func keys(_ invocation: Invocation) -> [String] {
        let store = CredentialStore(stateDirectory: invocation.stateDirectory)
        return (try? store.users().map(\.name)) ?? []
    }

    private static func users(_ invocation: Invocation) -> [String] {
        (try? invocation.userPool().store.sorted().map(\.username)) ?? []
    }

    private static func functions(_ invocation: Invocation) -> [String] {
        guard let deployment = try? Deployment.load(invocation.stateDirectory) else { return [] }
        return deployment.stack.functions.map(\.key)
    }
}
