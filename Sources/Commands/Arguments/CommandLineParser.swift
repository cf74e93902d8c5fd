import Journal
import Posix
import Services
import StackModel

/// Turns typed words into a checked call.
struct CommandLineParser {
    enum Parsed {
        case run(Command, Invocation)
        /// The text.
        case help(String)
        case version
    }

    func parse(_ typed: [String]) throws(CommandError) -> Parsed {
        let (common, words) = Self.leadingCommonOptions(typed)
        guard let first = words.first else { return .help(try help([])) }
        if first == "--version" { return .version }
        if ["--help", "-h", "help"].contains(first) {
            return .help(try help(Array(words.dropFirst())))
        }
        if words.count == 2, ["--help", "-h"].contains(words[1]) {
            return .help(try help([first]))
        }
        let (command, own) = try command(words)
        let rest = common + own
        var options: [(name: String, value: String)] = []
        var arguments: [String] = []
        var index = 0
        var endsOptions = false
        while index < rest.count {
            let word = rest[index]
            index += 1
            guard !endsOptions, word.hasPrefix("-"), word != "-" else {
                arguments.append(word)
                continue
            }
            if word == "--" {
                endsOptions = true
                continue
            }
            if word == "-h" || word == "--help" { return .help(Help.text(command)) }
            let (option, inlined) = try option(word, of: command)
            guard option.value != nil else {
                guard inlined == nil else {
                    throw CommandError(.usage, "\(option.dashed) takes no value.")
                }
                options.append((option.name, ""))
                continue
            }
            guard let value = inlined ?? (index < rest.count ? rest[index] : nil) else {
                throw CommandError(
                    .usage, "\(word) needs a value: \(option.value ?? "").", hint: hint(command))
            }
            if inlined == nil { index += 1 }
            try check(value, option, command)
            guard option.isRepeated || !options.contains(where: { $0.name == option.name }) else {
                throw CommandError(
                    .usage, "\(option.dashed) is given twice.", hint: "Leave one of them out.")
            }
            options.append((option.name, value))
        }
        try check(arguments, command)
        func value(_ name: String) -> String? { options.first { $0.name == name }?.value }
        if let folder = value("C"), !FileSystem.isDirectory(folder) {
            throw CommandError(
                .notFound, "There is no folder '\(folder)'.",
                hint: "-C names the folder to work in.")
        }
        let invocation = invocation(arguments, options, value)
        if value("stack") != nil, command.path != Command.initialize.path {
            try StackFile.requireFile(invocation.stackFile)
        }
        let state = invocation.stateDirectory
        guard FileSystem.isDirectory(state) || !FileSystem.exists(state) else {
            throw CommandError(
                .usage, "The state directory \(state) is a file.",
                hint: "--state-dir names a folder; it is made where there is none.")
        }
        return .run(command, invocation)
    }

    private func invocation(
        _ arguments: [String], _ options: [(name: String, value: String)],
        _ value: (String) -> String?
    ) -> Invocation {
        var output = Output()
        output.format = value("output").flatMap(Output.Format.init) ?? .text
        output.isQuiet = value("quiet") != nil
        let stack = value("stack") ?? "stack.json"
        let folder = value("C")
        let stackFile = Self.path(stack, in: folder)
        let named = value("state-dir") ?? ProcessEnvironment.value("MSORCH_STATE_DIR")
        let state =
            named.map { Self.path($0, in: folder) }
            ?? "\(FileSystem.parent(of: stackFile))/.msorch"
        let monitor = Monitor(stateDirectory: state)
        return Invocation(
            arguments: arguments, options: options, output: output, stackFile: stackFile,
            stateDirectory: state, monitor: monitor,
            queueDirectory: QueueDirectory(
                stateDirectory: state, options: Self.journalOptions, observe: monitor.observe))
    }

    /// Where a name leads that is typed in `folder`; `nil` is the current one.
    static func path(_ name: String, in folder: String?) -> String {
        guard let folder, !name.hasPrefix("/") else { return name }
        return "\(folder)/\(name)"
    }

    private static var journalOptions: JournalOptions {
        #if DEBUG
            JournalOptions(environment: ProcessEnvironment.value)
        #else
            JournalOptions()
        #endif
    }

    /// What explains a command, or lists those that begin with a word, or all.
    private func help(_ words: [String]) throws(CommandError) -> String {
        let commands = CommandLineTool.commands
        guard let first = words.first else { return Help.overview(commands) }
        let group = commands.filter { $0.path.count > 1 && $0.path[0] == first }
        if words.count == 1, !group.isEmpty { return Help.overview(group) }
        return Help.text(try command(words).command)
    }

