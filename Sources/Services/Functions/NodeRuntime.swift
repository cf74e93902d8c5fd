/// The Runtime API client that Node.js functions are started with.
package enum NodeRuntime {
    package static let source = ""
}
