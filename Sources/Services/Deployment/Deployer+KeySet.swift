import Access
import JSON
import Posix

extension Deployer {
    /// The stack's `security` with the path of the token issuer's keys from the root on: whoever
    /// runs the deployment does not know where the stack file lies.
    ///
    /// - Throws: `DeploymentError.noKeySet` if there are no keys that can be used.
    package static func withKeySet(_ security: JSONValue?, folder: String) throws -> JSONValue? {
        guard var security = security?.objectValue, var issuer = security["jwt"]?.objectValue,
            let name = issuer["jwksFile"]?.stringValue
        else { return security }
        let path = FileSystem.absolute(name.hasPrefix("/") ? name : "\(folder)/\(name)")
        do {
            let keys = try TokenKeySet(text: try FileSystem.read(path))
            if keys.isEmpty { throw DeploymentError.noKeySet(path, "it has no key for tokens") }
        } catch let error as SystemError {
            throw DeploymentError.noKeySet(path, error.reason)
        } catch TokenFailure.badKeySet(let reason) {
            throw DeploymentError.noKeySet(path, reason)
        }
        issuer["jwksFile"] = .string(path)
        security["jwt"] = .object(issuer)
        return .object(security)
    }
}
