import FunctionModel
import HTTP
import JSON
import Journal
import Posix
import QueueModel
import Services
import StackModel

extension CommandError {
    /// What to do with what a newer msorch has written.
    static let hintIfNewer = "Nothing was changed. Use the msorch that wrote it, or a newer one."

    /// Every error that travels up to the command line, in the user's words.
    init(_ error: any Error) {
        switch error {
        case let error as CommandError: self = error
        case let error as SQSError:
            self.init(
                error == .queueDoesNotExist ? .notFound : .failure,
                "\(error.queryCode): \(error.message)")
        case let error as QueueError: self.init(error)
        case let error as DeploymentError: self.init(error)
        case let error as InvocationError: self.init(error)
        case let error as ServerError: self.init(error)
        case let error as HTTPClient.Failure: self.init(error)
        case let error as JournalError: self.init(error, queue: nil)
        case let error as SystemError: self.init(error)
        case let error as StateFileError: self.init(error)
        case .busy(let holder) as AlarmError:
            let who = holder.map { "Process \($0)" } ?? "Another process"
            self.init(
                .inputOutput, "\(who) has been judging the alarms for over 5 seconds.",
                hint: holder.map { "See 'ps -p \($0)'." })
        case let error as CredentialError: self.init(error)
        case let error as UserPoolError: self.init(error)
        case let error as QueueRecordError:
            self.init(.damaged, "A journal holds a record that cannot be: \(error.message).")
        default: self.init(.failure, "\(error)")
        }
    }

    private init(_ error: QueueError) {
        switch error {
        case .noSuchQueue(let name, let existing):
            let near = closestMatch(to: name, among: existing)
            self.init(
                .notFound, "\(error).",
                hint: near.map { "Did you mean '\($0)'?" }
                    ?? "'msorch queue ls' lists them; 'msorch queue create \(name)' makes one."
            )
        case .deletedRecently(let name, let seconds):
            self.init(
                .refused, "\(error).",
                hint: "\(seconds) s are left; --force makes '\(name)' all the same.")
        case .redriveDenied:
            self.init(.refused, "\(error).", hint: "It was made with --redrive-allow.")
        case .exists, .isBeingRedriven: self.init(.refused, "\(error).")
        case .invalidName:
            self.init(
                .usage, "\(error).",
                hint: "1 to 80 letters, digits, '-' and '_'; a FIFO queue's name ends in '.fifo'.")
        case .holdsMessages:
            self.init(
                .refused, "\(error).",
                hint: "Nothing was changed. --force removes it all the same.")
        case .unclearSource:
            self.init(.usage, "\(error).", hint: "--to QUEUE says where its messages go.")
        case .noMoveTask, .notRetained(_, _, n: 1): self.init(.notFound, "\(error).")
        case .noSuchMessage(_, let oldest):
            self.init(
                .notFound, "\(error).",
                hint: oldest.map {
                    "The oldest that is retained is of \($0.iso8601). A queue's 'history' setting "
                        + "says how much of what is consumed is kept."
                })
        case .notRetained:
            self.init(
                .notFound, "\(error).",
                hint: "Its 'history' setting says how much of what is consumed is kept.")
        case .journal(let error, let queue): self.init(error, queue: queue)
        }
    }

    private init(_ error: DeploymentError) {
        switch error {
        case .unreadable:
            self.init(
                .damaged, "\(error).",
                hint: "Queues and messages are not affected. Remove the file and deploy again.")
        case .noCode, .codeTooLarge: self.init(.usage, "\(error).")
        case .noKeySet:
            self.init(
                .usage, "\(error).",
                hint: "The issuer offers them at its jwks_uri; keep them in a file.")
        case .codeTooDeep(_, let folder, _):
            self.init(
                .usage, "\(error).", hint: "A link may lead back to where it lies: \(folder)")
        case .codeChanged:
            self.init(
                .refused, "\(error).",
                hint: "Nothing was changed: the old deployment stands. Deploy again.")
        case .noInterpreter:
            self.init(
                .notFound, "\(error).", hint: "Debian's packages are python3 and nodejs.")
        case .noPip:
            self.init(.notFound, "\(error).", hint: "Debian's package is python3-pip.")
        case .packagesFailed:
            // pip's own words end it.
            self.init(
                .failure, "\(error)", hint: "Nothing was changed: the old deployment stands.")
        case .holdsMessages:
            self.init(
                .refused, "\(error).",
                hint: "Nothing was changed. --force removes them with their messages.")
        case .filledMeanwhile:
            self.init(
                .refused, "\(error).",
                hint: "They are kept. 'msorch deploy --force' removes them with their messages.")
        case .interrupted: self.init(.failure, "\(error).")
        }
    }

