extension DeploymentError: CustomStringConvertible {
    /// What happened, for whoever asked: a sentence without its full stop.
    package var description: String {
        switch self {
        case .unreadable(let path, let reason): "\(path) cannot be used: \(reason)"
        case .noCode(let function, let path):
            "The code of '\(function)' is to be in \(path), and there is no such folder"
        case .codeTooLarge(let function, let limit):
            "The code of '\(function)' is larger than \(limit) bytes"
        case .codeTooDeep(let function, _, let limit):
            "The code of '\(function)' has more than \(limit) folders in each other"
        case .codeChanged(let function):
            "The code of '\(function)' changed while it was deployed"
        case .noKeySet(let path, let reason):
            "The keys of security.jwt, \(path), cannot be used: \(reason)"
        case .noInterpreter(let function, let runtime, let programs):
            "'\(function)' needs \(runtime), and PATH has no "
                + programs.joined(separator: " and no ")
        case .noPip(let function, let interpreter):
            "'\(function)' has a requirements.txt, and \(interpreter) has no pip"
        case .packagesFailed(let function, let output):
            "The packages of '\(function)' could not be installed:\n"
                + output.split(separator: "\n").filter { !$0.isEmpty }.suffix(8)
                .map { "  \($0)" }.joined(separator: "\n")
        case .holdsMessages(let queues):
            "Queues that would be removed hold messages: \(Self.list(queues))"
        case .filledMeanwhile(let queues):
            "The stack is deployed, but queues that were to be removed got messages meanwhile: "
                + Self.list(queues)
        case .interrupted: "Interrupted; the old deployment stands"
        }
    }

    private static func list(_ queues: [(queue: String, count: UInt64)]) -> String {
        queues.map { "'\($0.queue)' holds \($0.count)" }.joined(separator: ", ")
    }
}
