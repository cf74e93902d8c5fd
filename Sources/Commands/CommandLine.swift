import Posix

/// The command line: parse, run, exit code.
package enum CommandLineTool {
    package static let version = "0.1.0"

    /// Every command, in the order in which help lists them.
    package static let commands: [Command] = [
        .deploy, .serve, .invoke, .drain, .status, .metrics, .logs, .alarms, .destroy, .initialize,
        .validate,
        .queueCreate, .queueList, .queueStatistics, .send, .queueSend, .poll, .queueReceive,
        .queueDelete, .queueChangeVisibility, .queuePeek, .queueTail, .queueHistory, .queueReplay,
        .queuePurge, .queueRedrive,
        .queueExport, .queueImport, .queueVerify, .queueRemove,
        .iamSimulate, .iamExplain,
        .apiKeysList, .apiKeysShow, .keysCreate, .keysList, .keysShow, .keysRemove,
        .usersAdd, .usersList, .usersRemove, .usersSetPassword, .usersToken, .usersPool,
        .usersRotateKey,
        .env, .curl,
        .completions,
    ]

    /// - Parameters:
    ///   - arguments: without the program's name.
    ///   - areReadable: whether they are what was typed. Bytes that are not UTF-8 are other
    ///     characters by now: a message must not be sent with those.
    /// - Returns: the process's exit code.
    package static func run(_ arguments: [String], areReadable: () -> Bool = { true }) -> Int32 {
        StandardStream.fillClosed()
        if arguments.first == Completion.command {
            for candidate in Completion.candidates(Array(arguments.dropFirst())) {
                StandardStream.output.write("\(candidate)\n".utf8)
            }
            return ExitCode.success.rawValue
        }
        if arguments.first == GuardedProcess.command, arguments.count >= 3 {
            ProcessGuard.run(
                arguments[2], Array(arguments.dropFirst(3)), temporaryFolder: arguments[1])
        }
        Signals.ignoreFailedWrites()
        var output = Output()
        do {
            // Nothing is looked at closely without a cause.
            guard !arguments.contains(where: { $0.utf8.contains(0xEF) }) || areReadable() else {
                throw CommandError(
                    .usage, "An argument is not UTF-8.",
                    hint: "Messages are text; base64 makes text of any bytes.")
            }
            switch try CommandLineParser().parse(arguments) {
            case .version: try output.data("msorch \(version)")
            case .help(let text): try output.data(text)
            case .run(let command, let invocation):
                output = invocation.output
                Signals.deferTermination()
                defer { invocation.end() }
                try command.run(invocation)
            }
        } catch is BrokenPipe {
            return ExitCode.success.rawValue
        } catch let end as SilentExit {
            return end.exitCode.rawValue
        } catch  where Signals.termination != nil {
            return 128 + (Signals.termination ?? 0)
        } catch {
            let error = CommandError(error)
            output.error(error)
            return error.exitCode.rawValue
        }
        return Signals.termination.map { 128 + $0 } ?? ExitCode.success.rawValue
    }
}

extension Command {
    /// What scripts call most, found without making all the others.
    static func frequent(_ words: [String]) -> Command? {
        switch words.first {
        case "send": .send
        case "poll": .poll
        case "queue" where words.count > 1:
            switch words[1] {
            case "send": .queueSend
            case "receive": .queueReceive
            case "delete": .queueDelete
            case "stats": .queueStatistics
            default: nil
            }
        default: nil
        }
    }
}
