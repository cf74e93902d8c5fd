import JSON
import Posix

/// What tells a state folder from one that was named by mistake.
package enum StateFolder {
    /// Every name that msorch makes in it.
    static let names: Set<String> = [
        "access", "alarms.json", "alarms.jsonl", "api-keys.json", "credentials", "deploy.lock",
        "deployment.json", "deployments.jsonl", "events", "functions", "logs", "metrics", "queues",
        "requests", "run", "runtimes", "usage.json", "user-pool-keys", "users.json",
    ]

    /// Whether something was deployed there, or has a queue, or had one.
    package static func isState(_ folder: String) -> Bool {
        hasDeployment(folder) || hasDeployLock(folder) || hasQueues("\(folder)/queues")
    }

    private static func hasDeployment(_ folder: String) -> Bool {
        guard let bytes = try? FileSystem.read(Deployment.path(folder)),
            let json = try? JSONValue.parse(bytes)
        else { return false }
        return json["format"] != nil
    }

    private static func hasDeployLock(_ folder: String) -> Bool {
        let path = Deployer.lockPath(folder)
        return FileSystem.exists(path) && !FileSystem.isDirectory(path)
    }

    /// Others have folders of that name, too.
    private static func hasQueues(_ folder: String) -> Bool {
        let names = (try? FileSystem.list(folder)) ?? []
        return names.contains {
            $0 == QueueDirectory.livesLock || FileSystem.exists("\(folder)/\($0)/lock")
        }
    }

    /// What is in a folder and not of msorch, sorted.
    package static func foreignNames(_ folder: String) throws(SystemError) -> [String] {
        try FileSystem.list(folder).filter { !isOwn($0) }
    }

    /// A file's lock, and what is about to take its place, are beside it.
    private static func isOwn(_ name: String) -> Bool {
        names.contains(name)
            || names.contains { name == "\($0).lock" || name.hasPrefix("\($0).new-") }
    }
}
