import Posix

/// Lines that go to a file in one write.
struct LineBatch {
    private var bytes: [UInt8] = []
    /// Where each line ends.
    private var ends: [Int] = []

    /// - Parameter body: appends the line; its end is added where it brings none.
    mutating func append(_ body: (inout [UInt8]) -> Void) {
        body(&bytes)
        if bytes.last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
        ends.append(bytes.count)
    }

    /// - Returns: how many lines are in the file; why not all.
    func write(to path: String) -> (written: Int, failure: SystemError?) {
        let (bytes, failure) = FileSystem.appendWholeLines(bytes, to: path)
        return (ends.count { $0 <= bytes }, failure)
    }
}