    private init(_ error: HTTPClient.Failure) {
        let hint = "'msorch status' shows whether a serve runs."
        switch error {
        case .unreachable(let reason):
            self.init(.inputOutput, "The server cannot be reached: \(reason).", hint: hint)
        case .timeout: self.init(.inputOutput, "The server did not answer in time.", hint: hint)
        case .broken(let reason):
            self.init(.inputOutput, "The server's answer cannot be used: \(reason).", hint: hint)
        case .interrupted: self.init(.failure, "Interrupted.")
        }
    }

    private init(_ error: ServerError) {
        switch error {
        case .alreadyRunning(let process, let url):
            let who = process.map { " by process \($0)" } ?? ""
            let place = url.map { " at \($0)" } ?? ""
            self.init(
                .refused, "This stack is being served already\(who)\(place).",
                hint: process.map { "'kill \($0)' stops it." })
        case .portInUse(let port, let holder):
            let who = holder.map { "process \($0)" } ?? "another process"
            self.init(
                .refused, "Port \(port) is in use by \(who).",
                hint: "--port and --gateway-port name others; 0 lets the system choose.")
        case .cannotListen(let address, let reason):
            self.init(
                .inputOutput, "Listening on \(address) is not possible: \(reason).",
                hint: "--host names another address, --port and --gateway-port other ports.")
        }
    }

    private init(_ error: InvocationError) {
        switch error {
        case .noSuchFunction(let name, let existing):
            let near = closestMatch(to: name, among: existing)
            self.init(
                .notFound, "There is no function '\(name)'.",
                hint: near.map { "Did you mean '\($0)'?" }
                    ?? (existing.isEmpty
                        ? "There are none: \"lambdas\" in the stack file defines them."
                        : "There are: \(existing.joined(separator: ", "))."))
        case .payloadTooLarge(let bytes):
            self.init(
                .usage,
                "The payload has \(bytes) bytes; Lambda takes up to "
                    + "\(FunctionLimits.requestBytes).")
        case .throttled(let name):
            self.init(
                .failure, "TooManyRequestsException: Rate Exceeded.",
                hint: "All of the concurrency of '\(name)' is in use (reservedConcurrency).")
        case .cannotStart(let name, let reason):
            self.init(
                .inputOutput, "'\(name)' could not be started: \(reason).",
                hint: "'msorch deploy' puts missing code back in its place.")
        case .stopped: self.init(.failure, "Stopped before the function was done.")
        }
    }

    private init(_ error: JournalError, queue: String?) {
        switch error {
        case .damaged(let file, _, _):
            // A queue's journal says whose it is: `queues/NAME/SEGMENT`.
            let name = queue ?? file.split(separator: "/").dropLast().last.map { String($0) }
            self.init(
                .damaged, "\(error).",
                hint: "'msorch queue verify \(name ?? "QUEUE") --repair' makes a new journal of "
                    + "what can be read, and keeps this one as it is.")
        case .busy(let holder):
            self.init(
                .inputOutput, "\(error).",
                hint: holder.map { "See 'ps -p \($0)'." })
        case .overloaded:
            self.init(
                .inputOutput, "\(error).",
                hint: "Nothing was done. Try again in a moment.")
        case .removed:
            self.init(
                .notFound, "The queue \(queue.map { "'\($0)' " } ?? "")was removed meanwhile.",
                hint: "What was not acknowledged was not sent.")
        case .newerFormat:
            self.init(.damaged, "\(error).", hint: Self.hintIfNewer)
        case .storage(let error): self.init(error)
        case .notDurable:
            self.init(.inputOutput, "\(error).")
        case .recordTooLarge: self.init(.usage, "\(error).")
        }
    }

    private init(_ error: SystemError) {
        let hint: String? =
            if error.isDiskFull {
                "This was not accepted. Receiving, deleting and purging go on; free some space "
                    + "for the rest."
            } else if error.isFileTooLarge {
                "This was not accepted. A limit on files' sizes is set: see 'ulimit -f'."
            } else if error.isDenied {
                "Nothing was changed. Is the state folder not yours? --state-dir names another."
            } else if error.isReadOnly {
                "Nothing was changed. --state-dir names a folder elsewhere."
            } else if error.isOtherKind {
                "Nothing was changed. Something else has this name; move it away."
            } else {
                nil
            }
        self.init(.inputOutput, "\(error).", hint: hint)
    }
}
