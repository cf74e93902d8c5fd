import Services

/// One command of the command line: what it takes, what it says of itself, and what it does.
package struct Command: Sendable {
    package struct Argument: Sendable {
        package var name: String
        package var help: String
        package var isOptional = false
        package var isRepeated = false
        /// For words.
        package var choices: [String]?
    }

    package struct Option: Sendable {
        /// Without the dashes.
        package var name: String
        /// What its value is called in help; `nil` for a flag.
        package var value: String?
        package var help: String
        /// For whole numbers.
        package var range: ClosedRange<Int64>?
        /// For words.
        package var choices: [String]?
        /// Whether it may be given more than once.
        package var isRepeated = false

        /// As it is typed: `-n`, `--max`.
        package var dashed: String { (name.count == 1 ? "-" : "--") + name }

        package static func flag(_ name: String, _ help: String) -> Option {
            Option(name: name, help: help)
        }
        package static func number(
            _ name: String, _ value: String, _ range: ClosedRange<Int64>, _ help: String
        ) -> Option {
            Option(name: name, value: value, help: help, range: range)
        }
        package static func text(_ name: String, _ value: String, _ help: String) -> Option {
            Option(name: name, value: value, help: help)
        }
        package static func repeated(_ name: String, _ value: String, _ help: String) -> Option {
            Option(name: name, value: value, help: help, isRepeated: true)
        }
        package static func choice(_ name: String, _ choices: [String], _ help: String) -> Option {
            // Not `joined`: all commands have such an option, and it looks types up at each start.
            let value = choices.reduce("") { $0.isEmpty ? $1 : "\($0)|\($1)" }
            return Option(name: name, value: value, help: help, choices: choices)
        }
    }

    /// `["queue", "send"]`.
    package var path: [String]
    package var abstract: String
    package var arguments: [Argument] = []
    package var options: [Option] = []
    /// Whole lines that a user could type.
    package var examples: [String] = []
    /// What `--output` takes.
    package var formats: [Output.Format] = [.text, .json]
    package var run: @Sendable (Invocation) throws -> Void

    /// A command as it is typed. Not by `joined`: its first use looks through every type of the
    /// program, and the commands that scripts call most say their names.
    static func typed(_ path: [String]) -> String { path.reduce("msorch") { $0 + " " + $1 } }

    /// Options that every command takes.
    package static let common: [Option] = [
        .text("C", "DIR", "Work in DIR instead of the current folder."),
        .text("stack", "FILE", "The stack file (default: stack.json)."),
        .text(
            "state-dir", "DIR",
            "The state folder (default: .msorch beside the stack file; MSORCH_STATE_DIR)."),
        .choice(
            "output", Output.Format.allCases.map(\.rawValue),
            "How results are written (default: text)."),
        .flag("quiet", "Say nothing but results and errors."),
        .flag("help", "Show this help."),
    ]

    /// The same, with what this command's `--output` takes.
    package var commonOptions: [Option] {
        Self.common.map { option in
            guard option.name == "output" else { return option }
            return .choice(option.name, formats.map(\.rawValue), option.help)
        }
    }
}

/// One call of a command: what was typed, checked.
package struct Invocation: Sendable {
    package var arguments: [String]
    /// What was given of the options, in order; a flag's value is empty.
    package var options: [(name: String, value: String)]
    package var output: Output
    package var stackFile: String
    package var stateDirectory: String
    /// What the command does leaves its traces here.
    package let monitor: Monitor
    package let queueDirectory: QueueDirectory

    package func has(_ flag: String) -> Bool { text(flag) != nil }
    package func text(_ option: String) -> String? { options.last { $0.name == option }?.value }
    /// Every value of an option that may be repeated.
    package func texts(_ option: String) -> [String] {
        options.filter { $0.name == option }.map(\.value)
    }
    /// A number that the parser has found to be in its range.
    package func number(_ option: String) -> Int64? { text(option).flatMap { Int64($0) } }
}
