/// Help texts, made from what the commands say of themselves.
package enum Help {
    package static func overview(_ commands: [Command]) -> String {
        let width = commands.map { $0.path.joined(separator: " ").count }.max() ?? 0
        let lines = commands.map { command in
            let path = command.path.joined(separator: " ")
            let space = String(repeating: " ", count: width - path.count)
            return "  \(path)\(space)  \(command.abstract)"
        }
        return """
            msorch runs an AWS-style microservice stack out of one folder.

            Usage: msorch COMMAND [ARGUMENT…] [--option…]

            \(lines.joined(separator: "\n"))

            'msorch help COMMAND' explains one of them; 'msorch --version' names this build.
            """
    }

    package static func usage(_ command: Command) -> String {
        let arguments = command.arguments.map { argument in
            let name = argument.name + (argument.isRepeated ? "…" : "")
            return argument.isOptional ? "[\(name)]" : name
        }
        let options = command.options.map { option in
            "[\(option.dashed)\(option.value.map { " \($0)" } ?? "")]"
        }
        return (["msorch"] + command.path + arguments + options).joined(separator: " ")
    }

    package static func text(_ command: Command) -> String {
        var sections = [command.abstract, "Usage: \(usage(command))"]
        if !command.arguments.isEmpty {
            sections.append("Arguments:\n" + list(command.arguments.map { ($0.name, $0.help) }))
        }
        func describe(_ options: [Command.Option]) -> String {
            list(
                options.map { option in
                    (option.dashed + (option.value.map { " \($0)" } ?? ""), option.help)
                })
        }
        if !command.options.isEmpty { sections.append("Options:\n" + describe(command.options)) }
        sections.append("Common options:\n" + describe(command.commonOptions))
        if !command.examples.isEmpty {
            sections.append(
                "Examples:\n" + command.examples.map { "  $ \($0)" }.joined(separator: "\n"))
        }
        return sections.joined(separator: "\n\n")
    }

    private static func list(_ rows: [(String, String)]) -> String {
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { name, help in
            "  \(name)\(String(repeating: " ", count: width - name.count))  \(help)"
        }.joined(separator: "\n")
    }
}
