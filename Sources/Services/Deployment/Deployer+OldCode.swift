import JSON
import Posix
import StackModel

extension Deployer {
    /// A function may run for so long, and load its own code until its end.
    private static let longestInvocation = Duration.seconds(15 * 60)

    /// The deployments whose invocations may still run, a line each, the newest last.
    private var historyPath: String { "\(stateDirectory)/deployments.jsonl" }

    /// Adds a deployment, and forgets those of which nothing runs any more.
    func note(_ deployment: Deployment) throws {
        let recent = try deployments(since: deployment.deployedAt - Self.longestInvocation)
        let lines = (recent.reversed() + [deployment]).map { $0.json.serialized() + "\n" }
        try FileSystem.replace(historyPath, with: Array(lines.joined().utf8))
    }

    /// Keeps the code of this deployment, of the one before, and of all whose invocations may still
    /// run.
    func removeOldCode(_ deployment: Deployment) throws {
        let root = "\(stateDirectory)/functions"
        guard FileSystem.isDirectory(root) else { return }  // a stack of queues alone
        var kept: Set<String> = []
        let recent = try deployments(since: deployment.deployedAt - Self.longestInvocation)
        for deployment in [deployment, current].compactMap({ $0 }) + recent {
            for function in deployment.stack.functions {
                kept.insert("\(function.key)/\(function.codeSHA256 ?? "")")
                let packages = deployment.code[function.key]?.packages
                if let packages { kept.insert("\(function.key)/\(packages)") }
            }
        }
        for key in try FileSystem.list(root) {
            for name in try FileSystem.list("\(root)/\(key)") where !kept.contains("\(key)/\(name)")
            {
                try FileSystem.removeTree("\(root)/\(key)/\(name)")
            }
        }
    }

    /// The deployments that were current at `time` or later, the last one first.
    private func deployments(since time: Timestamp) throws -> [Deployment] {
        guard FileSystem.exists(historyPath) else { return [] }
        var found: [Deployment] = []
        let lines = try FileSystem.read(historyPath).split(separator: UInt8(ascii: "\n"))
        for line in lines.reversed() {
            // A line that a full disk cut is passed over.
            guard let json = try? JSONValue.parse(Array(line)) else { continue }
            let deployment = Deployment(json: json, stateDirectory: stateDirectory)
            found.append(deployment)
            if deployment.deployedAt <= time { break }
        }
        return found
    }
}