    /// Common options may stand before the command: `msorch -C DIR queue ls`.
    static func leadingCommonOptions(
        _ words: [String]
    ) -> (options: [String], rest: [String]) {
        var rest = words[...]
        var options: [String] = []
        while let word = rest.first, word.hasPrefix("-"), !["--help", "-h"].contains(word) {
            let name = word.drop { $0 == "-" }.prefix { $0 != "=" }
            guard let option = Command.common.first(where: { $0.name == name }) else { break }
            let length = option.value != nil && !word.contains("=") ? 2 : 1
            options += rest.prefix(length)
            rest = rest.dropFirst(length)
        }
        return (options, Array(rest))
    }

    /// The longest path that the words begin with.
    private func command(
        _ words: [String]
    ) throws(CommandError) -> (command: Command, rest: [String]) {
        if let command = Command.frequent(words) {
            return (command, Array(words.dropFirst(command.path.count)))
        }
        let commands = CommandLineTool.commands
        let matches = commands.filter { words.starts(with: $0.path) }
        if let command = matches.max(by: { $0.path.count < $1.path.count }) {
            return (command, Array(words.dropFirst(command.path.count)))
        }
        let isGroup = commands.contains { $0.path.count > 1 && $0.path[0] == words[0] }
        let depth = isGroup ? 2 : 1
        let typed = words.prefix(depth).joined(separator: " ")
        let known = Set(commands.map { $0.path.prefix(depth).joined(separator: " ") })
        guard !isGroup || words.count > 1 else {
            let children = known.filter { $0.hasPrefix(words[0] + " ") }.sorted()
            throw CommandError(
                .usage, "'msorch \(words[0])' needs a command.",
                hint: "One of: \(children.joined(separator: ", ")).")
        }
        throw CommandError(
            .usage, "There is no command 'msorch \(typed)'.",
            hint: closestMatch(to: typed, among: known.sorted()).map { "Did you mean '\($0)'?" }
                ?? "'msorch help' lists the commands.")
    }

    private func option(
        _ word: String, of command: Command
    ) throws(CommandError) -> (Command.Option, inlined: String?) {
        let body = word.drop { $0 == "-" }
        let name = String(body.prefix { $0 != "=" })
        let inlined = body.firstIndex(of: "=").map { String(body[body.index(after: $0)...]) }
        let options = command.options + command.commonOptions
        let isLong = word.hasPrefix("--")
        if let option = options.first(where: { $0.name == name && ($0.name.count > 1) == isLong }) {
            return (option, inlined)
        }
        let near = closestMatch(
            to: word.prefix { $0 != "=" }.description, among: options.map(\.dashed))
        throw CommandError(
            .usage, "'msorch \(command.path.joined(separator: " "))' has no option \(word).",
            hint: near.map { "Did you mean \($0)?" } ?? hint(command))
    }

    private func check(
        _ value: String, _ option: Command.Option, _ command: Command
    ) throws(CommandError) {
        guard !value.isEmpty || !["FILE", "DIR"].contains(option.value) else {
            throw CommandError(
                .usage, "\(option.dashed) names nothing: it needs a \(option.value ?? "").",
                hint: hint(command))
        }
        if let range = option.range {
            guard let number = Int64(value), range.contains(number) else {
                throw CommandError(
                    .usage,
                    "\(option.dashed) must be \(range.lowerBound) to \(range.upperBound), "
                        + "not \(value).")
            }
        }
        if let choices = option.choices, !choices.contains(value) {
            throw CommandError(
                .usage,
                "\(option.dashed) must be one of \(choices.joined(separator: ", ")), not \(value).",
                hint: closestMatch(to: value, among: choices).map { "Did you mean \($0)?" })
        }
    }

    private func check(_ arguments: [String], _ command: Command) throws(CommandError) {
        let required = command.arguments.filter { !$0.isOptional }
        if arguments.count < required.count {
            throw CommandError(
                .usage, "\(required[arguments.count].name) is missing.", hint: hint(command))
        }
        for (argument, value) in zip(command.arguments, arguments) {
            guard !value.isEmpty || !["FILE", "DIR"].contains(argument.name) else {
                throw CommandError(
                    .usage, "\(argument.name) names nothing.", hint: hint(command))
            }
            guard let choices = argument.choices, !choices.contains(value) else { continue }
            throw CommandError(
                .usage,
                "\(argument.name) must be one of \(choices.joined(separator: ", ")), not \(value).",
                hint: closestMatch(to: value, among: choices).map { "Did you mean \($0)?" })
        }
        let isOpen = command.arguments.contains { $0.isRepeated }
        guard isOpen || arguments.count <= command.arguments.count else {
            throw CommandError(
                .usage, "There is one word too many: '\(arguments[command.arguments.count])'.",
                hint: hint(command))
        }
    }

    private func hint(_ command: Command) -> String { "Usage: \(Help.usage(command))" }
}
